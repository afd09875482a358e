/*
 * smtp_replies_test.c - the replies of t/replies: is any taken for a "no" that
 * is none, and are those found that are one?
 *
 * A line of t/replies/NAME.txt is CLASS | LANGUAGE | RECIPIENT | REPLY, as
 * users.txt says. Two figures are printed and must be met: not one reply that
 * is no "no" may be taken for one, and 90 % of those that are must be found.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "lib/base/mono.h"
#include "lib/net/smtp_class.h"
#include "lib/net/smtp_reply.h"

#define FOUND_PERCENT 90
#define REPLIES_MIN 400

static const char *const languages[] = {"en", "de", "fr", "es", "pt", "it",
                                        "nl", "pl", "ru", "ja", "zh"};

struct figures {
    unsigned replies, users, users_found, permanent; /* permanent: wrongly */
    unsigned other;                                  /* class, but no permanent "no" */
    unsigned others_asked;                           /* replies, with another recipient each */
    unsigned language_users[ARRAY_LEN(languages)], language_others[ARRAY_LEN(languages)];
};

/* In place: \n to CR LF, \xNN to a byte. */
static size_t unescape(char *text)
{
    size_t n = 0;
    for (const char *p = text; *p;) {
        if (p[0] == '\\' && p[1] == 'x' && p[2] && p[3]) {
            char digits[3] = {p[2], p[3], '\0'};
            text[n++] = (char)strtoul(digits, NULL, 16);
            p += 4;
        } else if (p[0] == '\\' && p[1] == 'n') {
            text[n++] = '\r'; /* two bytes of two */
            text[n++] = '\n';
            p += 2;
        } else {
            text[n++] = *p++;
        }
    }
    text[n] = '\0';
    return n;
}

/* Cuts a line at " | " into its four fields. */
static bool fields_of(char *line, char *fields[4])
{
    for (size_t i = 0; i < 3; i++) {
        char *bar = strstr(line, " | ");
        if (!bar)
            return false;
        *bar = '\0';
        fields[i] = line;
        line = bar + 3;
    }
    fields[3] = line;
    return true;
}

static enum callahead_class class_of(const char *reply, size_t n, const char *recipient)
{
    struct smtp_parser parser;
    const char *why = NULL;
    char wire[4096];
    assert_true(n + 2 < sizeof wire);
    memcpy(wire, reply, n);
    memcpy(wire + n, "\r\n", 2);
    struct slice in = {wire, n + 2};
    smtp_parser_init(&parser);
    assert_int_equal(smtp_parser_feed(&parser, &in, &why), SMTP_PARSE_REPLY);
    assert_int_equal(in.n, 0);
    return smtp_classify_reply(CALLAHEAD_AT_RCPT, &parser.reply, recipient, NULL);
}

static void judge(char *fields[4], const char *where, unsigned line, struct figures *figures)
{
    enum callahead_class wanted = CALLAHEAD_VALID;
    size_t language = 0;
    if (!smtp_class_by_name(slice_of(fields[0]), &wanted))
        fail_msg("%s:%u: no class: %s", where, line, fields[0]);
    while (language < ARRAY_LEN(languages) && strcmp(languages[language], fields[1]) != 0)
        language++;
    if (language == ARRAY_LEN(languages))
        fail_msg("%s:%u: no language: %s", where, line, fields[1]);
    (void)unescape(fields[2]);
    size_t n = unescape(fields[3]);
    enum callahead_class class =
        class_of(fields[3], n, strcmp(fields[2], "-") == 0 ? "joe@example.com" : fields[2]);
    bool user = wanted == CALLAHEAD_USER_UNKNOWN, found = class == CALLAHEAD_USER_UNKNOWN;
    figures->replies++;
    figures->users += user;
    figures->users_found += user && found;
    figures->permanent += !user && found;
    figures->other += !user && class != wanted && !found;
    figures->language_users[language] += user;
    figures->language_others[language] += !user;
    if (class != wanted)
        print_message("# %s:%u: %s, not %s: %s\n", where, line, smtp_class_name(class), fields[0],
                      fields[3]);
}

/* Addresses that are made of words of all topics. */
static const char *const odd_ones[] = {"spam@example.com",        "blocked.sender@example.com",
                                       "policy@blocked.example",  "rate-limit@example.com",
                                       "absender@example.com",    "\"over quota\"@example.com",
                                       "sender@example.com",      "no-reply@example.com",
                                       "temporary@spam.example",  "user@example.com",
                                       "unknown@example.com",     "mailbox@example.com",
                                       "bounces+tag@example.com", "ip@example.com",
                                       "full@example.com",        "a@example.com",
                                       "1@example.com",           "denied@example.com",
                                       "5.7.1@example.com"};

