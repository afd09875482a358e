/* conf_read_test.c - reading files: what is understood, and every complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/conf/sample.h"

struct complaint {
    const char *text;
    const char *lines; /* all problems, without the folder of the file */
};

static const struct complaint complaints[] = {
    /* the shape of lines */
    {"[plain]\nwait\n", "conf:2: [plain] wait: \"=\" is missing; allowed: key = value\n"},
    {"[plain]\nwait: 5s\n", "conf:2: [plain] wait: \"=\" is missing; allowed: key = value\n"},
    {"[plain]\npassword top secret\n",
     "conf:2: [plain] password: \"=\" is missing; allowed: key = value\n"},
    {"[plain]\n= 5\n",
     "conf:2: [plain] no name of a key; allowed: letters, digits and \"_\" before "
     "\"=\"\n"},
    {"[plain]\na b = 5\n", "conf:2: [plain] a b: no name of a key; allowed: letters, digits and "
                           "\"_\" before \"=\"\n"},
    {"[plain\nwait = 5\n", "conf:1: [plain] \"]\" is missing\n"},
    {"[plain] # no\n", "conf:1: [plain] text after \"]\"; allowed: nothing, comments have lines of "
                       "their own\n"},
    {"[plain]\nti\x01tle = x\n",
     "conf:2: [plain] ti\\x01tle: control byte 0x01; allowed: text and tabs\n"},
    {"[plain]\ntitle = \x7f\n", "conf:2: [plain] title: control byte 0x7f; allowed: text and "
                                "tabs\n"},
    {"[plain]\n# \x1b\n", "conf:2: [plain] control byte 0x1b; allowed: text and tabs\n"},
    {"[plain]\nhosts = a\n b\x02\n c\n",
     "conf:3: [plain] hosts: control byte 0x02; allowed: text and tabs\n"},
    {"[plain]\ntitle = a\rb\n", "conf:2: [plain] title: control byte 0x0d; allowed: text and "
                                "tabs\n"},
    {"[pl\x02"
     "ain]\nfoo\n",
     "conf:1: [pl\\x02"
     "ain] control byte 0x02; allowed: text and tabs\nconf:2: [pl\\x02"
     "ain] foo: \"=\" is missing; allowed: key = value\n"},
    /* indented lines */
    {"[plain]\nwait = 5s\n  7s\n",
     "conf:3: [plain] wait: an indented line follows, but this key holds no list; allowed: one "
     "line, and keys begin at the start of a line\n"},
    {"[plain]\n wait = 5s\n",
     "conf:2: [plain] an indented line without a list above; allowed: keys "
     "begin at the start of a line\n"},
    {"[plain]\nhosts = a\n wait = 5s\n c\n",
     "conf:3: [plain] hosts: an indented line continues this list, but this one looks like a key; "
     "allowed: keys begin at the start of a line\n"},
    {"  a\n  b\n", "conf:1: this line is before the first section; allowed: keys below a "
                   "[section] line\n"},
    {"[plain]\nwiat = 1\n  2\n", "conf:2: [plain] wiat: unknown key; did you mean \"wait\"?\n"},
    /* unknown things */
    {"wait = 5s\ntries = 4\n", "conf:1: wait: this line is before the first section; allowed: "
                               "keys below a [section] line\n"},
    {"[plian]\nnonsense = 1\n", "conf:1: [plian] unknown section; did you mean [plain]?\n"},
    {"[Named x]\n", "conf:1: [Named x] unknown section; did you mean [named NAME]?\n"},
    {"[xyz]\n", "conf:1: [xyz] unknown section; allowed: [plain], [named NAME], [must]\n"},
    {"[]\n", "conf:1: [] unknown section; allowed: [plain], [named NAME], [must]\n"},
    {"[plain]\nneeded = 1\n", "conf:2: [plain] needed: unknown key; it is one of [must]\n"},
    {"[must]\nneeded = 1\nqqqqq = 1\n", "conf:3: [must] qqqqq: unknown key; allowed: needed\n"},
    {"[plain]\nWAIT = 5s\n", "conf:2: [plain] WAIT: unknown key; did you mean \"wait\"?\n"},
    /* names of sections */
    {"[plain x]\n", "conf:1: [plain x] this section has no name; allowed: [plain]\n"},
    {"[named]\nwait = 5\n", "conf:1: [named] a name is missing; allowed: [named NAME]\n"},
    {"[named a b]\nwait = x\n",
     "conf:1: [named a b] this is not a name; allowed: letters, digits, \"_\", \".\", \"-\", at "
     "most "
     "255 bytes\nconf:2: [named a b] wait: \"x\" is not a duration; allowed: 1s..1m\n"},
    {"[named \xc3\xa4]\n", "conf:1: [named \xc3\xa4] this is not a name; allowed: letters, digits, "
                           "\"_\", \".\", \"-\", at "
                           "most 255 bytes\n"},
    /* twice */
    {"[plain]\n\n[plain]\nwait = 9h\n",
     "conf:3: [plain] written twice, first on line 1\nconf:4: [plain] wait: \"9h\" is outside "
     "1s..1m\n"},
    {"[named a]\n[named b]\n[named a]\n", "conf:3: [named a] written twice, first on line 1\n"},
    {"[plain]\nwait = 1s\nwait = 2s\n", "conf:3: [plain] wait: given twice, first on line 2\n"},
    {"[plain]\nwait = 1x\nwait = 2s\n",
     "conf:2: [plain] wait: \"1x\" is not a duration; allowed: 1s..1m\nconf:3: [plain] wait: given "
     "twice, first on line 2\n"},
    /* values, references, required ones */
    {"[named a]\ntries = 0\n", "conf:2: [named a] tries: \"0\" is outside 1..10\n"},
    {"[plain]\npartner = b\n[named a]\n",
     "conf:2: [plain] partner: there is no section [named b]; allowed: the name of a [named] "
     "section\n"},
    {"[plain]\nmarks = red,\n pink\n",
     "conf:2: [plain] marks: \"pink\" is unknown; allowed: any of red, green and blue\n"},
    {"[must]\n", "conf:1: [must] needed: is missing; allowed: one line of text\n"},
    {"[must]\nneeded =\n", "conf:2: [must] needed: is empty; allowed: one line of text\n"},
};

