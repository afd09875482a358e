#include "lib/mta/swap.h"

#include <string.h>

#include "lib/mta/publish_inner.h"

#define UNTOLD ".untold"                     /* a file that says so by being there */
#define LIST_MAX ((size_t)256 * 1024 * 1024) /* bytes of what an lmdb holds */

/* A file on its way, and what to undo. */
struct moved {
    const struct maps_file *file;
    bool changes;
    bool compiles;
    bool had_text, had_map, had_list; /* a copy is kept */
    bool kept;                        /* copies are ours */
    bool touched;                     /* from now on there is something to put back */
    bool stuck;                       /* it could not be put back: the copies stay */
    char staged[MAPFILE_NAME_MAX], staged_map[MAPFILE_NAME_MAX];
    char old[MAPFILE_NAME_MAX], old_map[MAPFILE_NAME_MAX];
    char map[MAPFILE_NAME_MAX];       /* compiled, in place */
    char list[MAPFILE_NAME_MAX + 16]; /* ".NAME.list.new" */
    char list_name[MAPFILE_NAME_MAX];
};

struct swap {
    struct publish publish;
    struct publish_result result;
    const struct maps *maps;
    struct moved *moved; /* owned, one a file */
    bool untold;         /* by a run before */
    bool placed;         /* all of it: copies of whatever run are of no use any more */
};

static struct mapfile_folder *folder_of(struct swap *swap)
{
    return &swap->publish.folder;
}

static bool in_place(const struct swap *swap)
{
    return compile_in_place(swap->publish.compile.type);
}

/* --- stage ------------------------------------------------------------------------ */

static bool name_one(const struct swap *swap, struct moved *moved, struct err *err)
{
    const char *name = moved->file->name;
    int n = snprintf(moved->old, sizeof moved->old, ".%s.old", name);
    int m = snprintf(moved->list_name, sizeof moved->list_name, "%s.list", name);
    if (n < 0 || (size_t)n >= sizeof moved->old || m < 0 || (size_t)m >= sizeof moved->list_name)
        return err_set(err, ERR_RANGE, "the file name %s is too long", name);
    return mapfile_staged_name(name, moved->staged, err) &&
           mapfile_staged_name(moved->list_name, moved->list, err) &&
           publish_map_name(&swap->publish, name, moved->map, err) &&
           publish_map_name(&swap->publish, moved->staged, moved->staged_map, err) &&
           publish_map_name(&swap->publish, moved->old, moved->old_map, err);
}

/* What a run that was killed may have left. */
static void discard_staged(struct swap *swap, const struct moved *moved)
{
    mapfile_discard(folder_of(swap), moved->staged);
    mapfile_discard(folder_of(swap), moved->staged_map);
}

static void discard_copies(struct swap *swap, const struct moved *moved)
{
    mapfile_discard(folder_of(swap), moved->old);
    mapfile_discard(folder_of(swap), moved->old_map);
    mapfile_discard(folder_of(swap), moved->list);
}

/* false: err. */
static bool look(struct swap *swap, struct moved *moved, struct err *err)
{
    const struct maps_file *file = moved->file;
    enum mapfile_state map = MAPFILE_SAME;
    enum mapfile_state text =
        mapfile_compare(folder_of(swap), file->name, file->mode, &file->content, err);

    if (text == MAPFILE_SAME && moved->compiles)
        map = publish_look_at_map(&swap->publish, file, err);
    moved->changes = text != MAPFILE_SAME || map != MAPFILE_SAME;
    return text != MAPFILE_FAILED && map != MAPFILE_FAILED;
}

/* An lmdb is compiled here, too, though it will be compiled again where it belongs: what is wrong
 * with disk or compiler shall show before anything is changed. */
static bool compile_staged(struct swap *swap, struct moved *moved, struct err *err)
{
    const struct maps_file *file = moved->file;

    if (!compile_map(&swap->publish.compile, moved->staged, err) ||
        !mapfile_settle(folder_of(swap), moved->staged_map, file->mode, err) ||
        !publish_prove(&swap->publish, moved->staged, file, err))
        return false;
    if (in_place(swap))
        mapfile_discard(folder_of(swap), moved->staged_map);
    return true;
}

