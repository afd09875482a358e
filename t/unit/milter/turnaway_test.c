/* turnaway_test.c - what an MTA is told that there is no descriptor for, bytes cut anywhere. */
#include "milter/turnaway.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* Version 6, all actions, all steps; macros of connect; connect. */
#define NEGOTIATE "\0\0\0\x0dO\0\0\0\x06\0\0\1\xff\0\x1f\xff\xff"
#define MACROS                                                                                     \
    "\0\0\0\x0c"                                                                                   \
    "DCj\0mx.test\0"
#define CONNECT                                                                                    \
    "\0\0\0\x1e"                                                                                   \
    "Clocalhost\0"                                                                                 \
    "4\x9c\x40"                                                                                    \
    "192.0.2.1\0......"

struct dialogue {
    struct strbuf said;
    bool over;
    size_t used;
};

/* All packets of in[0...n), as if they came in pieces of that size. */
static struct dialogue talk(const uint8_t *in, size_t n, size_t piece)
{
    struct dialogue dialogue = {.over = false};

    strbuf_init(&dialogue.said);
    for (size_t there = piece < n ? piece : n; !dialogue.over;
         there = there + piece < n ? there + piece : n) {
        size_t used;
        do {
            used = turnaway_answer(in + dialogue.used, there - dialogue.used, &dialogue.said,
                                   &dialogue.over);
            dialogue.used += used;
        } while (used > 0 && !dialogue.over);
        if (there == n)
            break;
    }
    return dialogue;
}

static void is_tempfailed(void **state)
{
    static const uint8_t in[] = NEGOTIATE MACROS CONNECT;
    static const char wanted[] = "\0\0\0\x0dO\0\0\0\x06\0\0\0\0\0\0\x03\x7e"
                                 "\0\0\0\x01t";
    (void)state;
    for (size_t piece = 1; piece < sizeof in; piece++) {
        struct dialogue dialogue = talk(in, sizeof in - 1, piece);
        assert_true(dialogue.over);
        assert_int_equal(dialogue.said.n, sizeof wanted - 1);
        assert_memory_equal(dialogue.said.p, wanted, sizeof wanted - 1);
        strbuf_done(&dialogue.said);
    }
}

/* An older MTA: nothing that it did not offer. */
static void agrees_to_what_is_offered(void **state)
{
    struct dialogue dialogue = talk(BYTES("\0\0\0\x0dO\0\0\0\x02\0\0\0\x3f\0\0\0\x7f"), 100);
    (void)state;
    assert_false(dialogue.over);
    assert_int_equal(dialogue.said.n, 17);
    assert_memory_equal(dialogue.said.p, "\0\0\0\x0dO\0\0\0\x02\0\0\0\0\0\0\0\x7e", 17);
    strbuf_done(&dialogue.said);
}

static void hangs_up_on_the_rest(void **state)
{
    static const struct {
        const uint8_t *in;
        size_t n;
    } cases[] = {
        {BYTES("\0\0\0\x01Q")},
        {BYTES("\0\0\0\0\0")},                  /* a packet without a command */
        {BYTES("\0\0\0\x05O\0\0\0\x06")},       /* too short an offer */
        {BYTES("\xff\xff\xff\xffO\0\0\0\x06")}, /* longer than any */
        {BYTES("\0\0\x20\x01O\0\0\0\x06")},     /* longer than we take */
        {BYTES("GET / HTTP/1.0\r\n")},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dialogue dialogue = talk(cases[i].in, cases[i].n, 1);
        assert_true(dialogue.over);
        assert_int_equal(dialogue.said.n, 0);
        strbuf_done(&dialogue.said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_tempfailed),
        cmocka_unit_test(agrees_to_what_is_offered),
        cmocka_unit_test(hangs_up_on_the_rest),
    };
    return cmocka_run_group_tests_name("turnaway", tests, NULL, NULL);
}
