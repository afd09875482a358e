/* conf_print_test.c - what is printed reads again; documents; the reload log. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/conf/sample.h"
#include "t/unit/dice.h"

#define ROUNDS 300

/* Every key of every type, with values that are hard to print. */
static const char everything[] = "[named other]\n"
                                 "[plain]\n"
                                 "quick = off\n"
                                 "tries = 10\n"
                                 "rate = 7\n"
                                 "wait = 1500ms\n"
                                 "room = 1025\n"
                                 "title = # ; = [x]  \"y\" \\\n"
                                 "reply = $Gr\xc3\xbc\xc3\x9f"
                                 "e; # 100% = done\n"
                                 "code = 421\n"
                                 "table = /sub dir/file\n"
                                 "hosts = [a], b=c, .d,\n"
                                 "   e#f ;g\n"
                                 "mode = fast\n"
                                 "marks = blue red\n"
                                 "partner = other\n"
                                 "[named third]\n"
                                 "rate = unlimited\n"
                                 "[must]\n"
                                 "needed = y\n";

static void assert_same_sections(const struct conf *a, const struct conf *b,
                                 const struct conf_type *type)
{
    const struct conf_section *x = NULL, *y = NULL;
    while ((x = conf_next(a, type->name, x))) {
        y = conf_next(b, type->name, y);
        assert_non_null(y);
        assert_string_equal(x->name, y->name);
        for (size_t i = 0; i < *type->nrows; i++)
            assert_true(key_same(&type->rows[i], x->values, y->values));
    }
}

static void shows_what_reads_again(void **state)
{
    (void)state;
    for (int defaults = 0; defaults <= 1; defaults++) {
        struct conf *first = sample_read_good(everything);
        struct strbuf shown;
        strbuf_init(&shown);
        conf_show(first, defaults, &shown);
        struct conf *second = sample_read_good(strbuf_text(&shown));
        for (size_t i = 0; i < sample_ntypes; i++) {
            assert_same_sections(first, second, sample_types[i]);
            if (!defaults)
                assert_same_sections(second, first, sample_types[i]);
        }
        conf_free(first);
        conf_free(second);
        strbuf_done(&shown);
    }
}

/* --- any configuration ------------------------------------------------------------- */

static void put_bytes(struct dice *dice, const char *from, uint32_t most, struct strbuf *out)
{
    for (uint32_t n = dice_below(dice, most + 1); n > 0; n--)
        strbuf_putc(out, from[dice_below(dice, (uint32_t)strlen(from))]);
}

/* 1...255 bytes, about every second one longer than fits a line. */
static void put_name(struct dice *dice, unsigned number, struct strbuf *out)
{
    strbuf_printf(out, "%u", number);
    put_bytes(dice, "abcXYZ019_.-", dice_below(dice, 2) ? 10 : CONF_NAME_MAX - 2, out);
}

static void put_words(struct dice *dice, const char *const *words, bool several, struct strbuf *out)
{
    uint32_t n = 0;
    while (words[n])
        n++;
    strbuf_puts(out, words[dice_below(dice, n)]);
    while (several && dice_below(dice, 2))
        strbuf_printf(out, ",\n\t%s", words[dice_below(dice, n)]);
}

