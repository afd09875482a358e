/* lines_test.c - the line reader (lib/base/lines.h). */
#include "lib/base/lines.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define S(literal)                                                                                 \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static char path[] = "/tmp/lines_test.XXXXXX";

static void write_file(const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

/* All lines as "number:text|", and all problems. */
static void read_all(struct strbuf *out, struct problems *problems)
{
    struct slice line;
    struct lines *lines = lines_open(path, (struct place){.file = "here", .line = 1}, problems);
    assert_non_null(lines);
    while (lines_next(lines, &line)) {
        struct place at = lines_place(lines, 7);
        assert_ptr_equal(at.file, path);
        assert_int_equal(at.column, 7);
        strbuf_printf(out, "%u:", at.line);
        strbuf_add(out, line.p, line.n);
        strbuf_putc(out, '|');
    }
    assert_false(lines_next(lines, &line));
    lines_close(lines);
}

static void gives_lines_without_their_ends(void **state)
{
    (void)state;
    static const struct {
        struct slice file;
        const char *lines;
    } cases[] = {
        {S(""), ""},
        {S("\n"), "1:|"},
        {S("a"), "1:a|"},
        {S("a\n"), "1:a|"},
        {S("a\nb"), "1:a|2:b|"},
        {S("a\n\n\nb\n"), "1:a|2:|3:|4:b|"},
        {S("a\r\nb\r"), "1:a|2:b|"},
        {S("\r\n\r\n"), "1:|2:|"},
        {S("\xef\xbb\xbf"), "1:|"},
        {S("\xef\xbb\xbf"
           "a\n\xef\xbb\xbf"
           "b"),
         "1:a|2:\xef\xbb\xbf"
         "b|"},
        {S("\xef\xbb"), "1:\xef\xbb|"},
        {S("\ta \xe4\xff\n"), "1:\ta \xe4\xff|"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf out;
        struct problems problems;
        strbuf_init(&out);
        problems_init(&problems);
        write_file(cases[i].file.p, cases[i].file.n);
        read_all(&out, &problems);
        assert_string_equal(strbuf_text(&out), cases[i].lines);
        assert_int_equal(problems.count, 0);
        strbuf_done(&out);
    }
}

static void reports_and_skips_control_bytes(void **state)
{
    (void)state;
    static const struct {
        struct slice file;
        const char *lines;
        unsigned line, column, byte;
    } cases[] = {
        {S("a\0b\nc"), "2:c|", 1, 2, 0},    {S("a\nb\x7f"), "1:a|", 2, 2, 0x7f},
        {S("\x1b\nb"), "2:b|", 1, 1, 0x1b}, {S("a\rb\n"), "", 1, 2, 0x0d},
        {S("a\r\r\n"), "", 1, 2, 0x0d},     {S("\x01\x02\nb"), "2:b|", 1, 1, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct strbuf out;
        struct problems problems;
        char expected[200];
        strbuf_init(&out);
        problems_init(&problems);
        write_file(cases[i].file.p, cases[i].file.n);
        read_all(&out, &problems);
        assert_string_equal(strbuf_text(&out), cases[i].lines);
        snprintf(expected, sizeof expected, "%s:%u:%u: control byte 0x%02x; allowed: text and tabs",
                 path, cases[i].line, cases[i].column, cases[i].byte);
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.list[0].line, expected);
        problems_done(&problems);
        strbuf_done(&out);
    }
}

/* Around the size of the read buffer, where lines meet its end. */
static void lengths_do_not_matter(void **state)
{
    (void)state;
    static const size_t middles[] = {65536, 131072, 262144, 1000000};
    for (size_t i = 0; i < ARRAY_LEN(middles); i++) {
        for (size_t n = middles[i] - 3; n <= middles[i] + 3; n++) {
            struct problems problems;
            struct slice line;
            char *text = malloc(n + 10);
            assert_non_null(text);
            memset(text, 'a', n);
            memcpy(text + n, "\r\nb\nc\n", 6);
            write_file(text, n + 6);
            problems_init(&problems);
            struct lines *lines = lines_open(path, (struct place){0}, &problems);
            assert_non_null(lines);
            assert_true(lines_next(lines, &line));
            assert_int_equal(line.n, n);
            assert_memory_equal(line.p, text, n);
            assert_true(lines_next(lines, &line) && slice_is(line, "b"));
            assert_true(lines_next(lines, &line) && slice_is(line, "c"));
            assert_false(lines_next(lines, &line));
            lines_close(lines);
            free(text);
        }
    }
}

static void many_short_lines(void **state)
{
    (void)state;
    struct problems problems;
    struct slice line;
    char expected[20];
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100000; i++)
        fprintf(file, "%d\n", i);
    fclose(file);
    problems_init(&problems);
    struct lines *lines = lines_open(path, (struct place){0}, &problems);
    assert_non_null(lines);
    for (int i = 0; i < 100000; i++) {
        snprintf(expected, sizeof expected, "%d", i);
        assert_true(lines_next(lines, &line) && slice_is(line, expected));
    }
    assert_false(lines_next(lines, &line));
    assert_int_equal(lines_place(lines, 0).line, 100000);
    lines_close(lines);
}

static void check_open_fails(const char *name, const char *problem)
{
    struct problems problems;
    problems_init(&problems);
    assert_null(lines_open(name, (struct place){.file = "a.conf", .line = 9}, &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].line, problem);
    problems_done(&problems);
}

static void says_why_a_file_is_not_read(void **state)
{
    (void)state;
    check_open_fails("/nonexistent", "a.conf:9: cannot open /nonexistent: "
                                     "No such file or directory");
    check_open_fails("/tmp", "a.conf:9: cannot read /tmp: it is a folder, not a file");
    lines_close(NULL);
}

static void read_errors_are_problems(void **state)
{
    (void)state;
    struct problems problems;
    struct slice line;
    problems_init(&problems);
    /* Reading one's own memory at address 0 fails, opening it does not. */
    struct lines *lines = lines_open("/proc/self/mem", (struct place){0}, &problems);
    assert_non_null(lines);
    assert_false(lines_next(lines, &line));
    assert_false(lines_next(lines, &line));
    lines_close(lines);
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].line,
                        "/proc/self/mem:1: cannot read further: Input/output error");
    problems_done(&problems);
}

