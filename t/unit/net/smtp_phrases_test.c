/* smtp_phrases_test.c - are the tables of phrases and ideographs sound? */
#include <iconv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net/smtp_phrases.h"

static const struct smtp_address nobody;

static unsigned topics_of(const char *text)
{
    struct smtp_words words;
    smtp_words_of(slice_of(text), SMTP_UTF_8, &nobody, &nobody, &words);
    return smtp_topics_of(&words);
}

/* A phrase that is not written as words are made could never be found. */
static void test_phrases_are_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < smtp_phrases_n; i++) {
        struct smtp_words words;
        char made[256], text[256];
        size_t n = 0;
        const char *phrase = smtp_phrases[i].words;
        if (strcmp(phrase, "@") == 0)
            continue;
        for (size_t k = 0; phrase[k]; k++) {
            if (phrase[k] != '*')
                text[n++] = phrase[k];
            else
                assert_true(phrase[k + 1] == '\0' && k >= 3); /* only at the end, behind a stem */
        }
        text[n] = '\0';
        smtp_words_of((struct slice){text, n}, SMTP_UTF_8, &nobody, &nobody, &words);
        n = 0;
        for (size_t k = 0; k + 1 < words.text_n; k++) { /* no blanks beside ideographs */
            bool wide = words.text[k] == ' ' && smtp_phrases[i].language >= SMTP_JA &&
                        ((unsigned char)words.text[k - 1] >= 0x80 ||
                         (unsigned char)words.text[k + 1] >= 0x80);
            if (!wide)
                made[n++] = words.text[k];
        }
        made[n] = '\0';
        if (strcmp(made, text) != 0)
            fail_msg("\"%s\" would be \"%s\"", phrase, made);
    }
}

/* Every row by itself is found, as what it says. */
static void test_phrases_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < smtp_phrases_n; i++) {
        const struct smtp_phrase *phrase = &smtp_phrases[i];
        char text[256];
        snprintf(text, sizeof text, "%s", phrase->words);
        text[strcspn(text, "*")] = '\0';
        unsigned topics = topics_of(text);
        if (phrase->topic < SMTP_WHO && (topics & phrase->topic) != phrase->topic)
            fail_msg("\"%s\": %x", text, topics);
    }
}

static void test_no_row_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < smtp_phrases_n; i++) {
        for (size_t k = i + 1; k < smtp_phrases_n; k++) {
            const struct smtp_phrase *a = &smtp_phrases[i], *b = &smtp_phrases[k];
            if (a->language == b->language && a->topic == b->topic &&
                strcmp(a->words, b->words) == 0)
                fail_msg("\"%s\" is there twice", a->words);
        }
    }
}

/* Each language can say what keeps a "no" from being taken for one. */
static void test_every_language(void **state)
{
    static const unsigned topics[] = {SMTP_NO_USER, SMTP_FULL,    SMTP_RATE,    SMTP_SENDER,
                                      SMTP_CLIENT,  SMTP_BLOCK,   SMTP_DENIED,  SMTP_POLICY,
                                      SMTP_CONTENT, SMTP_TROUBLE, SMTP_NO_HOST, SMTP_WHO,
                                      SMTP_WHAT};
    unsigned has[SMTP_LANGUAGES] = {0};
    (void)state;
    for (size_t i = 0; i < smtp_phrases_n; i++)
        has[smtp_phrases[i].language] |= smtp_phrases[i].topic;
    for (size_t language = 0; language < SMTP_LANGUAGES; language++) {
        for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
            if (!(has[language] & topics[i]))
                fail_msg("language %zu has no phrase of topic %x", language, topics[i]);
        }
        assert_true(has[language] & (SMTP_IS_NOT_BEFORE | SMTP_IS_NOT_BEHIND | SMTP_IS_NOT_BESIDE));
    }
}

/* --- character sets ---------------------------------------------------------------- */

/* In the encoding `name`; 0: it cannot be written in it. */
static size_t encode(const char *name, const char *text, char *out, size_t room)
{
    iconv_t set = iconv_open(name, "UTF-8");
    char *in = (char *)(uintptr_t)text;
    size_t in_n = strlen(text), out_n = room;
    assert_true(set != (iconv_t)-1);
    bool good = iconv(set, &in, &in_n, &out, &out_n) != (size_t)-1 &&
                iconv(set, NULL, NULL, &out, &out_n) != (size_t)-1;
    iconv_close(set);
    return good ? room - out_n : 0;
}