static void put_value(struct dice *dice, const struct key_row *row, struct strbuf *out)
{
    static const char *const numbers[] = {"1", "2", "10"};
    static const char *const units[] = {"s", "ms", "m", "h"};
    static const char odd[] = "#;=[]\"\\'$% \t,.:a\xc3\xbc/<>!";
    uint32_t any = dice_below(dice, 3);

    switch (row->type) {
    case KEY_BOOL:
        strbuf_puts(out, any ? "on" : "FALSE");
        break;
    case KEY_COUNT:
        strbuf_puts(out, any || !(row->flags & KEY_UNLIMITED) ? numbers[any] : "-1");
        break;
    case KEY_DURATION:
        strbuf_printf(out, any ? "%u%s" : "1%03u%s", 1 + dice_below(dice, 60), units[any ? 0 : 1]);
        break;
    case KEY_SIZE:
        strbuf_printf(out, "%u%s", 1024 + dice_below(dice, 4000), any ? "K" : "");
        break;
    case KEY_CODE:
        strbuf_printf(out, "%u", 400 + dice_below(dice, 200));
        break;
    case KEY_STRING:
        put_bytes(dice, odd, any ? 20 : 5000, out);
        break;
    case KEY_TEXT:
        put_bytes(dice, "#;=[]\"\\'$% ,.:a/<>!n", any ? 20 : 900, out);
        break;
    case KEY_PATH:
        put_bytes(dice, any ? "../ a#;" : "/", any ? 500 : 1, out);
        break;
    case KEY_LIST:
        put_bytes(dice, odd, any ? 20 : 5000, out);
        while (dice_below(dice, 4)) {
            strbuf_puts(out, "\n  .");
            put_bytes(dice, "#;[]\"\\ab,@<>", 30, out);
        }
        break;
    case KEY_WORD:
    case KEY_SET:
        put_words(dice, row->words, row->type == KEY_SET, out);
        break;
    case KEY_REF:
        break; /* needs a section: by who writes the keys */
    }
}

static void put_keys(struct dice *dice, const struct conf_type *type, const char *partner,
                     struct strbuf *out)
{
    for (size_t i = 0; i < *type->nrows; i++) {
        const struct key_row *row = &type->rows[i];
        if (row->flags & KEY_SECRET || dice_below(dice, 3) == 0)
            continue;
        strbuf_printf(out, "%s = ", row->name);
        if (row->type == KEY_REF)
            strbuf_puts(out, partner);
        else
            put_value(dice, row, out);
        strbuf_putc(out, '\n');
    }
}

/* Without the comments, in which places differ. */
static void settings(const char *shown, struct strbuf *out)
{
    for (const char *line = shown; *line; line += strcspn(line, "\n") + 1) {
        if (line[0] != '#')
            strbuf_add(out, line, strcspn(line, "\n") + 1);
    }
}

static void assert_reads_again(const char *text, bool defaults)
{
    struct strbuf shown, once, twice;
    struct conf *first = sample_read_good(text);

    strbuf_init(&shown);
    strbuf_init(&once);
    strbuf_init(&twice);
    conf_show(first, defaults, &shown);
    settings(strbuf_text(&shown), &once);
    struct conf *second = sample_read_good(strbuf_text(&shown));
    for (size_t i = 0; i < sample_ntypes; i++)
        assert_same_sections(first, second, sample_types[i]);
    strbuf_reset(&shown);
    conf_show(second, defaults, &shown);
    settings(strbuf_text(&shown), &twice);
    assert_string_equal(strbuf_text(&once), strbuf_text(&twice));
    conf_free(first);
    conf_free(second);
    strbuf_done(&shown);
    strbuf_done(&once);
    strbuf_done(&twice);
}

static void any_configuration_reads_again(void **state)
{
    struct dice dice = dice_start(0);
    struct strbuf name, text;
    (void)state;
    strbuf_init(&name);
    strbuf_init(&text);
    for (int round = 0; round < ROUNDS; round++) {
        strbuf_reset(&text);
        strbuf_puts(&text, "[must]\nneeded = y\n[plain]\n");
        put_keys(&dice, sample_types[0], "", &text);
        for (unsigned i = 0; i < 3; i++) {
            strbuf_reset(&name);
            put_name(&dice, i, &name);
            strbuf_printf(&text, "[named %s]\n", strbuf_text(&name));
            put_keys(&dice, sample_types[1], strbuf_text(&name), &text);
        }
        assert_reads_again(strbuf_text(&text), round % 2);
    }
    strbuf_done(&name);
    strbuf_done(&text);
}

/* want: without the folder of the file. */
static void assert_shown(const char *file, bool defaults, const char *want)
{
    struct conf *conf = sample_read_good(file);
    struct strbuf out, short_out;
    size_t folder = strlen(conf_path(conf)) - strlen("conf");
    strbuf_init(&out);
    strbuf_init(&short_out);
    conf_show(conf, defaults, &out);
    for (const char *p = strbuf_text(&out); *p; p++) {
        if (strncmp(p, conf_path(conf), folder) == 0)
            p += folder;
        strbuf_putc(&short_out, *p);
    }
    assert_string_equal(strbuf_text(&short_out), want);
    conf_free(conf);
    strbuf_done(&out);
    strbuf_done(&short_out);
}