static void reads_pipes(void **state)
{
    (void)state;
    struct problems problems;
    struct slice line;
    char name[40];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "a\nb", 3), 3);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
    problems_init(&problems);
    struct lines *lines = lines_open_any(name, (struct place){0}, &problems);
    assert_non_null(lines);
    close(ends[1]);
    assert_true(lines_next(lines, &line) && slice_is(line, "a"));
    assert_true(lines_next(lines, &line) && slice_is(line, "b"));
    assert_false(lines_next(lines, &line));
    lines_close(lines);
    close(ends[0]);
}

static void comments_begin_outside_quotes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"#", ""},
        {"# x", ""},
        {"a # x", "a "},
        {"a\t#x", "a\t"},
        {"a#b", "a#b"},
        {"a#b #c", "a#b "},
        {"\"a # b\" # c", "\"a # b\" "},
        {"\"a \\\" # b\" # c", "\"a \\\" # b\" "},
        {"\"a\\\\\" # c", "\"a\\\\\" "},
        {"\"a # b", "\"a # b"},
        {"\\\" # c", "\\\" # c"},
        {"\"\\", "\"\\"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!slice_is(lines_strip_comment(slice_of(cases[i][0])), cases[i][1]))
            fail_msg("%s", cases[i][0]);
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_lines_without_their_ends),
        cmocka_unit_test(reports_and_skips_control_bytes),
        cmocka_unit_test(lengths_do_not_matter),
        cmocka_unit_test(many_short_lines),
        cmocka_unit_test(says_why_a_file_is_not_read),
        cmocka_unit_test(read_errors_are_problems),
        cmocka_unit_test(reads_pipes),
        cmocka_unit_test(comments_begin_outside_quotes),
    };
    return cmocka_run_group_tests_name("base/lines", tests, make_file, remove_file);
}
