#include "lib/mta/publish.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/mta/publish_inner.h"

void publish_tell(const struct publish *publish, const char *file, enum publish_step step)
{
    if (publish->options->on_step != NULL)
        publish->options->on_step(publish->options->arg, file, step);
}

bool publish_type_ok(enum compile_tool tool, const char *type)
{
    return compile_type_ok(tool, type);
}

bool publish_compiles(const struct publish *publish, const struct maps_file *file)
{
    return file->compile && publish->options->compiler != NULL;
}

bool publish_map_name(const struct publish *publish, const char *name, char out[MAPFILE_NAME_MAX],
                      struct err *err)
{
    int n = snprintf(out, MAPFILE_NAME_MAX, "%s.%s", name, compile_suffix(publish->compile.type));
    if (n > 0 && n < MAPFILE_NAME_MAX)
        return true;
    return err_set(err, ERR_RANGE, "the file name %s is too long", name);
}

enum mapfile_state publish_look_at_map(const struct publish *publish, const struct maps_file *file,
                                       struct err *err)
{
    char map[MAPFILE_NAME_MAX];
    if (!publish_map_name(publish, file->name, map, err))
        return MAPFILE_FAILED;
    if (!mapfile_exists(&publish->folder, map))
        return MAPFILE_ABSENT;
    if (compile_holds(&publish->compile, file->name, &file->content, err))
        return MAPFILE_SAME;
    return err->kind == ERR_NONE ? MAPFILE_OTHER : MAPFILE_FAILED;
}

static bool check_file(struct publish *publish, const struct maps_file *file, struct err *err)
{
    enum mapfile_state map = MAPFILE_SAME;
    enum mapfile_state text =
        mapfile_compare(&publish->folder, file->name, file->mode, &file->content, err);
    if (text != MAPFILE_FAILED && publish_compiles(publish, file))
        map = publish_look_at_map(publish, file, err);
    if (text == MAPFILE_FAILED || map == MAPFILE_FAILED)
        return false;
    if (text != MAPFILE_SAME)
        publish_tell(publish, file->name, PUBLISH_DIFFERS);
    if (map != MAPFILE_SAME)
        publish_tell(publish, file->name, PUBLISH_MAP_DIFFERS);
    if (text == MAPFILE_SAME && map == MAPFILE_SAME)
        publish_tell(publish, file->name, PUBLISH_SAME);
    else
        publish->result->changed++;
    return true;
}

bool publish_prove(const struct publish *publish, const char *name, const struct maps_file *file,
                   struct err *err)
{
    struct err trouble = {0};
    if (compile_holds(&publish->compile, name, &file->content, &trouble))
        return true;
    if (trouble.kind != ERR_NONE) {
        *err = trouble;
        return false;
    }
    return err_set(err, ERR_PEER, "%s compiled %s/%s to something else than it says",
                   publish->compile.compiler, publish->folder.path, name);
}

static bool commit_text(const struct publish *publish, const struct maps_file *file,
                        struct err *err)
{
    char staged[MAPFILE_NAME_MAX];
    if (!mapfile_staged_name(file->name, staged, err) ||
        !mapfile_commit(&publish->folder, staged, file->name, err))
        return false;
    publish_tell(publish, file->name, PUBLISH_RENAMED);
    return true;
}

/* The text is in place. */
static bool compile_where_it_is(const struct publish *publish, const struct maps_file *file,
                                struct err *err)
{
    char map[MAPFILE_NAME_MAX];
    if (!publish_map_name(publish, file->name, map, err) ||
        !compile_map(&publish->compile, file->name, err))
        return false;
    publish_tell(publish, file->name, PUBLISH_COMPILED);
    if (!mapfile_settle(&publish->folder, map, file->mode, err) ||
        !publish_prove(publish, file->name, file, err))
        return false;
    publish_tell(publish, file->name, PUBLISH_VERIFIED);
    return true;
}

/* The text is staged; compiled map and text take their places one after the
 * other, the map first: should we end between, the MTA has a whole one, and
 * the text, being the old one, brings the next run here again. */
static bool compile_beside(const struct publish *publish, const struct maps_file *file,
                           struct err *err)
{
    char staged[MAPFILE_NAME_MAX], staged_map[MAPFILE_NAME_MAX], map[MAPFILE_NAME_MAX];
    if (!mapfile_staged_name(file->name, staged, err) ||
        !publish_map_name(publish, staged, staged_map, err) ||
        !publish_map_name(publish, file->name, map, err))
        return false;
    mapfile_discard(&publish->folder, staged_map);
    bool ok = compile_map(&publish->compile, staged, err);
    if (ok) {
        publish_tell(publish, file->name, PUBLISH_COMPILED);
        ok = mapfile_settle(&publish->folder, staged_map, file->mode, err) &&
             publish_prove(publish, staged, file, err) &&
             mapfile_commit(&publish->folder, staged_map, map, err);
    }
    if (!ok) {
        mapfile_discard(&publish->folder, staged_map);
        mapfile_discard(&publish->folder, staged);
        return false;
    }
    publish_tell(publish, file->name, PUBLISH_VERIFIED);
    return commit_text(publish, file, err);
}