static void reports_each_mistake(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(complaints); i++) {
        struct problems problems;
        const struct complaint *c = &complaints[i];
        struct conf *conf = sample_read(c->text, strlen(c->text), &problems);
        char *lines = sample_lines(&problems);
        assert_string_equal(lines, c->lines);
        assert_null(conf);
        free(lines);
        problems_done(&problems);
    }
}

/* One file with all mistakes gives all complaints of the files with one. */
static void reports_all_mistakes_at_once(void **state)
{
    static const char text[] = "x = 1\n[plain]\nwiat = 5s\ntries = 11\nroom = huge\n  more\n"
                               "partner = nobody\ncode = 200\n[nmaed x]\nwait = 0\n[named y]\n"
                               "quick = maybe\nhosts = a\n\tb\n[named y]\nmode = warp\n";
    static const unsigned at[] = {1, 3, 4, 5, 6, 8, 9, 12, 15, 16, 7};
    struct problems problems;
    (void)state;
    assert_null(sample_read(text, strlen(text), &problems));
    char *lines = sample_lines(&problems), *line = lines;
    assert_int_equal(problems_errors(&problems), ARRAY_LEN(at));
    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        assert_int_equal(strncmp(line, "conf:", 5), 0);
        assert_int_equal(strtoul(line + 5, NULL, 10), at[i]);
        line = strchr(line, '\n') + 1;
    }
    free(lines);
    problems_done(&problems);
}

static void reports_nul_bytes(void **state)
{
    static const char text[] = "[plain]\ntitle = a\0b\nwait = 5s\n";
    struct problems problems;
    (void)state;
    assert_null(sample_read(text, sizeof text - 1, &problems));
    char *lines = sample_lines(&problems);
    assert_string_equal(lines,
                        "conf:2: [plain] title: control byte 0x00; allowed: text and tabs\n");
    free(lines);
    problems_done(&problems);
}

