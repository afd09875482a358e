/* reply_test.c - replies libmilter and the MTAs take as they are (milter/reply.h). */
#include "milter/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/escape.h"
#include "t/unit/dice.h"

#define LONG_MAX_BYTES 3000

static struct reply reply_with(const char *text)
{
    struct verdict verdict;
    struct reply reply;
    verdict_set(&verdict, REASON_HAT_REJECTED);
    verdict.text = text;
    memset(&reply, 0x5a, sizeof reply);
    reply_make(&verdict, false, &reply);
    return reply;
}

/* What every reply must be, and of what text it is the beginning: all of it, or
 * so much that one more character would not have fitted. */
static void holds(const struct reply *reply, const char *text)
{
    char whole[LONG_MAX_BYTES + 1], said[REPLY_TEXT_MAX + 1];
    size_t n = 0, length = strnlen(reply->text, sizeof reply->text);

    assert_true(length <= REPLY_TEXT_MAX);
    assert_true(str_is_utf8(slice_of(reply->text)));
    for (const char *p = reply->text; *p != '\0'; p++) {
        assert_false(ascii_is_control(*p));
        said[n++] = *p;
        if (*p == '%')
            assert_int_equal(*++p, '%');
    }
    said[n] = '\0';
    escape_reply(slice_of(text), whole, sizeof whole);
    assert_memory_equal(said, whole, n);
    if (whole[n] != '\0')
        assert_true(length > REPLY_TEXT_MAX - 5);
}

static void every_refusal_can_be_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < REASON_COUNT; i++) {
        struct verdict verdict;
        struct reply reply;
        char code[8];
        if (reason_rows[i].action == VERDICT_CONTINUE)
            continue;
        verdict_set(&verdict, (enum reason)i);
        reply_make(&verdict, false, &reply);
        snprintf(code, sizeof code, "%d", reason_rows[i].code);
        assert_string_equal(reply.code, code);
        assert_string_equal(reply.status, reason_rows[i].status);
        assert_string_equal(reply.text, reason_rows[i].text);
    }
}

static void code_and_status_go_together(void **state)
{
    static const int codes[] = {400, 421, 450, 499, 500, 521, 550, 599};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        struct verdict verdict;
        struct reply reply;
        verdict_reply(&verdict, REASON_RAT_REJECTED, codes[i], "x");
        reply_make(&verdict, false, &reply);
        assert_int_equal(strlen(reply.code), 3);
        assert_int_equal(reply.code[0], reply.status[0]);
        assert_string_equal(reply.status + 1, ".1.0");
    }
}

static const struct {
    const char *text, *want;
} texts[] = {
    {"Access denied", "Access denied"},
    {"", ""},
    {"%", "%%"},
    {"%%", "%%%%"},
    {"100% sure", "100%% sure"},
    {"%s%n%1$s", "%%s%%n%%1$s"},
    {"a\r250 ok", "a?250 ok"},
    {"bell\a nul-less \x1b[0m \x7f", "bell? nul-less ?[0m ?"},
    {"tab\tand  blanks", "tab and blanks"},
    {"Zugriff f\xc3\xbcr Sie verweigert", "Zugriff f\xc3\xbcr Sie verweigert"},
    {"latin1 \xe9 and cut \xe2\x82", "latin1 ? and cut ??"},
    {"c1 \xc2\x85", "c1 ??"},
};

static void texts_arrive_as_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct reply reply = reply_with(texts[i].text);
        assert_string_equal(reply.text, texts[i].want);
        holds(&reply, texts[i].text);
    }
}