/* The words of a phrase are the same in UTF-8 and in the other encoding. */
static void same_words(const char *name, enum smtp_charset charset, const char *text)
{
    struct smtp_words plain, coded;
    char bytes[512];
    size_t n = encode(name, text, bytes, sizeof bytes);
    if (n == 0)
        return;
    struct slice there = {bytes, n};
    smtp_words_of(slice_of(text), SMTP_UTF_8, &nobody, &nobody, &plain);
    smtp_words_of(there, charset, &nobody, &nobody, &coded);
    if (strcmp(plain.text, coded.text) != 0)
        fail_msg("%s of \"%s\": \"%s\"", name, plain.text, coded.text);
    if (!(smtp_charsets_of(there) & 1U << charset) && smtp_charsets_of(there) != 1U << SMTP_UTF_8)
        fail_msg("%s is not thought of: %s", name, text);
}

static void test_charsets(void **state)
{
    static const struct {
        enum smtp_language language;
        enum smtp_charset charset;
        const char *name;
    } sets[] = {{SMTP_RU, SMTP_KOI8_R, "KOI8-R"},
                {SMTP_RU, SMTP_WINDOWS_1251, "CP1251"},
                {SMTP_JA, SMTP_SHIFT_JIS, "SHIFT_JIS"},
                {SMTP_JA, SMTP_EUC_JP, "EUC-JP"},
                {SMTP_JA, SMTP_ISO_2022_JP, "ISO-2022-JP"},
                {SMTP_ZH, SMTP_GBK, "GB2312"},
                {SMTP_ZH, SMTP_GBK, "GBK"},
                {SMTP_ZH, SMTP_BIG5, "BIG5"}};
    unsigned written = 0;
    (void)state;
    for (size_t i = 0; i < smtp_phrases_n; i++) {
        char bytes[512];
        for (size_t k = 0; k < ARRAY_LEN(sets); k++) {
            if (smtp_phrases[i].language != sets[k].language)
                continue;
            same_words(sets[k].name, sets[k].charset, smtp_phrases[i].words);
            written += encode(sets[k].name, smtp_phrases[i].words, bytes, sizeof bytes) > 0;
        }
    }
    assert_true(written > 1000);
    same_words("ISO-8859-1", SMTP_LATIN_1,
               "Empf\xc3\xa4nger \xc3\x9c Stra\xc3\x9f"
               "e gel\xc3\xb6scht n\xc3\xa3o \xc3\xb8 \xc3\x86");
    same_words("ISO-8859-2", SMTP_LATIN_2,
               "u\xc5\xbcytkownik \xc5\x81\xc5\xbb\xc4\x84\xc5\x9a\xc5\xb9 "
               "\xc4\x87\xc4\x99\xc5\x84\xc3\xb3");
    same_words("CP1250", SMTP_LATIN_2,
               "u\xc5\xbcytkownik \xc5\x81\xc5\xbb\xc4\x84\xc5\x9a\xc5\xb9 "
               "\xc4\x87\xc4\x99\xc5\x84\xc3\xb3");
}

/* There is always a way to read a text. */
static void test_some_charset(void **state)
{
    static const char *const texts[] = {"",       "a",   "\xff", "\x80\x80", "\xe4 \x1b$B",
                                        "\x1b$B", "\xc3"};
    char text[SMTP_TEXT_KEPT + 2];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        assert_int_not_equal(smtp_charsets_of(slice_of(texts[i])), 0);
    memset(text, 'x', sizeof text);
    for (size_t i = sizeof text; i-- > sizeof text - 5;) {
        text[i] = '\xe4'; /* where the text ends, and behind */
        assert_int_not_equal(smtp_charsets_of((struct slice){text, sizeof text}), 0);
        text[i] = 'x';
    }
}

/* Words are what people would call words. */
static void test_words(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"User  UNKNOWN.", "user unknown . "},
        {"e-mail: it's \"so\"", "e mail it s so "},
        {"wait... what? No; yes.no", "wait what . no . yes no "},
        {"<joe@example.com>: a@b.example c", "@ c "},
        {"host mx1.mail.example said", "host said . mx1 mail example "},
        {"JOE@EXAMPLE.COM here", "@ here "},
        {"see http://www.bl.example/x?y z", "see z . www bl example "},
        {"a\xcc\x88 \xc3\x84\xe2\x80\x8b"
         "b \xef\xbc\xa1",
         "a ab a "},
        {"\xe7\x94\xa8\xe6\x88\xb7id", "\xe7\x94\xa8 \xe6\x88\xb7 id "},
        {"#5.1.1 (#5.7.1) [4.2.2]", ""},
        {"x 4.96.2 y", "x y "},
        {"[192.0.2.9] [2001:db8::1]", ""},
        {"", ""},
    };
    struct smtp_address joe;
    (void)state;
    smtp_address_of(slice_of("joe@example.com"), &joe);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smtp_words words;
        smtp_words_of(slice_of(rows[i].text), SMTP_UTF_8, &joe, &nobody, &words);
        assert_string_equal(words.text, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phrases_are_words),
        cmocka_unit_test(test_phrases_are_found),
        cmocka_unit_test(test_no_row_twice),
        cmocka_unit_test(test_every_language),
        cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_some_charset),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