static void reports_unreadable_files(void **state)
{
    struct problems problems;
    (void)state;
    problems_init(&problems);
    assert_null(conf_read("/nonexistent/conf", sample_types, sample_ntypes, &problems));
    assert_null(conf_read("/", sample_types, sample_ntypes, &problems));
    assert_null(conf_read("", sample_types, sample_ntypes, &problems));
    assert_int_equal(problems_errors(&problems), 3);
    assert_non_null(strstr(problems.list[0].line, "cannot open /nonexistent/conf: No such file"));
    problems_done(&problems);
}

static const struct sample_keys *keys_of(const struct conf *conf, const char *type,
                                         const char *name)
{
    const struct conf_section *section = conf_find(conf, type, name);
    assert_non_null(section);
    return section->values;
}

static void understands_values(void **state)
{
    struct conf *conf = sample_read_good("\xef\xbb\xbf# a comment\r\n"
                                         "; another\r\n"
                                         "\r\n"
                                         "[plain]  \r\n"
                                         "title=  a ; b # c = d [e]  \r\n"
                                         "wait=5\r\n"
                                         "  # a comment in between\r\n"
                                         "code\t=\t 451\r\n"
                                         "table = sub/file\r\n"
                                         "partner = a.b-c_1\r\n"
                                         "rate = -1\r\n"
                                         "room =\t1G\r\n"
                                         "[ named \t a.b-c_1 ]\r\n"
                                         "mode = FAST");
    (void)state;
    const struct sample_keys *keys = keys_of(conf, "plain", "");
    assert_string_equal(keys->title, "a ; b # c = d [e]");
    assert_int_equal(keys->wait, 5000);
    assert_int_equal(keys->code, 451);
    assert_int_equal(keys->tries, 2);
    assert_true(keys->rate == KEY_NO_LIMIT);
    assert_true(keys->room == 1073741824);
    assert_string_equal(keys->partner, "a.b-c_1");
    assert_int_equal(keys->table[0], '/');
    assert_string_equal(strrchr(keys->table, '/') - 4, "/sub/file");
    assert_int_equal(keys_of(conf, "named", "a.b-c_1")->mode, 1);
    conf_free(conf);
}

static void understands_lists(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } want[] = {{"a", 2}, {"b", 2}, {"c", 3}, {"d=e", 6}, {"[plain]", 8}};
    struct conf *conf = sample_read_good("[plain]\nhosts = a, b\n\tc,\n\n  # no\n d=e\n#no\n"
                                         " [plain]\nmarks =\n  blue\n  red\n");
    (void)state;
    const struct sample_keys *keys = keys_of(conf, "plain", "");
    assert_int_equal(keys->hosts.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_string_equal(keys->hosts.v[i].text, want[i].text);
        assert_int_equal(keys->hosts.v[i].at.line, want[i].line);
        assert_string_equal(keys->hosts.v[i].at.file, conf_path(conf));
    }
    assert_int_equal(keys->marks, 1 | 4);
    conf_free(conf);
}

/* Where libinih 55 cuts: lines at 199, sections and keys at 49 bytes. */
static void never_cuts_a_line(void **state)
{
    static const size_t lengths[] = {48,  49,  50,  51,   180,  190,   197,    198,
                                     199, 200, 201, 4095, 8192, 65536, 3 << 20};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        size_t n = lengths[i];
        struct strbuf text;
        strbuf_init(&text);
        strbuf_puts(&text, "[plain]\ntitle = ");
        for (size_t k = 0; k < n; k++)
            strbuf_putc(&text, k % 9 == 8 ? ' ' : "x;=#y"[k % 5]);
        strbuf_puts(&text, "end\nwait = 7s\nhosts = ");
        for (size_t k = 0; k < n; k++)
            strbuf_puts(&text, k % 7 == 6 ? ",\n   \t" : "h");
        strbuf_puts(&text, "\ntries = 7\n");
        struct conf *conf = sample_read_good(strbuf_text(&text));
        const struct sample_keys *keys = keys_of(conf, "plain", "");
        assert_int_equal(strlen(keys->title), n + 3);
        assert_int_equal(memcmp(keys->title, text.p + 16, n + 3), 0);
        assert_int_equal(keys->wait, 7000);
        assert_int_equal(keys->tries, 7);
        assert_int_equal(keys->hosts.n, n / 7 + (n % 7 > 0));
        conf_free(conf);
        strbuf_done(&text);
    }
}