static bool make(const struct publish *publish, const struct maps_file *file, bool text_is_right,
                 struct err *err)
{
    bool map = publish_compiles(publish, file), in_place = compile_in_place(publish->compile.type);
    if (!text_is_right || (map && !in_place)) {
        if (!mapfile_stage(&publish->folder, file->name, file->mode, &file->content, err))
            return false;
        publish_tell(publish, file->name, PUBLISH_WRITTEN);
        if (map && !in_place)
            return compile_beside(publish, file, err);
        if (!commit_text(publish, file, err))
            return false;
    }
    return !map || compile_where_it_is(publish, file, err);
}

/* Its first line; empty when that is no comment. */
static struct slice heading_of(const struct maps_file *file)
{
    const char *text = strbuf_text(&file->content);
    return (struct slice){text, text[0] == '#' ? strcspn(text, "\n") : 0};
}

bool publish_keep_foreign(const struct publish *publish, const struct maps_file *file,
                          struct err *err)
{
    bool kept = false;
    if (!mapfile_is_foreign(&publish->folder, file->name, heading_of(file)))
        return true;
    if (!mapfile_keep(&publish->folder, file->name, &kept, err))
        return false;
    if (kept)
        publish_tell(publish, file->name, PUBLISH_KEPT);
    return true;
}

static bool write_file(struct publish *publish, const struct maps_file *file, struct err *err)
{
    enum mapfile_state map = MAPFILE_SAME;
    enum mapfile_state text =
        mapfile_compare(&publish->folder, file->name, file->mode, &file->content, err);
    if (text == MAPFILE_FAILED)
        return false;
    if (text == MAPFILE_SAME && publish_compiles(publish, file))
        map = publish_look_at_map(publish, file, err);
    if (text == MAPFILE_SAME && map == MAPFILE_SAME) {
        publish_tell(publish, file->name, PUBLISH_SAME);
        return true;
    }
    if (text == MAPFILE_OTHER && !publish_keep_foreign(publish, file, err))
        return false;
    if (!make(publish, file, text == MAPFILE_SAME, err))
        return false;
    publish->result->changed++;
    publish->result->reload = publish->result->reload || file->reload;
    return true;
}

bool publish_wanted(const struct publish *publish, const struct maps_file *file)
{
    return !file->if_there || (mapfile_exists(&publish->folder, file->name) &&
                               !mapfile_is_foreign(&publish->folder, file->name, heading_of(file)));
}

static bool do_file(struct publish *publish, const struct maps_file *file, struct err *err)
{
    if (!publish_wanted(publish, file))
        return true;
    return publish->options->check ? check_file(publish, file, err)
                                   : write_file(publish, file, err);
}

static bool is_listed(const struct maps *maps, const char *name)
{
    for (size_t i = 0; i < maps->count; i++)
        if (strcmp(maps->list[i].name, name) == 0)
            return true;
    return false;
}

/* relay_clients.OLD where there is a relay_clients.NEW. */
static bool is_sibling(const struct maps *maps, const char *name)
{
    static const char saved[] = MAPFILE_SAVED;
    const char *dot = strchr(name, '.'), *last = strrchr(name, '.');
    if (dot == NULL || dot == name || strcmp(last, saved) == 0)
        return false;
    size_t n = (size_t)(dot - name) + 1;
    for (size_t i = 0; i < maps->count; i++)
        if (strncmp(maps->list[i].name, name, n) == 0)
            return true;
    return false;
}

void publish_name_leftovers(const struct publish *publish, const struct maps *maps)
{
    DIR *dir = opendir(publish->folder.path);
    if (dir == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (is_sibling(maps, entry->d_name) && !is_listed(maps, entry->d_name))
            publish_tell(publish, entry->d_name, PUBLISH_LEFT_OVER);
    closedir(dir);
}

bool publish_open(const struct publish_options *options, struct publish_result *result,
                  struct publish *publish, struct err *err)
{
    *result = (struct publish_result){0};
    *publish = (struct publish){.options = options, .result = result, .folder = {.fd = -1}};
    publish->compile = (struct compile){.tool = options->tool,
                                        .compiler = options->compiler,
                                        .type = options->type,
                                        .mail_config = options->mail_config,
                                        .folder = options->folder,
                                        .seconds = PUBLISH_SECONDS,
                                        .until = options->until};
    CHECK(compile_type_ok(options->tool, options->type));
    return (options->compiler == NULL || compile_check(&publish->compile, err)) &&
           mapfile_open(options->folder, !options->check, &publish->folder, err);
}

bool publish_maps(const struct maps *maps, const struct publish_options *options,
                  struct publish_result *result_out, struct err *err)
{
    struct publish publish;
    bool ok = publish_open(options, result_out, &publish, err);
    for (size_t i = 0; ok && i < maps->count; i++)
        ok = do_file(&publish, &maps->list[i], err);
    if (ok)
        publish_name_leftovers(&publish, maps);
    mapfile_close(&publish.folder);
    return ok;
}
