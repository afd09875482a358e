/* lines.c - see lines.h. */
#include "lib/base/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/regular.h"

#define CHUNK 65536
/* A million addresses in one list fit easily; /dev/zero ends here. */
#define LINE_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct lines {
    const char *path; /* borrowed */
    struct problems *problems;
    int fd;
    bool at_end;
    unsigned line;
    char *p; /* what was read: [from, to) is not yet given out */
    size_t from, to, room;
};

static atomic_bool all_ended;

void lines_end_all(void)
{
    atomic_store(&all_ended, true);
}

bool lines_ended(void)
{
    return atomic_load(&all_ended);
}

static struct lines *adopt(int fd, const char *path, struct place at, struct problems *problems)
{
    struct stat st;
    struct lines *lines = NULL;
    if (fd < 0 || fstat(fd, &st) != 0) {
        problem_error(problems, at, "cannot open %s: %s", path, strerror(errno));
        goto out;
    }
    if (S_ISDIR(st.st_mode)) {
        problem_error(problems, at, "cannot read %s: it is a folder, not a file", path);
        goto out;
    }
    lines = calloc(1, sizeof *lines);
    if (!lines) {
        problem_error(problems, at, "cannot read %s: out of memory", path);
        goto out;
    }
    lines->path = path;
    lines->problems = problems;
    lines->fd = fd;
    fd = -1;
out:
    if (fd >= 0)
        close(fd);
    return lines;
}

struct lines *lines_open(const char *path, struct place at, struct problems *problems)
{
    struct err err;
    int fd = regular_open(path, &err);
    if (fd >= 0)
        return adopt(fd, path, at, problems);
    problem_error(problems, at, "%s", err.text);
    return NULL;
}

struct lines *lines_open_any(const char *path, struct place at, struct problems *problems)
{
    return adopt(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), path, at, problems);
}

struct lines *lines_open_fd(int fd, const char *name, struct problems *problems)
{
    return adopt(fd, name, (struct place){0}, problems);
}

void lines_close(struct lines *lines)
{
    if (!lines)
        return;
    close(lines->fd);
    free(lines->p);
    free(lines);
}

struct place lines_place(const struct lines *lines, unsigned column)
{
    return (struct place){.file = lines->path, .line = lines->line, .column = column};
}

/* Give up on the file: a problem at the line being read. */
static bool stop(struct lines *lines, const char *why)
{
    struct place at = lines_place(lines, 0);
    at.line++;
    problem_error(lines->problems, at, "cannot read further: %s", why);
    lines->at_end = true;
    lines->from = lines->to = 0;
    return false;
}

/* Room for one more chunk behind what is not yet given out. */
static bool make_room(struct lines *lines)
{
    if (lines->from > 0) {
        memmove(lines->p, lines->p + lines->from, lines->to - lines->from);
        lines->to -= lines->from;
        lines->from = 0;
    }
    if (lines->to > LINE_BYTES_MAX)
        return stop(lines, "the line is longer than 256 MiB");
    if (lines->room - lines->to >= CHUNK)
        return true;
    size_t room = lines->room ? lines->room * 2 : (size_t)2 * CHUNK;
    char *p = realloc(lines->p, room);
    if (!p)
        return stop(lines, "out of memory");
    lines->p = p;
    lines->room = room;
    return true;
}

static bool read_chunk(struct lines *lines)
{
    ssize_t n;
    if (!make_room(lines))
        return false;
    do {
        n = read(lines->fd, lines->p + lines->to, CHUNK);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return stop(lines, strerror(errno));
    if (lines_ended())
        return stop(lines, "the program is ending");
    lines->at_end = n == 0;
    lines->to += (size_t)n;
    return true;
}

/* The next line as it stands in the file, without '\n'. */
static bool raw_line(struct lines *lines, struct slice *line_out)
{
    size_t looked = 0;
    const char *end = NULL;
    for (;;) {
        size_t n = lines->to - lines->from;
        end = n > looked ? memchr(lines->p + lines->from + looked, '\n', n - looked) : NULL;
        if (end || lines->at_end)
            break;
        looked = n;
        if (!read_chunk(lines))
            return false;
    }
    if (!end && lines->from == lines->to)
        return false;
    line_out->p = lines->p + lines->from;
    line_out->n = end ? (size_t)(end - line_out->p) : lines->to - lines->from;
    lines->from += line_out->n + (end ? 1 : 0);
    lines->line++;
    return true;
}

static struct slice without_frame(struct slice line, bool first)
{
    if (first && line.n >= 3 && memcmp(line.p, "\xef\xbb\xbf", 3) == 0) {
        line.p += 3;
        line.n -= 3;
    }
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

size_t lines_control_byte(struct slice line)
{
    size_t i = 0;
    while (i < line.n && (!ascii_is_control(line.p[i]) || line.p[i] == '\t'))
        i++;
    return i;
}

bool lines_next_any(struct lines *lines, struct slice *line_out)
{
    if (!raw_line(lines, line_out))
        return false;
    *line_out = without_frame(*line_out, lines->line == 1);
    return true;
}

bool lines_next(struct lines *lines, struct slice *line_out)
{
    while (lines_next_any(lines, line_out)) {
        size_t bad = lines_control_byte(*line_out);
        if (bad == line_out->n)
            return true;
        problem_error(lines->problems, lines_place(lines, (unsigned)bad + 1),
                      "control byte 0x%02x; allowed: text and tabs",
                      (unsigned)(unsigned char)line_out->p[bad]);
    }
    return false;
}

struct slice lines_strip_comment(struct slice line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        if (quoted && c == '\\')
            i++; /* the next character is quoted, be it '"' */
        else if (c == '"')
            quoted = !quoted;
        else if (c == '#' && !quoted && (i == 0 || ascii_is_space(line.p[i - 1])))
            return (struct slice){line.p, i};
    }
    return line;
}