static void limits_names(void **state)
{
    char text[600], name[300];
    struct problems problems;
    (void)state;
    memset(name, 'k', sizeof name);
    for (int n = 48; n <= 51; n++) {
        snprintf(text, sizeof text, "[plain]\n%.*s = 1\n", n, name);
        assert_null(sample_read(text, strlen(text), &problems));
        char *lines = sample_lines(&problems);
        assert_int_equal(problems_errors(&problems), 1);
        assert_non_null(strstr(lines, ": unknown key"));
        free(lines);
        problems_done(&problems);
    }
    for (int n = CONF_NAME_MAX - 1; n <= CONF_NAME_MAX + 1; n++) {
        snprintf(text, sizeof text, "[named %.*s]\nwait = 9s\n", n, name);
        struct conf *conf = sample_read(text, strlen(text), &problems);
        assert_int_equal(conf != NULL, n <= CONF_NAME_MAX);
        if (conf) {
            const struct conf_section *section = conf_next(conf, "named", NULL);
            assert_int_equal(strlen(section->name), n);
        }
        conf_free(conf);
        problems_done(&problems);
    }
}

static void finds_sections(void **state)
{
    struct conf *conf = sample_read_good("[named b]\n[named a]\nwait = 9s\n[named c]\n");
    const struct conf_section *section = NULL;
    char order[4] = "";
    (void)state;
    for (size_t i = 0; (section = conf_next(conf, "named", section)); i++)
        order[i] = section->name[0];
    assert_string_equal(order, "bac");
    assert_null(conf_next(conf, "plain", NULL));
    assert_null(conf_next(conf, "nonsense", NULL));
    assert_null(conf_find(conf, "named", "d"));
    assert_null(conf_find(conf, "named", ""));
    assert_null(conf_find(conf, "nonsense", ""));
    section = conf_find(conf, "plain", "");
    assert_non_null(section);
    assert_int_equal(section->at.line, 0);
    assert_false(conf_is_set(section, "wait"));
    assert_int_equal(((const struct sample_keys *)section->values)->wait, 3000);
    section = conf_find(conf, "named", "a");
    assert_true(conf_is_set(section, "wait"));
    assert_false(conf_is_set(section, "tries"));
    assert_int_equal(conf_place(section, "wait").line, 3);
    assert_int_equal(conf_place(section, "tries").line, 2);
    assert_int_equal(conf_place(section, "nonsense").line, 2);
    conf_free(conf);
}

static void reports_for_others(void **state)
{
    struct conf *conf = sample_read_good("\n[named a]\nwait = 9s\n");
    const struct conf_section *section = conf_find(conf, "named", "a");
    struct problems problems;
    (void)state;
    problems_init(&problems);
    conf_error(&problems, section, "wait", "%s is too %s", "it", "long");
    conf_error(&problems, section, "tries", "wrong");
    conf_warning(&problems, section, NULL, "odd");
    conf_warning(&problems, conf_find(conf, "plain", ""), "wait", "odd");
    char *lines = sample_lines(&problems);
    assert_string_equal(lines, "conf:3: [named a] wait: it is too long\n"
                               "conf:2: [named a] tries: wrong\n"
                               "conf:2: warning: [named a] odd\n"
                               "conf: warning: [plain] wait: odd\n");
    free(lines);
    problems_done(&problems);
    conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_each_mistake), cmocka_unit_test(reports_all_mistakes_at_once),
        cmocka_unit_test(reports_nul_bytes),    cmocka_unit_test(reports_unreadable_files),
        cmocka_unit_test(understands_values),   cmocka_unit_test(understands_lists),
        cmocka_unit_test(never_cuts_a_line),    cmocka_unit_test(limits_names),
        cmocka_unit_test(finds_sections),       cmocka_unit_test(reports_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
