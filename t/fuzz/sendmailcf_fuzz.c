/*
 * sendmailcf_fuzz.c - a sendmail.cf. The doctor must come to an end with it, for a unix and for
 * an inet socket, and never finds all of it good: no text this short has it all.
 */
#include <string.h>
#include "lib/mta/doctor.h"
#include "t/unit/mta/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sockets[] = {"unix:/run/m", "inet:2500@127.0.0.1"};
    char *cf = malloc(size + 1);
    CHECK(cf != NULL);
    if (size > 0)
        memcpy(cf, data, size);
    cf[size] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
        struct scene scene;
        scene_new(&scene);
        scene.input.socket = sockets[i];
        scene.input.directory = &scene_directory;
        scene_listener(&scene, "in", "A RELAY 10.", "ACCEPTED", "a.example ACCEPT\n");
        scene_routes(&scene, "a.example: [h.test]:2525\nALL: /dev/null\n");
        doctor_sendmail(&scene.input, "/maps", cf, NULL, &scene.problems);
        CHECK(size > 500 || problems_errors(&scene.problems) > 0);
        scene_done(&scene);
    }
    free(cf);
    return 0;
}