/* Characters of every length, and the one that becomes two. */
static const char *const pieces[] = {"a", "%", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

static void long_texts_are_cut_at_whole_characters(void **state)
{
    char text[LONG_MAX_BYTES];
    (void)state;
    for (size_t piece = 0; piece < ARRAY_LEN(pieces); piece++) {
        size_t n = strlen(pieces[piece]);
        for (size_t lead = 0; lead < 5; lead++) {
            for (size_t length = 470; length + n < 1100; length++) {
                size_t at = 0;
                while (at < lead)
                    text[at++] = 'x';
                for (; at + n <= length; at += n)
                    memcpy(text + at, pieces[piece], n);
                text[at] = '\0';
                struct reply reply = reply_with(text);
                holds(&reply, text);
            }
        }
    }
}

/* One piece right where the end is, all else plain. */
static void the_last_character_is_whole_or_gone(void **state)
{
    char text[LONG_MAX_BYTES];
    (void)state;
    for (size_t piece = 0; piece < ARRAY_LEN(pieces); piece++) {
        for (size_t at = REPLY_TEXT_MAX - 10; at < REPLY_TEXT_MAX + 10; at++) {
            memset(text, 'x', at);
            snprintf(text + at, sizeof text - at, "%syyyyyyyyyy", pieces[piece]);
            struct reply reply = reply_with(text);
            holds(&reply, text);
        }
    }
}

static void any_bytes_are_made_harmless(void **state)
{
    static const char *const words[] = {
        "%", "%%", "\r",   "\v",     "\xff", "\xc3\xa9",        "\xc3", "\xe2\x82\xac",
        " ", "\t", "\x01", "$Group", "a",    "\xf0\x9f\x98\x80"};
    struct dice dice = dice_start(0);
    char text[LONG_MAX_BYTES];
    (void)state;
    for (int round = 0; round < 3000; round++) {
        size_t n = 0, length = dice_below(&dice, 1500);
        while (n < length) {
            const char *word = words[dice_below(&dice, ARRAY_LEN(words))];
            memcpy(text + n, word, strlen(word));
            n += strlen(word);
        }
        text[n] = '\0';
        struct reply reply = reply_with(text);
        holds(&reply, text);
    }
}

/* --- several lines ---------------------------------------------------------------- */

static const char twenty[] =
    "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20";

static const struct {
    const char *text;
    size_t n;
    const char *first, *last, *single;
} several[] = {
    {"one", 1, "one", "one", "one"},
    {"one\ntwo", 2, "one", "two", "one two"},
    {"100%\n%s", 2, "100%%", "%%s", "100%% %%s"},
    {"one\n\nthree", 3, "one", "three", "one  three"},
    {"\n", 2, "", "", " "},
    {"one\n", 2, "one", "", "one "},
    {"a\r\n250 ok", 2, "a?", "250 ok", "a? 250 ok"},
    {twenty, 20, "1", "20", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"},
};

static void line_feeds_begin_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(several); i++) {
        struct verdict verdict;
        struct reply reply;
        char said[REPLY_ALL_MAX];
        size_t n = 0;
        verdict_set(&verdict, REASON_HAT_REJECTED);
        verdict.text = several[i].text;
        reply_make(&verdict, false, &reply);
        while (reply.lines[n] != NULL)
            n++;
        assert_int_equal(n, several[i].n);
        assert_string_equal(reply.lines[0], several[i].first);
        assert_string_equal(reply.lines[n - 1], several[i].last);
        assert_ptr_equal(reply.lines[0], reply.text);
        reply_make(&verdict, true, &reply);
        assert_string_equal(reply.lines[0], several[i].single);
        assert_null(reply.lines[1]);
        reply_said(&verdict, said);
        if (strchr(several[i].text, '\r') == NULL)
            assert_string_equal(said, several[i].text);
    }
}

/* Whatever was written, there are never more lines than libmilter is given, none is
 * too long and all fit. */
static void no_line_and_not_all_lines_are_too_long(void **state)
{
    static const char *const words[] = {
        "\n", "\n\n", "%", "\xe2\x82\xac", "word ", "a long word without a blank in it"};
    struct dice dice = dice_start(1);
    char text[3 * LONG_MAX_BYTES];
    (void)state;
    for (int round = 0; round < 3000; round++) {
        size_t n = 0, length = dice_below(&dice, sizeof text - 40);
        uint32_t kinds = 2 + dice_below(&dice, ARRAY_LEN(words) - 1);
        struct verdict verdict;
        struct reply reply;
        while (n < length) {
            const char *word = words[ARRAY_LEN(words) - 1 - dice_below(&dice, kinds)];
            if (dice_below(&dice, 40) == 0)
                word = "\n";
            memcpy(text + n, word, strlen(word));
            n += strlen(word);
        }
        text[n] = '\0';
        verdict_set(&verdict, REASON_HAT_REJECTED);
        verdict.text = text;
        for (int single = 0; single < 2; single++) {
            size_t lines = 0;
            reply_make(&verdict, single == 1, &reply);
            for (; reply.lines[lines] != NULL; lines++) {
                assert_true(strlen(reply.lines[lines]) <= REPLY_TEXT_MAX);
                assert_null(strpbrk(reply.lines[lines], "\r\n"));
                assert_true(str_is_utf8(slice_of(reply.lines[lines])));
                assert_true(reply.lines[lines] + strlen(reply.lines[lines]) <
                            reply.text + sizeof reply.text);
            }
            assert_true(lines >= 1 && lines <= (single ? 1 : REPLYTEXT_LINES_MAX));
        }
        char said[REPLY_ALL_MAX];
        reply_said(&verdict, said);
        assert_true(strlen(said) < sizeof said);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_can_be_said),
        cmocka_unit_test(code_and_status_go_together),
        cmocka_unit_test(texts_arrive_as_written),
        cmocka_unit_test(long_texts_are_cut_at_whole_characters),
        cmocka_unit_test(the_last_character_is_whole_or_gone),
        cmocka_unit_test(any_bytes_are_made_harmless),
        cmocka_unit_test(line_feeds_begin_lines),
        cmocka_unit_test(no_line_and_not_all_lines_are_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
