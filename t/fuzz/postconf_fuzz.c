/*
 * postconf_fuzz.c - what postconf prints of an MTA: the texts of -x, -M and -Px, with a NUL
 * between them. The doctor must come to an end with them; a path it makes of one fits.
 */
#include <string.h>
#include "lib/mta/doctor.h"
#include "t/unit/mta/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *part(const uint8_t **data, size_t *size)
{
    size_t n = 0;
    while (n < *size && (*data)[n] != 0)
        n++;
    char *text = malloc(n + 1);
    CHECK(text != NULL);
    memcpy(text, *data, n);
    text[n] = '\0';
    n += n < *size;
    *data += n;
    *size -= n;
    return text;
}

static bool never(const char *a, const char *b)
{
    CHECK(a[0] != '\0' && b[0] == '/');
    return false;
}

static void check_services(const struct postconf *found)
{
    struct postconf_service service;
    char path[100];
    for (const char *at = found->services; postconf_next(found, &at, &service);) {
        CHECK(service.name.n > 0 && service.program.n > 0);
        struct slice own = postconf_own(found, &service, "smtpd_milters");
        struct slice word, list = postconf_value(found, &service, "smtpd_milters");
        CHECK(own.p == NULL || own.p == list.p);
        while (postconf_word(&list, &word))
            if (postconf_path(found, &service, word, path, sizeof path))
                CHECK(strlen(path) >= (word.n < sizeof path ? strnlen(word.p, word.n) : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct doctor_host host = {.same_place = never};
    char *main_cf = part(&data, &size), *services = part(&data, &size);
    char *changes = part(&data, &size);
    struct postconf found = {main_cf, services, changes};
    struct scene scene;

    scene_new(&scene);
    scene.input.directory = &scene_directory;
    scene_listener(&scene, "in", "A RELAY 10.", "ACCEPTED", "a.example ACCEPT\n");
    scene_routes(&scene, "a.example: [h.test]:2525 tls=verify\n");
    doctor_postfix(&scene.input, "/maps", &found, &host, &scene.problems);
    check_services(&found);
    scene_done(&scene);
    free(main_cf);
    free(services);
    free(changes);
    return 0;
}
