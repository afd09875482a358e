/* logfiles.c - see logfiles.h. */
#include "milter/logfiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "milter/logentry.h"

/* Enough to find the first time in, and for the longest line. */
#define ROOM (2 * LOGFILES_LINE_MAX)
#define JOURNALCTL "journalctl"

struct source {
    char *name; /* owned */
    gzFile gz;
    pid_t child;   /* who writes it; 0: nobody */
    int64_t first; /* the first time in it; LOGENTRY_NO_TIME: none was found */
    size_t number; /* as it was named */
    bool ended, too_long;
    size_t at, n; /* of text */
    char text[ROOM];
};

struct logfiles {
    struct logentry_clock clock;
    struct source *sources[LOGFILES_MAX];
    size_t n, current;
    bool sorted;
    uint64_t passed_over;
};

struct logfiles *logfiles_new(int64_t now)
{
    struct logfiles *files = calloc(1, sizeof *files);

    if (files != NULL)
        files->clock.now = now;
    return files;
}

static void tell(struct problems *problems, const char *name, const char *text)
{
    problem_error(problems, (struct place){.file = name}, "%s", text);
}

/* --- one source ---------------------------------------------------------------------------- */

static void source_close(struct source *source)
{
    if (source == NULL)
        return;
    if (source->gz != NULL)
        (void)gzclose(source->gz);
    if (source->child > 0)
        while (waitpid(source->child, NULL, 0) < 0 && errno == EINTR)
            ;
    free(source->name);
    free(source);
}

/* Its writer has ended, too: how? */
static void check_child(struct source *source, struct problems *problems)
{
    int status = 0;
    pid_t child = source->child;

    source->child = 0;
    if (child <= 0)
        return;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        tell(problems, source->name, "it failed; there may be more in the journal");
}

static void on_end(struct source *source, int got, struct problems *problems)
{
    int code = Z_OK;
    const char *why = gzerror(source->gz, &code);

    source->ended = true;
    if (got < 0 || code == Z_BUF_ERROR)
        problem_error(problems, (struct place){.file = source->name},
                      "cannot be read to its end: %s",
                      code == Z_ERRNO       ? strerror(errno)
                      : code == Z_BUF_ERROR ? "it is cut"
                                            : why);
    check_child(source, problems);
}

/* More text behind that which is there; none at its end. */
static void fill(struct source *source, struct problems *problems)
{
    if (source->at > 0) {
        memmove(source->text, source->text + source->at, source->n - source->at);
        source->n -= source->at;
        source->at = 0;
    }
    if (source->ended || source->n == sizeof source->text)
        return;
    int got =
        gzread(source->gz, source->text + source->n, (unsigned)(sizeof source->text - source->n));
    if (got > 0)
        source->n += (size_t)got;
    else
        on_end(source, got, problems);
}

/* A whole line out of the text; false: there is none in it. */
static bool cut_line(struct source *source, struct slice *line_out)
{
    const char *begin = source->text + source->at;
    size_t left = source->n - source->at;
    const char *end = left > 0 ? memchr(begin, '\n', left) : NULL;

    if (end == NULL && !(source->ended && left > 0))
        return false;
    size_t n = end != NULL ? (size_t)(end - begin) : left;
    *line_out = (struct slice){begin, n};
    source->at += n + (end != NULL);
    return true;
}

/* The next line of at most LOGFILES_LINE_MAX bytes. */
static bool source_next(struct source *source, struct slice *line_out, uint64_t *passed_over,
                        struct problems *problems)
{
    for (;;) {
        if (cut_line(source, line_out)) {
            bool good = !source->too_long && line_out->n <= LOGFILES_LINE_MAX;
            *passed_over += !good;
            source->too_long = false;
            if (good)
                return true;
            continue;
        }
        if (source->ended)
            return false;
        if (source->n - source->at > LOGFILES_LINE_MAX) {
            source->too_long = true;
            source->at = source->n;
        }
        fill(source, problems);
    }
}

/* Looks at what can be seen of it without giving it away. */
static void find_first_time(struct source *source, struct logentry_clock *clock,
                            struct problems *problems)
{
    struct logentry entry;
    size_t at = 0;

    source->first = LOGENTRY_NO_TIME;
    fill(source, problems);
    while (source->first == LOGENTRY_NO_TIME && at < source->n) {
        const char *end = memchr(source->text + at, '\n', source->n - at);
        size_t n = end != NULL ? (size_t)(end - source->text) - at : source->n - at;
        if (logentry_parse((struct slice){source->text + at, n}, clock, &entry))
            source->first = entry.when;
        at += n + 1;
    }
}

/* fd is closed, too, where it fails. */
static void add_fd(struct logfiles *files, int fd, const char *name, pid_t child,
                   struct problems *problems)
{
    struct source *source = files->n < LOGFILES_MAX ? calloc(1, sizeof *source) : NULL;

    if (source != NULL) {
        source->name = strdup(name);
        source->gz = source->name != NULL ? gzdopen(fd, "rb") : NULL;
        source->child = child;
        source->number = files->n;
    }
    if (source == NULL || source->gz == NULL) {
        (void)close(fd);
        tell(problems, name, files->n < LOGFILES_MAX ? "out of memory" : "too many logs");
        source_close(source);
        return;
    }
    (void)gzbuffer(source->gz, 65536);
    files->sources[files->n++] = source;
}

