#include "milter/import.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/mta/mapfile.h"
#include "lib/tables/hat_text.h"
#include "milter/guard.h"
#include "milter/registry.h"

#define TABLE_MAX ((size_t)1024 * 1024 * 1024) /* bytes; /dev/zero ends here */
#define NEW_MODE 0644u                         /* of a table that was not there */

struct job {
    const struct import *import;
    const struct command *command;
    const char *conf;
    char target[PATH_MAX]; /* as the configuration has it */
    char folder[PATH_MAX], name[NAME_MAX + 1];
    char staged[MAPFILE_NAME_MAX], staged_path[PATH_MAX + MAPFILE_NAME_MAX];
};

static bool say(const struct job *job, const char *what)
{
    fprintf(stderr, "gatehousectl %s: %s\n", job->command->name, what);
    return false;
}

/* --- where it goes --------------------------------------------------------------------- */

/* Mistakes elsewhere do not matter yet: the new table may be what mends them. */
static bool read_target(struct job *job)
{
    const struct import *import = job->import;
    struct problems problems;
    char what[400];
    const char *path = "";

    problems_init(&problems);
    struct conf *conf = conf_read_anyway(job->conf, registry, registry_count, &problems);
    const struct conf_section *section =
        conf != NULL ? conf_find(conf, import->section, import->name) : NULL;
    if (conf == NULL)
        problems_print(&problems, stderr);
    problems_done(&problems);
    if (section != NULL) {
        size_t row = key_find(section->type->rows, *section->type->nrows, slice_of(import->key));
        path = *(const char *const *)((char *)section->values + section->type->rows[row].offset);
    }
    snprintf(job->target, sizeof job->target, "%s", path);
    bool found = section != NULL, given = path[0] != '\0' && strlen(path) < sizeof job->target;
    bool read = conf != NULL;
    conf_free(conf);
    if (!read || (found && given))
        return read;
    snprintf(what, sizeof what,
             found ? "[%s%s%s] has no key %s, so there is no file to replace"
                   : "there is no [%s%s%s]",
             import->section, import->name[0] != '\0' ? " " : "", import->name, import->key);
    return say(job, what);
}

/* A symbolic link stays one: what it leads to is replaced. */
static bool split_target(struct job *job)
{
    char real[PATH_MAX];
    struct err err;
    const char *path = realpath(job->target, real) != NULL ? real : job->target;
    const char *slash = strrchr(path, '/');
    size_t n = slash != NULL ? (size_t)(slash - path) : 0;

    if (slash == NULL || strlen(slash + 1) >= sizeof job->name)
        return say(job, "the name of the table's file is too long");
    snprintf(job->folder, sizeof job->folder, "%.*s", n > 0 ? (int)n : 1, path);
    snprintf(job->name, sizeof job->name, "%s", slash + 1);
    if (!mapfile_staged_name(job->name, job->staged, &err))
        return say(job, err.text);
    int length =
        snprintf(job->staged_path, sizeof job->staged_path, "%s/%s", job->folder, job->staged);
    CHECK(length > 0 && (size_t)length < sizeof job->staged_path);
    return true;
}

/* --- what goes there --------------------------------------------------------------------- */

static bool read_all(int fd, struct strbuf *out)
{
    char chunk[65536];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n > 0)
            strbuf_add(out, chunk, (size_t)n);
        else
            return false;
        if (out->failed || out->n > TABLE_MAX) {
            errno = out->failed ? ENOMEM : EFBIG;
            return false;
        }
    }
    return true;
}

