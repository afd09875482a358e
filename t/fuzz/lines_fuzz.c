/* lines_fuzz.c - the line reader, from a file in memory. */
#include "lib/base/lines.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct slice line)
{
    for (size_t i = 0; i < line.n; i++)
        CHECK(!ascii_is_control(line.p[i]) || line.p[i] == '\t');
    struct slice kept = lines_strip_comment(line);
    CHECK(kept.n <= line.n && kept.p == line.p);
    CHECK(kept.n == line.n || line.p[kept.n] == '#');
}

static size_t count_lines(const uint8_t *data, size_t size)
{
    size_t n = size > 0 && data[size - 1] != '\n';
    for (size_t i = 0; i < size; i++)
        n += data[i] == '\n';
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems;
    struct slice line;
    char path[40];
    size_t given = 0;
    int fd = memfd_create("lines", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    problems_init(&problems);
    struct lines *lines = lines_open(path, (struct place){0}, &problems);
    CHECK(lines);
    while (lines_next(lines, &line)) {
        check_line(line);
        given++;
    }
    CHECK(lines_place(lines, 0).line == count_lines(data, size));
    CHECK(given + problems.count == count_lines(data, size));
    lines_close(lines);
    problems_done(&problems);
    close(fd);
    return 0;
}
