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
    reply_make(&verdict, &reply);
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
        reply_make(&verdict, &reply);
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
        reply_make(&verdict, &reply);
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
    {"a\r\n250 ok", "a??250 ok"},
    {"a\rb\nc", "a?b?c"},
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
        "%", "%%", "\r",   "\n",     "\xff", "\xc3\xa9",        "\xc3", "\xe2\x82\xac",
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

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_can_be_said),
        cmocka_unit_test(code_and_status_go_together),
        cmocka_unit_test(texts_arrive_as_written),
        cmocka_unit_test(long_texts_are_cut_at_whole_characters),
        cmocka_unit_test(the_last_character_is_whole_or_gone),
        cmocka_unit_test(any_bytes_are_made_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
