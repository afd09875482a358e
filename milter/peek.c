/* peek.c - see peek.h. */
#include "milter/peek.h"

#include <string.h>

#include "lib/conf/ini.h"
#include "milter/settings.h"

struct search {
    const char *key;
    bool in_section, found;
    char *value; /* PATH_MAX bytes */
};

static void look_at(const struct ini_event *event, void *arg)
{
    struct search *search = arg;

    if (event->kind == INI_SECTION)
        search->in_section = slice_is(event->name, "gatehouse");
    if (event->kind != INI_KEY || !search->in_section || search->found ||
        !slice_is(event->name, search->key))
        return;
    search->found = true;
    snprintf(search->value, PATH_MAX, "%.*s", (int)event->value.n, event->value.p);
}

bool peek_value(const char *conf, const char *key, char value_out[PATH_MAX])
{
    size_t row = key_find(settings_rows, settings_nrows, slice_of(key));
    struct search search = {.key = key, .value = value_out};
    struct problems problems;

    CHECK(row < settings_nrows);
    snprintf(value_out, PATH_MAX, "%s", settings_rows[row].dflt);
    problems_init(&problems);
    bool readable = ini_read(conf, look_at, &search, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    return readable;
}

void peek_path(const char *conf, const char *written, char path_out[PATH_MAX])
{
    char real[PATH_MAX];

    if (realpath(conf, real) != NULL)
        conf = real;
    const char *slash = strrchr(conf, '/');
    int folder_n = written[0] == '/' || slash == NULL ? 0 : (int)(slash - conf) + 1;

    int n = snprintf(path_out, PATH_MAX, "%.*s%s", folder_n, conf, written);
    if (n < 0 || n >= PATH_MAX)
        path_out[0] = '\0';
}