/* With another address in its place. */
static size_t replace(const char *text, const char *from, const char *to, char *out, size_t room)
{
    size_t n = 0;
    while (*text) {
        bool here = strncmp(text, from, strlen(from)) == 0;
        const char *piece = here ? to : text;
        size_t piece_n = here ? strlen(to) : 1;
        assert_true(n + piece_n < room);
        memcpy(out + n, piece, piece_n);
        n += piece_n;
        text += here ? strlen(from) : 1;
    }
    out[n] = '\0';
    return n;
}

/* A reply means the same of everybody, where it means "no": which other topic a
 * lonely word stands for may depend on whether somebody is called so. */
static void ask_about_others(char *fields[4], struct figures *figures)
{
    static const char joe[] = "joe@example.com";
    char rest[4096], reply[4096];
    enum callahead_class wanted = CALLAHEAD_VALID;
    assert_true(smtp_class_by_name(slice_of(fields[0]), &wanted));
    (void)replace(fields[3], joe, "", rest, sizeof rest);
    if (strcmp(fields[2], "-") != 0 || strstr(rest, "joe") || strstr(rest, "JOE"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(odd_ones); i++) {
        size_t n = replace(fields[3], joe, odd_ones[i], reply, sizeof reply);
        n = n > 0 ? unescape(reply) : 0;
        enum callahead_class class = class_of(reply, n, odd_ones[i]);
        figures->others_asked++;
        if ((class == CALLAHEAD_USER_UNKNOWN) != (wanted == CALLAHEAD_USER_UNKNOWN))
            fail_msg("asked about %s: %s, not %s: %s", odd_ones[i], smtp_class_name(class),
                     fields[0], reply);
    }
}

static void read_file(const char *path, struct figures *figures)
{
    char line[4096], *fields[4];
    unsigned number = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (!fields_of(line, fields))
            fail_msg("%s:%u: not four fields", path, number);
        ask_about_others(fields, figures);
        judge(fields, path, number, figures);
    }
    fclose(file);
}

static void test_replies(void **state)
{
    struct figures figures = {.replies = 0};
    char pattern[512];
    glob_t files;
    const char *top = getenv("srcdir");
    (void)state;
    snprintf(pattern, sizeof pattern, "%s/t/replies/*.txt", top ? top : ".");
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    assert_int_equal(files.gl_pathc, 3);
    for (size_t i = 0; i < files.gl_pathc; i++)
        read_file(files.gl_pathv[i], &figures);
    globfree(&files);
    print_message(
        "# %u replies: %u of %u that are no \"no\" taken for one; %u of %u that are one found\n",
        figures.replies, figures.permanent, figures.replies - figures.users, figures.users_found,
        figures.users);
    assert_true(figures.replies >= REPLIES_MIN);
    assert_true(figures.others_asked >= 10 * REPLIES_MIN);
    assert_true(2 * figures.users <= figures.replies);
    assert_int_equal(figures.permanent, 0);
    assert_true(100 * figures.users_found >= FOUND_PERCENT * figures.users);
    assert_true(100 * figures.other <= (100 - FOUND_PERCENT) * (figures.replies - figures.users));
    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        assert_true(figures.language_users[i] >= 7 && figures.language_others[i] >= 7);
}

/* Microseconds a reply of 500 bytes takes, the least of many tries: other
 * programs run on this machine, too. */
static double microseconds(const char *sentence)
{
    char text[500];
    double least = 1e9;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = sentence[i % strlen(sentence)];
    struct smtp_said said = {.stage = CALLAHEAD_AT_RCPT,
                             .code = 550,
                             .status = "5.1.1",
                             .text = {text, sizeof text},
                             .recipient = slice_of("joe@example.com")};
    for (unsigned try = 0; try < 50; try++) {
        struct timespec from, to;
        assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from), 0);
        for (unsigned i = 0; i < 20; i++)
            (void)smtp_classify(&said);
        assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to), 0);
        double took =
            (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
        least = took / 20 < least ? took / 20 : least;
    }
    return least;
}

/* Nothing here is quadratic: ten times the bar, for sanitizers and slow machines. */
static void test_speed(void **state)
{
    static const char *const sentences[] = {
        "The email account that you tried to reach does not exist, <joe@example.com>. ",
        "user unknown ",
        "\xd0\x9f\xd0\xbe\xd0\xbb\xd1\x8c\xd0\xb7\xd0\xbe\xd0\xb2 ",
        "\xe7\x94\xa8\xe6\x88\xb7",
        "Empf\xe4nger unbekannt ",
        "\xd3\xc3\xbb\xa7\xb2\xbb",
        "a.b.c ",
        "<",
        "user user unknown ",
        "5.1.1 "};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        double took = microseconds(sentences[i]);
        print_message("# 500 bytes of \"%.12s...\": %.1f us\n", sentences[i], took);
        assert_true(took < 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