void logfiles_add(struct logfiles *files, const char *path, struct problems *problems)
{
    bool input = strcmp(path, "-") == 0;
    struct stat st;
    int fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        problem_error(problems, (struct place){.file = path}, "cannot be read: %s",
                      strerror(errno));
        if (fd >= 0)
            (void)close(fd);
    } else if (S_ISDIR(st.st_mode)) {
        tell(problems, path, "is a folder");
        (void)close(fd);
    } else {
        add_fd(files, fd, input ? "standard input" : path, 0, problems);
    }
}

/* --- what logrotate leaves ------------------------------------------------------------------- */

/* ".1", ".2.gz", "-20261201", "-20261201-1.gz": behind the name of the log. */
static bool is_rotation(const char *suffix)
{
    size_t n = strlen(suffix);

    if (n > 3 && strcmp(suffix + n - 3, ".gz") == 0)
        n -= 3;
    if (n < 2 || (suffix[0] != '.' && suffix[0] != '-'))
        return false;
    for (size_t i = 1; i < n; i++) {
        if (!ascii_is_digit(suffix[i]) && suffix[i] != '-')
            return false;
    }
    return true;
}

static bool add_if_recent(struct logfiles *files, const char *path, int64_t since,
                          struct problems *problems)
{
    struct stat st;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    if ((int64_t)st.st_mtime >= since)
        logfiles_add(files, path, problems);
    return true;
}

bool logfiles_add_rotated(struct logfiles *files, const char *path, int64_t since,
                          struct problems *problems)
{
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    size_t n = strlen(base);
    struct strbuf name;
    struct dirent *entry;
    bool any = add_if_recent(files, path, since, problems);

    strbuf_init(&name);
    strbuf_add(&name, path, (size_t)(base - path));
    DIR *folder = opendir(name.n > 0 ? strbuf_text(&name) : ".");
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, base, n) != 0 || !is_rotation(entry->d_name + n))
            continue;
        strbuf_reset(&name);
        strbuf_add(&name, path, (size_t)(base - path));
        strbuf_puts(&name, entry->d_name);
        if (name.failed)
            tell(problems, path, "out of memory");
        else
            any = add_if_recent(files, strbuf_text(&name), since, problems) || any;
    }
    if (folder != NULL)
        (void)closedir(folder);
    strbuf_done(&name);
    return any;
}

/* --- the journal ----------------------------------------------------------------------------- */

/* The first of that name in PATH that may be run. */
static bool find_program(const char *name, struct strbuf *path_out)
{
    const char *path = getenv("PATH");

    for (const char *end; path != NULL; path = *end != '\0' ? end + 1 : NULL) {
        end = path + strcspn(path, ":");
        strbuf_reset(path_out);
        strbuf_add(path_out, path, (size_t)(end - path));
        strbuf_printf(path_out, "/%s", name);
        if (path[0] == '/' && !path_out->failed && access(strbuf_text(path_out), X_OK) == 0)
            return true;
    }
    return false;
}

static _Noreturn void become(const char *path, char *const *argv, int out)
{
    extern char **environ;

    if (dup2(out, STDOUT_FILENO) >= 0)
        (void)execve(path, argv, environ);
    _exit(127);
}

bool logfiles_add_journal(struct logfiles *files, int64_t since, struct problems *problems)
{
    char from[40];
    char *argv[] = {(char[]){JOURNALCTL},
                    (char[]){"--quiet"},
                    (char[]){"--no-pager"},
                    (char[]){"--output=short-iso-precise"},
                    (char[]){"--identifier=gatehoused"},
                    from,
                    NULL};
    struct strbuf path;
    int ends[2];

    strbuf_init(&path);
    bool found = find_program(JOURNALCTL, &path);
    snprintf(from, sizeof from, "--since=@%lld", (long long)since);
    if (found && pipe2(ends, O_CLOEXEC) != 0) {
        tell(problems, JOURNALCTL, strerror(errno));
    } else if (found) {
        pid_t child = fork();
        if (child == 0)
            become(strbuf_text(&path), argv, ends[1]);
        (void)close(ends[1]);
        if (child < 0) {
            tell(problems, JOURNALCTL, strerror(errno));
            (void)close(ends[0]);
        } else {
            add_fd(files, ends[0], JOURNALCTL, child, problems);
        }
    }
    strbuf_done(&path);
    return found;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int compare_sources(const void *a, const void *b)
{
    const struct source *left = *(struct source *const *)a, *right = *(struct source *const *)b;

    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return left->number < right->number ? -1 : 1;
}

static void sort_sources(struct logfiles *files, struct problems *problems)
{
    files->sorted = true;
    for (size_t i = 0; files->n > 1 && i < files->n; i++) {
        find_first_time(files->sources[i], &files->clock, problems);
        if (i > 0 && files->sources[i]->first == LOGENTRY_NO_TIME)
            files->sources[i]->first = files->sources[i - 1]->first;
    }
    qsort(files->sources, files->n, sizeof files->sources[0], compare_sources);
}

bool logfiles_next(struct logfiles *files, struct slice *line_out, struct problems *problems)
{
    if (!files->sorted)
        sort_sources(files, problems);
    for (; files->current < files->n; files->current++) {
        if (source_next(files->sources[files->current], line_out, &files->passed_over, problems))
            return true;
    }
    return false;
}

uint64_t logfiles_passed_over(const struct logfiles *files)
{
    return files->passed_over;
}

void logfiles_free(struct logfiles *files)
{
    if (files == NULL)
        return;
    for (size_t i = 0; i < files->n; i++)
        source_close(files->sources[i]);
    free(files);
}