static void shows_the_longest_name(void **state)
{
    char name[CONF_NAME_MAX + 1], text[1000], wanted[1000];
    (void)state;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "[plain]\npartner = %s\n[named %s]\n", name, name);
    snprintf(wanted, sizeof wanted,
             "[plain]\n# conf:2\npartner = %s\n\n[named %s]\n# used by [plain] partner, conf:2\n",
             name, name);
    assert_shown(text, false, wanted);
}

static void shows_origins_and_hides_secrets(void **state)
{
    (void)state;
    assert_shown("", false, "");
    assert_shown("[named a]\n", false, "[named a]\n# not used\n");
    assert_shown("[named a]\ntitle =\n[plain]\n\nwait = 60\npassword = tell nobody\n", false,
                 "[plain]\n# conf:5\nwait = 1m\n# conf:6\n# password = (set)\n"
                 "\n[named a]\n# not used\n# conf:2\ntitle =\n");
    assert_shown(
        "[must]\nneeded = x\n[plain]\ntries = 3\n", true,
        "[plain]\n# default\nquick = yes\n# conf:4\ntries = 3\n# default\nrate = unlimited\n"
        "# default\nwait = 3s\n# default\nroom = 10M\n# default\ntitle =\n"
        "# default\nreply = Go away\n# default\ncode = 550\n# default\ntable =\n"
        "# default\nhosts =\n# default\nmode = slow\n# default\nmarks =\n"
        "# default\npartner =\n# default\npassword =\n"
        "\n[must]\n# conf:2\nneeded = x\n");
}

static void shows_where_a_section_is_used(void **state)
{
    (void)state;
    assert_shown("[plain]\npartner = b\n[named a]\npartner = b\n[named b]\n\npartner = b\n"
                 "[named c]\n[named d]\npartner = c\n",
                 false,
                 "[plain]\n# conf:2\npartner = b\n"
                 "\n[named a]\n# not used\n# conf:4\npartner = b\n"
                 "\n[named b]\n# used by [plain] partner, conf:2\n"
                 "# used by [named a] partner, conf:4\n# used by [named b] partner, conf:7\n"
                 "# conf:7\npartner = b\n"
                 "\n[named c]\n# used by [named d] partner, conf:10\n"
                 "\n[named d]\n# not used\n# conf:10\npartner = c\n");
}

/* [policy NAME] takes what it leaves out from elsewhere: no default is true. */
static const struct key_preset presets[] = {
    {"EARLY", "tries", "4"},
    {"EARLY", "mode", "fast"},
    {"LATE", "wait", "5s"},
    {NULL, NULL, NULL},
};

static struct conf_type heir_type(void)
{
    struct conf_type heir = *sample_types[1];
    heir.inherits = true;
    heir.presets = presets;
    return heir;
}

static void assert_heirs(const char *text, bool defaults, const char *const *wanted)
{
    struct conf_type heir = heir_type();
    const struct conf_type *types[] = {&heir};
    struct problems problems, again;
    struct strbuf out;
    strbuf_init(&out);
    struct conf *conf = sample_read_types(text, strlen(text), types, 1, &problems);
    conf_show(conf, defaults, &out);
    for (; *wanted; wanted++)
        if (!strstr(strbuf_text(&out), *wanted))
            fail_msg("not shown: %s\nbut:\n%s", *wanted, strbuf_text(&out));
    struct conf *second = sample_read_types(strbuf_text(&out), out.n, types, 1, &again);
    assert_non_null(second);
    assert_int_equal(again.count, 0);
    conf_free(conf);
    conf_free(second);
    problems_done(&problems);
    problems_done(&again);
    strbuf_done(&out);
}

