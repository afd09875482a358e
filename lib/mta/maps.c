#include "lib/mta/maps.h"

#include <string.h>

#define NAME_MAX_BYTES 64

void maps_init(struct maps *maps)
{
    *maps = (struct maps){0};
}

void maps_done(struct maps *maps)
{
    for (size_t i = 0; i < maps->count; i++) {
        free(maps->list[i].name);
        strbuf_done(&maps->list[i].content);
    }
    free(maps->list);
    maps_init(maps);
}

static char *full_name(const char *name, const char *suffix)
{
    struct strbuf full;
    strbuf_init(&full);
    strbuf_puts(&full, name);
    if (suffix != NULL) {
        strbuf_putc(&full, '.');
        strbuf_puts(&full, suffix);
    }
    if (full.failed) {
        strbuf_done(&full);
        return NULL;
    }
    return full.p;
}

struct maps_file *maps_add(struct maps *maps, const char *name, const char *suffix, unsigned mode)
{
    if (maps->count == maps->room) {
        size_t room = maps->room == 0 ? 8 : maps->room * 2;
        struct maps_file *list = realloc(maps->list, room * sizeof *list);
        if (list == NULL)
            return NULL;
        maps->list = list;
        maps->room = room;
    }
    char *full = full_name(name, suffix);
    if (full == NULL)
        return NULL;
    struct maps_file *file = &maps->list[maps->count++];
    *file = (struct maps_file){.name = full, .mode = mode};
    strbuf_init(&file->content);
    return file;
}

bool maps_name_ok(const char *listener)
{
    size_t n = 0;
    for (; listener[n] != '\0'; n++) {
        char c = listener[n];
        bool ok = ascii_is_alnum(c) || c == '_' || (n > 0 && (c == '.' || c == '-'));
        if (!ok || n == NAME_MAX_BYTES)
            return false;
    }
    return n > 0;
}