static bool stage_one(struct swap *swap, struct moved *moved, struct err *err)
{
    const struct maps_file *file = moved->file;

    moved->compiles = publish_compiles(&swap->publish, file);
    if (!name_one(swap, moved, err))
        return false;
    discard_staged(swap, moved);
    if (!publish_wanted(&swap->publish, file))
        return true;
    if (!look(swap, moved, err) || !moved->changes)
        return !moved->changes && err->kind == ERR_NONE;
    if (!mapfile_stage(folder_of(swap), file->name, file->mode, &file->content, err))
        return false;
    publish_tell(&swap->publish, file->name, PUBLISH_WRITTEN);
    if (moved->compiles && !compile_staged(swap, moved, err))
        return false;
    swap->result.changed++;
    swap->result.reload = swap->result.reload || file->reload;
    return true;
}

static bool stage_all(struct swap *swap, struct err *err)
{
    for (size_t i = 0; i < swap->maps->count; i++) {
        swap->moved[i].file = &swap->maps->list[i];
        if (!stage_one(swap, &swap->moved[i], err))
            return false;
    }
    return true;
}

struct swap *swap_stage(const struct maps *maps, const struct publish_options *options,
                        struct err *err)
{
    struct swap *swap = calloc(1, sizeof *swap);

    *err = (struct err){0};
    if (swap != NULL)
        swap->moved = calloc(maps->count + 1, sizeof *swap->moved);
    if (swap == NULL || swap->moved == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        free(swap);
        return NULL;
    }
    swap->maps = maps;
    if (publish_open(options, &swap->result, &swap->publish, err) && stage_all(swap, err)) {
        swap->untold = mapfile_exists(folder_of(swap), UNTOLD);
        return swap;
    }
    swap_end(swap);
    return NULL;
}

/* --- place ------------------------------------------------------------------------- */

/* What an lmdb holds now; one that cannot be read is not worth keeping. */
static bool keep_list(struct swap *swap, struct moved *moved, struct err *err)
{
    struct err trouble = {0};
    struct strbuf listed;

    strbuf_init(&listed);
    bool readable =
        compile_list(&swap->publish.compile, moved->file->name, LIST_MAX, &listed, &trouble);
    bool ok = readable || (trouble.kind == ERR_PEER);
    if (!ok)
        *err = trouble;
    if (readable)
        ok = moved->had_list =
            mapfile_stage(folder_of(swap), moved->list_name, moved->file->mode, &listed, err);
    strbuf_done(&listed);
    return ok;
}

static bool keep_copies(struct swap *swap, struct moved *moved, struct err *err)
{
    discard_copies(swap, moved);
    moved->kept = true;
    if (!mapfile_copy(folder_of(swap), moved->file->name, moved->old, &moved->had_text, err))
        return false;
    if (!moved->compiles)
        return true;
    if (!in_place(swap))
        return mapfile_copy(folder_of(swap), moved->map, moved->old_map, &moved->had_map, err);
    moved->had_map = mapfile_exists(folder_of(swap), moved->map);
    return !moved->had_map || keep_list(swap, moved, err);
}

static bool compile_placed(struct swap *swap, const struct moved *moved, struct err *err)
{
    const struct maps_file *file = moved->file;

    return compile_map(&swap->publish.compile, file->name, err) &&
           mapfile_settle(folder_of(swap), moved->map, file->mode, err) &&
           publish_prove(&swap->publish, file->name, file, err);
}

/* A map that is renamed goes before its text: should we end between, the MTA has a whole one, and
 * the text, being the old one, brings the next run here again. */
static bool place_one(struct swap *swap, struct moved *moved, struct err *err)
{
    const char *name = moved->file->name;
    bool beside = moved->compiles && !in_place(swap);

    if (!publish_keep_foreign(&swap->publish, moved->file, err) || !keep_copies(swap, moved, err))
        return false;
    moved->touched = true;
    if (beside && !mapfile_commit(folder_of(swap), moved->staged_map, moved->map, err))
        return false;
    if (!mapfile_commit(folder_of(swap), moved->staged, name, err))
        return false;
    publish_tell(&swap->publish, name, PUBLISH_RENAMED);
    if (!moved->compiles)
        return true;
    if (!beside && !compile_placed(swap, moved, err))
        return false;
    publish_tell(&swap->publish, name, PUBLISH_VERIFIED);
    return true;
}