static void shows_what_heirs_have_of_their_own(void **state)
{
    static const char text[] = "[named a]\nwait = 2s\n[named EARLY]\ntries = 5\n";
    (void)state;
    assert_heirs(text, true,
                 (const char *const[]){
                     "wait = 2s\n# all else as in DEFAULT\n\n[named EARLY]\n# not used\n",
                     "conf:4\ntries = 5\n# predefined\nmode = fast\n# all else as in DEFAULT\n",
                     "\n\n[named DEFAULT]\n# default\n# quick = yes\n# default\n# tries = 2\n",
                     "# default\n# title =\n",
                     "\n\n[named LATE]\n# predefined\nwait = 5s\n# all else as in DEFAULT\n",
                     NULL});
    assert_heirs("[named DEFAULT]\ntries = 7\n", true,
                 (const char *const[]){"# default\n# quick = yes\n# /", "conf:2\ntries = 7\n",
                                       "# default\n# rate = unlimited\n",
                                       "[named EARLY]\n# predefined\ntries = 4\n", NULL});
}

static void shows_of_heirs_what_is_written(void **state)
{
    struct conf_type heir = heir_type();
    const struct conf_type *types[] = {&heir};
    static const char text[] = "[named EARLY]\nwait = 2s\n";
    struct problems problems;
    struct strbuf out;
    (void)state;
    strbuf_init(&out);
    struct conf *conf = sample_read_types(text, strlen(text), types, 1, &problems);
    conf_show(conf, false, &out);
    assert_non_null(strstr(strbuf_text(&out), "wait = 2s\n"));
    assert_null(strstr(strbuf_text(&out), "default"));
    assert_null(strstr(strbuf_text(&out), "DEFAULT"));
    conf_free(conf);
    problems_done(&problems);
    strbuf_done(&out);
}

/* The default of another section would not be true. */
static void shows_presets_where_nothing_is_inherited(void **state)
{
    struct conf_type type = heir_type();
    const struct conf_type *types[] = {&type};
    static const char text[] = "[named EARLY]\nwait = 2s\n";
    struct problems problems;
    struct strbuf out;
    (void)state;
    type.inherits = false;
    strbuf_init(&out);
    struct conf *conf = sample_read_types(text, strlen(text), types, 1, &problems);
    conf_show(conf, true, &out);
    const char *shown = strbuf_text(&out);
    assert_non_null(strstr(shown, "# default\nquick = yes\n# predefined\ntries = 4\n"));
    assert_non_null(strstr(shown, "# predefined\nmode = fast\n"));
    assert_null(strstr(shown, "LATE"));
    assert_null(strstr(shown, "DEFAULT"));
    conf_free(conf);
    problems_done(&problems);
    strbuf_done(&out);
}

static void documents_presets(void **state)
{
    struct conf_type heir = heir_type();
    const struct conf_type *types[] = {&heir};
    struct strbuf out;
    (void)state;
    strbuf_init(&out);
    conf_manual(types, 1, &out);
    assert_non_null(strstr(strbuf_text(&out),
                           ".El\n.Pp\nPredefined:\n.\\\" example: presets\n"
                           ".Bd -literal -offset indent\n[named EARLY]\ntries = 4\nmode = fast\n"
                           "[named LATE]\nwait = 5s\n.Ed\n"));
    strbuf_done(&out);
    strbuf_init(&out);
    conf_example(types, 1, &out);
    assert_non_null(strstr(strbuf_text(&out),
                           "#\n# Predefined:\n#   [named EARLY]\n"
                           "#   tries = 4\n#   mode = fast\n#   [named LATE]\n#   wait = 5s\n"
                           "#\n#[named"));
    strbuf_done(&out);
}

static void writes_the_example(void **state)
{
    struct strbuf out;
    (void)state;
    strbuf_init(&out);
    conf_example(sample_types, sample_ntypes, &out);
    const char *text = strbuf_text(&out);
    assert_non_null(strstr(text, "\n\n# --- named NAME ---\n#\n# Many sections.\n#[named NAME]\n\n"
                                 "# A switch. Allowed: yes or no.\n#quick = yes\n\n"
                                 "# A number. Two sentences. Allowed: 1..10. A change takes effect "
                                 "at a restart.\n#tries = 2\n"));
    assert_non_null(strstr(text, "\n# A section.\n#[must]\n\n"
                                 "# Must be there. Required.\n#needed =\n"));
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        assert_true(line[0] == '#' || line[0] == '\n');
        assert_true(strcspn(line, "\n") <= 78);
    }
    strbuf_done(&out);
}

