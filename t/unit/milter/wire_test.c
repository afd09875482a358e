/* wire_test.c - requests and replies of the control socket, right and wrong. */
#include "milter/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static bool parse(const char *text, size_t n, struct wire_request *request, struct err *err)
{
    static char line[WIRE_REQUEST_MAX + 2];

    memcpy(line, text, n);
    line[n] = '\n';
    return wire_parse_request(line, n, request, err);
}

static void round_trips(void **state)
{
    static const struct {
        const char *words[WIRE_WORDS_MAX];
        size_t n;
    } cases[] = {
        {{"reload"}, 1},
        {{"block", "192.0.2.7", "", "BLOCKED"}, 4},
        {{"", ""}, 2},
        {{"block", ".m\xc3\xbcnchen.example", "a b \"c\" %s"}, 3},
        {{"1", "2", "3", "4", "5", "6", "7", "8"}, 8},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_request request;
        struct strbuf out;
        struct err err = {0};
        strbuf_init(&out);
        assert_true(wire_print_request(cases[i].words, cases[i].n, &out, &err));
        assert_int_equal(out.p[out.n - 1], '\n');
        assert_true(parse(out.p, out.n - 1, &request, &err));
        assert_int_equal(request.nwords, cases[i].n);
        for (size_t k = 0; k < cases[i].n; k++)
            assert_string_equal(request.words[k], cases[i].words[k]);
        strbuf_done(&out);
    }
}

static void refuses_requests(void **state)
{
    static const struct {
        const char *line;
        size_t n;
        const char *want;
    } cases[] = {
        {"", 0, "not a request"},
        {"gatehouse-1", 11, "no verb"},
        {"gatehouse-2\treload", 18, "not a request"},
        {"gatehouse-1 reload", 18, "not a request"},
        {"GET / HTTP/1.1\r", 15, "not a request"},
        {"\tgatehouse-1\treload", 19, "not a request"},
        {"gatehouse-1\trel\0ad", 18, "control bytes"},
        {"gatehouse-1\treload\r", 19, "control bytes"},
        {"gatehouse-1\treload\t\x1b[0m", 23, "control bytes"},
        {"gatehouse-1\tblock\t\xff", 19, "not UTF-8"},
        {"gatehouse-1\t1\t2\t3\t4\t5\t6\t7\t8\t9", 29, "more than 8 words"},
        {"gatehouse-1\t1\t2\t3\t4\t5\t6\t7\t8\t", 28, "more than 8 words"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_request request;
        struct err err = {0};
        assert_false(parse(cases[i].line, cases[i].n, &request, &err));
        assert_non_null(strstr(err.text, cases[i].want));
    }
}

static void prints_only_what_can_be_parsed(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\tb", "a\nb", "\x7f", "\xff"};
    static char longest[WIRE_REQUEST_MAX];
    const char *nine[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"}, *one[] = {longest};
    struct strbuf out;
    struct err err = {0};

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        strbuf_init(&out);
        assert_false(wire_print_request(&bad[i], 1, &out, &err));
        strbuf_done(&out);
    }
    strbuf_init(&out);
    assert_false(wire_print_request(nine, 9, &out, &err));
    strbuf_done(&out);
    for (size_t n = WIRE_REQUEST_MAX - 14; n <= WIRE_REQUEST_MAX - 12; n++) {
        memset(longest, 'x', n);
        longest[n] = '\0';
        strbuf_init(&out);
        assert_int_equal(wire_print_request(one, 1, &out, &err), n <= WIRE_REQUEST_MAX - 13);
        strbuf_done(&out);
    }
}

static void heads(void **state)
{
    static const struct {
        const char *line;
        bool good;
        enum wire_status status;
        size_t length;
    } cases[] = {
        {"gatehouse-1\t0\t0", true, WIRE_YES, 0},
        {"gatehouse-1\t1\t17", true, WIRE_NO, 17},
        {"gatehouse-1\t3\t268435456", true, WIRE_UNREACHABLE, WIRE_REPLY_MAX},
        {"gatehouse-1\t3\t268435457", false, 0, 0},
        {"gatehouse-1\t4\t0", false, 0, 0},
        {"gatehouse-1\t-1\t0", false, 0, 0},
        {"gatehouse-1\t0\t", false, 0, 0},
        {"gatehouse-1\t\t0", false, 0, 0},
        {"gatehouse-1\t0", false, 0, 0},
        {"gatehouse-1", false, 0, 0},
        {"gatehouse-2\t0\t0", false, 0, 0},
        {"gatehouse-1\t0\t0\t0", false, 0, 0},
        {"HTTP/1.1 400 Bad", false, 0, 0},
        {"", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum wire_status status;
        size_t length;
        assert_int_equal(wire_parse_head(slice_of(cases[i].line), &status, &length), cases[i].good);
        if (!cases[i].good)
            continue;
        char head[WIRE_HEAD_MAX];
        assert_int_equal(status, cases[i].status);
        assert_int_equal(length, cases[i].length);
        size_t n = wire_print_head(status, length, head);
        assert_int_equal(n, strlen(cases[i].line) + 1);
        assert_memory_equal(head, cases[i].line, n - 1);
        assert_int_equal(head[n - 1], '\n');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(refuses_requests),
        cmocka_unit_test(prints_only_what_can_be_parsed),
        cmocka_unit_test(heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