static bool note_untold(struct swap *swap, struct err *err)
{
    static const struct strbuf nothing = {.p = NULL};
    char staged[MAPFILE_NAME_MAX];

    return swap->untold || !swap->result.reload ||
           (mapfile_staged_name(UNTOLD, staged, err) &&
            mapfile_stage(folder_of(swap), UNTOLD, MAPS_MODE, &nothing, err) &&
            mapfile_commit(folder_of(swap), staged, UNTOLD, err));
}

bool swap_place(struct swap *swap, struct err *err)
{
    bool ok = note_untold(swap, err);

    for (size_t i = 0; ok && i < swap->maps->count; i++)
        ok = !swap->moved[i].changes || place_one(swap, &swap->moved[i], err);
    swap->placed = ok;
    if (ok) {
        publish_name_leftovers(&swap->publish, swap->maps);
        return true;
    }
    struct err worse = {0}, first = *err;
    if (!swap_undo(swap, &worse))
        err_set(err, worse.kind, "%s; and %s", first.text, worse.text);
    return false;
}

/* --- undo --------------------------------------------------------------------------- */

/* Give name what its copy holds; where there is none there was no such file. */
static bool put_back(struct swap *swap, bool had, const char *copy, const char *name,
                     struct err *err)
{
    if (had)
        return mapfile_commit(folder_of(swap), copy, name, err);
    mapfile_discard(folder_of(swap), name);
    return true;
}

/* Those who have an lmdb open go on reading the file they opened: it is written again as it was. */
static bool put_back_in_place(struct swap *swap, struct moved *moved, struct err *err)
{
    const char *name = moved->file->name;
    bool ok = true;

    if (moved->had_list)
        ok = mapfile_commit(folder_of(swap), moved->list, name, err) &&
             compile_map(&swap->publish.compile, name, err) &&
             mapfile_settle(folder_of(swap), moved->map, moved->file->mode, err);
    else
        mapfile_discard(folder_of(swap), moved->map);
    return put_back(swap, moved->had_text, moved->old, name, err) && ok;
}

static bool undo_one(struct swap *swap, struct moved *moved, struct err *err)
{
    struct err trouble = {0};
    bool ok = true;

    moved->touched = false;
    if (moved->compiles && in_place(swap))
        ok = put_back_in_place(swap, moved, &trouble);
    else {
        if (moved->compiles)
            ok = put_back(swap, moved->had_map, moved->old_map, moved->map, &trouble);
        ok = put_back(swap, moved->had_text, moved->old, moved->file->name, &trouble) && ok;
    }
    moved->stuck = !ok;
    return ok || err_set(err, trouble.kind, "%s could not be put back: %s", moved->file->name,
                         trouble.text);
}

bool swap_undo(struct swap *swap, struct err *err)
{
    struct err trouble = {0};
    bool ok = true;

    swap->placed = false;
    swap->publish.compile.until = mono_now() + MONO_SECONDS(SWAP_UNDO_SECONDS);
    for (size_t i = swap->maps->count; i-- > 0;)
        if (swap->moved[i].touched && !undo_one(swap, &swap->moved[i], ok ? err : &trouble))
            ok = false;
    if (ok && !swap->untold)
        mapfile_discard(folder_of(swap), UNTOLD);
    return ok;
}

/* --- end ------------------------------------------------------------------------------ */

size_t swap_changed(const struct swap *swap)
{
    return swap->result.changed;
}

bool swap_reload(const struct swap *swap)
{
    return swap->result.reload || swap->untold;
}

void swap_told(struct swap *swap)
{
    mapfile_discard(folder_of(swap), UNTOLD);
}

void swap_end(struct swap *swap)
{
    if (swap == NULL)
        return;
    for (size_t i = 0; folder_of(swap)->fd >= 0 && i < swap->maps->count; i++) {
        if (swap->moved[i].staged[0] == '\0')
            continue; /* it did not come so far */
        discard_staged(swap, &swap->moved[i]);
        if (swap->placed || (swap->moved[i].kept && !swap->moved[i].stuck))
            discard_copies(swap, &swap->moved[i]);
    }
    mapfile_close(folder_of(swap));
    free(swap->moved);
    free(swap);
}