static void writes_the_manual(void **state)
{
    struct strbuf out;
    (void)state;
    strbuf_init(&out);
    conf_manual(sample_types, sample_ntypes, &out);
    const char *text = strbuf_text(&out);
    assert_int_equal(strncmp(text,
                             ".Ss [plain]\\&\nOne section.\n.Bl -tag -width Ds\n.It Cm quick\n"
                             "A switch.\nAllowed: yes or no.\nDefault: yes.\n"
                             ".It Cm tries\nA number.\nTwo sentences.\nAllowed: 1..10.\n",
                             60),
                     0);
    assert_non_null(strstr(text, ".It Cm title\nA line with a \\e and a dot.\n"));
    assert_non_null(strstr(text, ".It Cm reply\n\\&.starts with a dot.\nDefault: Go away.\n"));
    assert_non_null(strstr(text, ".El\n.Ss [named NAME]\\&\n"));
    assert_non_null(strstr(text, "\nMust be there.\nRequired.\n.El\n"));
    strbuf_done(&out);
}

static void collect(const char *line, bool restart, void *arg)
{
    strbuf_printf(arg, "%s%s\n", line, restart ? " (restart)" : "");
}

static void assert_changes(const char *before, const char *after, const char *want)
{
    struct conf *old = sample_read_good(before), *new = sample_read_good(after);
    struct strbuf lines;
    strbuf_init(&lines);
    conf_compare(old, new, collect, &lines);
    assert_string_equal(strbuf_text(&lines), want);
    strbuf_done(&lines);
    conf_free(old);
    conf_free(new);
}

static void compares(void **state)
{
    (void)state;
    assert_changes(everything, everything, "");
    assert_changes("", "", "");
    assert_changes("[plain]\nwait = 1m\n", "#\n[plain]\nwait = 60s\n", "");
    assert_changes("", "[plain]\nwait = 4\ntries = 3\nhosts = a b\n",
                   "[plain] tries: 2 -> 3 (restart)\n[plain] wait: 3s -> 4s\n"
                   "[plain] hosts: \"\" -> a, b\n");
    assert_changes("[plain]\nwait = 3\n", "", "");
    assert_changes("[named a]\nwait = 3\n", "[named a]\n", "[named a] wait: 3s -> not set\n");
    assert_changes("[named a]\n[named b]\n", "[named c]\n[named b]\ncode = 551\n",
                   "[named a] removed\n[named c] added\n[named b] code: not set -> 551\n");
    assert_changes("[plain]\npassword = a\n", "[plain]\npassword = b\n",
                   "[plain] password: changed\n");
}

static void cuts_long_values(void **state)
{
    struct strbuf text, want;
    (void)state;
    for (int n = 199; n <= 201; n++) {
        strbuf_init(&text);
        strbuf_init(&want);
        strbuf_printf(&text, "[plain]\ntitle = %0*d\n", n, 0);
        strbuf_printf(&want, "[plain] title: \"\" -> %0*d%s\n", n < 200 ? n : 200, 0,
                      n > 200 ? "..." : "");
        assert_changes("", strbuf_text(&text), strbuf_text(&want));
        strbuf_done(&text);
        strbuf_done(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_reads_again),
        cmocka_unit_test(any_configuration_reads_again),
        cmocka_unit_test(shows_the_longest_name),
        cmocka_unit_test(shows_origins_and_hides_secrets),
        cmocka_unit_test(shows_where_a_section_is_used),
        cmocka_unit_test(shows_what_heirs_have_of_their_own),
        cmocka_unit_test(shows_of_heirs_what_is_written),
        cmocka_unit_test(shows_presets_where_nothing_is_inherited),
        cmocka_unit_test(documents_presets),
        cmocka_unit_test(writes_the_example),
        cmocka_unit_test(writes_the_manual),
        cmocka_unit_test(compares),
        cmocka_unit_test(cuts_long_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
