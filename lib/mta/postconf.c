#include "lib/mta/postconf.h"

#include <string.h>

#define NAME_MAX_BYTES 600
#define COLUMNS 8 /* of master.cf; the last one is the program */

/* What stands behind "name = " on a line of its own; p NULL: no such line. */
static struct slice value_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; *line != '\0';) {
        size_t end = strcspn(line, "\n");
        if (end >= n + 2 && memcmp(line, name, n) == 0 && memcmp(line + n, " =", 2) == 0)
            return slice_trim((struct slice){line + n + 2, end - n - 2});
        line += end + (line[end] == '\n');
    }
    return (struct slice){NULL, 0};
}

struct slice postconf_main(const struct postconf *text, const char *name)
{
    return value_of(text->main, name);
}

struct slice postconf_own(const struct postconf *text, const struct postconf_service *service,
                          const char *name)
{
    char full[NAME_MAX_BYTES];
    int n = snprintf(full, sizeof full, "%.*s/%.*s/%s", (int)service->name.n, service->name.p,
                     (int)service->type.n, service->type.p, name);
    if (n < 0 || (size_t)n >= sizeof full)
        return (struct slice){NULL, 0};
    return value_of(text->changes, full);
}

struct slice postconf_value(const struct postconf *text, const struct postconf_service *service,
                            const char *name)
{
    struct slice own = postconf_own(text, service, name);
    return own.p != NULL ? own : postconf_main(text, name);
}

bool postconf_word(struct slice *list, struct slice *word_out)
{
    static const char between[] = " \t\r\n,{}";
    while (list->n > 0 && memchr(between, list->p[0], sizeof between - 1) != NULL)
        *list = (struct slice){list->p + 1, list->n - 1};
    size_t n = 0;
    *word_out = (struct slice){NULL, 0};
    if (list->n == 0)
        return false;
    while (n < list->n && memchr(between, list->p[n], sizeof between - 1) == NULL)
        n++;
    *word_out = (struct slice){list->p, n};
    *list = (struct slice){list->p + n, list->n - n};
    return true;
}

/* The column's "-" means yes only to a Postfix that is to behave as before 3.0. */
static bool is_chrooted(const struct postconf *text, struct slice column)
{
    if (!slice_is(column, "-"))
        return slice_is(column, "y");
    struct slice level = postconf_main(text, "compatibility_level");
    size_t n = 0;
    while (n < level.n && level.p[n] == '0')
        n++;
    return n == level.n || !ascii_is_digit(level.p[n]);
}

bool postconf_next(const struct postconf *text, const char **at,
                   struct postconf_service *service_out)
{
    while (**at != '\0') {
        size_t end = strcspn(*at, "\n"), n = 0;
        struct slice rest = {*at, end}, words[COLUMNS];
        *at += end + ((*at)[end] == '\n');
        while (n < COLUMNS && postconf_word(&rest, &words[n]))
            n++;
        if (n < COLUMNS)
            continue;
        *service_out = (struct postconf_service){.name = words[0],
                                                 .type = words[1],
                                                 .program = words[COLUMNS - 1],
                                                 .privileged = slice_is(words[3], "n"),
                                                 .chrooted = is_chrooted(text, words[4]),
                                                 .processes = words[6]};
        return true;
    }
    return false;
}

bool postconf_path(const struct postconf *text, const struct postconf_service *service,
                   struct slice path, char *out, size_t room)
{
    struct slice queue = postconf_main(text, "queue_directory");
    bool absolute = path.n > 0 && path.p[0] == '/';
    bool below = service->chrooted || !absolute;
    int n = snprintf(out, room, "%.*s%s%.*s", below ? (int)queue.n : 0, below ? queue.p : "",
                     below && !absolute ? "/" : "", (int)path.n, path.p);
    return n >= 0 && (size_t)n < room;
}