static bool read_table(const struct job *job, struct strbuf *out)
{
    const char *file = job->import->file;
    bool standard = strcmp(file, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct err err;

    bool good = fd >= 0 && read_all(fd, out);
    if (!good)
        err_system(&err, errno, "cannot read %s", standard ? "standard input" : file);
    if (fd >= 0 && !standard)
        close(fd);
    return good || say(job, err.text);
}

/* --- checking ------------------------------------------------------------------------------ */

/* Problems of the staged file are those of the one it was copied from. */
static void print_problems(const struct job *job, const struct problems *problems)
{
    const char *shown = strcmp(job->import->file, "-") == 0 ? "stdin" : job->import->file;
    size_t n = strlen(job->staged_path);

    for (size_t i = 0; i < problems->count; i++) {
        const char *line = problems->list[i].line, *at;
        for (; (at = strstr(line, job->staged_path)) != NULL; line = at + n)
            fprintf(stderr, "%.*s%s", (int)(at - line), line, shown);
        fprintf(stderr, "%s\n", line);
    }
    if (problems->lost)
        say(job, "out of memory: not all problems are shown");
}

/* What the guard would say at the next reload. Where the present table is broken
 * there is nothing to compare with. */
static bool is_safe(const struct job *job, const struct snapshot *next, struct problems *problems)
{
    struct problems present;

    problems_init(&present);
    struct snapshot *now = snapshot_build(job->conf, &present);
    problems_done(&present);
    bool safe = now == NULL || guard_snapshots(NULL, now, next, problems);
    snapshot_drop(now);
    if (safe || job->import->force)
        return true;
    problem_error(problems, (struct place){0},
                  "if this is meant: gatehousectl %s --force, or [gatehouse] reload_guard",
                  job->command->name);
    return false;
}

/* Does all act that looks like a restriction? Elsewhere than in sender groups nothing is
 * kept that does not. */
static bool is_understood(const struct job *job, const struct snapshot *next,
                          struct problems *problems)
{
    const struct import *import = job->import;
    const struct listener *listener = NULL;
    size_t errors = problems_errors(problems);

    if (!import->force && strcmp(import->key, "hat") == 0)
        listener = listener_named(&next->listeners, import->name);
    if (listener != NULL)
        hat_text_refuse_unknown(listener->hat, problems);
    if (problems_errors(problems) == errors)
        return true;
    problem_error(problems, (struct place){0}, "if this is meant: gatehousectl %s --force",
                  job->command->name);
    return false;
}

static bool check(const struct job *job)
{
    struct snapshot_substitute substitute = {job->target, job->staged_path};
    struct problems problems;

    problems_init(&problems);
    struct snapshot *next = snapshot_build_with(job->conf, &substitute, &problems);
    bool good = next != NULL && is_understood(job, next, &problems);
    good = good && is_safe(job, next, &problems);
    print_problems(job, &problems);
    problems_done(&problems);
    snapshot_drop(next);
    return good;
}

static bool replace(const struct job *job, const struct mapfile_folder *folder,
                    const struct strbuf *content)
{
    struct err err = {0};

    if (!mapfile_stage(folder, job->name, NEW_MODE, content, &err))
        return say(job, err.text);
    bool good = check(job);
    if (good && (!mapfile_take_after(folder, job->staged, job->name, &err) ||
                 !mapfile_commit(folder, job->staged, job->name, &err)))
        good = say(job, err.text);
    if (!good)
        mapfile_discard(folder, job->staged);
    return good;
}

int import_table(const struct import *import, const struct command *command, const char *conf)
{
    struct job job = {.import = import, .command = command, .conf = conf};
    struct mapfile_folder folder = {.fd = -1};
    struct strbuf content;
    struct err err;
    bool good = false;

    strbuf_init(&content);
    if (!read_target(&job) || !split_target(&job) || !read_table(&job, &content))
        goto out;
    good = mapfile_open(job.folder, true, &folder, &err) || say(&job, err.text);
    good = good && replace(&job, &folder, &content);
    if (good)
        printf("%s: replaced; gatehousectl reload puts it into effect\n", job.target);
out:
    mapfile_close(&folder);
    strbuf_done(&content);
    return good ? COMMAND_YES : COMMAND_NO;
}
