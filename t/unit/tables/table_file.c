/* table_file.c - see table_file.h. */
#include "t/unit/tables/table_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

void table_file_new(struct table_file *file, struct slice content)
{
    const char *folder = getenv("TMPDIR");
    problems_init(&file->problems);
    strbuf_init(&file->text);
    int n = snprintf(file->path, sizeof file->path, "%s/table.XXXXXX",
                     folder != NULL && strlen(folder) < 40 ? folder : "/tmp");
    CHECK(n > 0 && (size_t)n < sizeof file->path);
    int fd = mkstemp(file->path);
    CHECK(fd >= 0);
    FILE *out = fdopen(fd, "w");
    CHECK(out != NULL);
    if (content.n > 0)
        CHECK(fwrite(content.p, 1, content.n, out) == content.n);
    CHECK(fclose(out) == 0);
}

void table_file_done(struct table_file *file)
{
    unlink(file->path);
    problems_done(&file->problems);
    strbuf_done(&file->text);
}

const char *table_file_problems(struct table_file *file)
{
    size_t n = strlen(file->path);
    strbuf_reset(&file->text);
    for (size_t i = 0; i < file->problems.count; i++) {
        const char *line = file->problems.list[i].line, *at;
        for (; (at = strstr(line, file->path)) != NULL; line = at + n)
            strbuf_printf(&file->text, "%.*sF", (int)(at - line), line);
        strbuf_printf(&file->text, "%s\n", line);
    }
    return strbuf_text(&file->text);
}

struct place table_file_named(void)
{
    return (struct place){.file = "gatehouse.conf", .line = 7};
}

static void read_lines(const struct table_line *lines, size_t n, bool good,
                       bool (*read)(struct table_file *file, struct strbuf *out))
{
    for (size_t i = 0; i < n; i++) {
        struct table_file file;
        struct strbuf out;
        strbuf_init(&out);
        print_message("# %s\n", lines[i].text);
        table_file_new(&file, slice_of(lines[i].text));
        assert_int_equal(read(&file, &out), good);
        assert_string_equal(table_file_problems(&file), good ? "" : lines[i].expected);
        assert_string_equal(strbuf_text(&out), good ? lines[i].expected : "");
        strbuf_done(&out);
        table_file_done(&file);
    }
}

void table_lines_good(const struct table_line *lines, size_t n,
                      bool (*read)(struct table_file *file, struct strbuf *out))
{
    read_lines(lines, n, true, read);
}

void table_lines_bad(const struct table_line *lines, size_t n,
                     bool (*read)(struct table_file *file, struct strbuf *out))
{
    read_lines(lines, n, false, read);
}

struct mailaddr table_address(const char *text, struct arena *arena)
{
    struct mailaddr addr;
    struct err err = {0};
    if (!mailaddr_parse(slice_of(text), MAILADDR_STRICT, true, arena, &addr, &err))
        fail_msg("%s: %s", text, err.text);
    return addr;
}
