/*
 * generated_test.c - etc/gatehouse.conf.example and the key list of
 * etc/gatehouse.conf.5 say what the registry says, the list of reasons in
 * etc/gatehoused.8 what reasons.def says.
 *
 * `make generated` runs this program with GENERATE set: it writes these files
 * then. Finds the tree by the environment variable srcdir, as `make check`
 * and t/run set it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/gate/verdict.h"
#include "milter/registry.h"
#include "t/unit/conf/sample.h"

#define KEYS_BEGIN ".\\\" --- keys: written by `make generated` from the .def files ---\n"
#define KEYS_END ".\\\" --- end of keys ---\n"
#define REASONS_BEGIN ".\\\" --- reasons: written by `make generated` from reasons.def ---\n"
#define REASONS_END ".\\\" --- end of reasons ---\n"

static FILE *open_file(const char *name, const char *mode)
{
    struct strbuf path;
    const char *top = getenv("srcdir");
    strbuf_init(&path);
    strbuf_printf(&path, "%s/etc/%s", top ? top : ".", name);
    FILE *file = fopen(strbuf_text(&path), mode);
    if (!file)
        fail_msg("cannot open %s; is srcdir set?", strbuf_text(&path));
    strbuf_done(&path);
    return file;
}

static void read_file(const char *name, struct strbuf *out)
{
    char chunk[4096];
    size_t n;
    FILE *file = open_file(name, "r");
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        strbuf_add(out, chunk, n);
    fclose(file);
    assert_false(out->failed);
}

/* The file's text is want, or becomes it. */
static void hold(const char *name, const char *is, const char *want)
{
    if (getenv("GENERATE")) {
        FILE *file = open_file(name, "w");
        fputs(want, file);
        assert_int_equal(fclose(file), 0);
    } else if (strcmp(is, want) != 0) {
        fail_msg("etc/%s does not say what the .def files say; run `make generated`", name);
    }
}

static void example_is_up_to_date(void **state)
{
    struct strbuf is, want;
    (void)state;
    strbuf_init(&is);
    strbuf_init(&want);
    conf_example(registry, registry_count, &want);
    if (!getenv("GENERATE"))
        read_file("gatehouse.conf.example", &is);
    hold("gatehouse.conf.example", strbuf_text(&is), strbuf_text(&want));
    strbuf_done(&is);
    strbuf_done(&want);
}

/* What stands in the manual between begin and end is what put writes. */
static void hold_manual(const char *name, const char *begin, const char *end,
                        void (*put)(struct strbuf *out))
{
    struct strbuf is, want;
    strbuf_init(&is);
    strbuf_init(&want);
    read_file(name, &is);
    const char *from = strstr(strbuf_text(&is), begin), *to = strstr(strbuf_text(&is), end);
    assert_true(from && to && from < to);
    strbuf_add(&want, is.p, (size_t)(from - is.p) + strlen(begin));
    put(&want);
    strbuf_puts(&want, to);
    assert_false(want.failed);
    hold(name, is.p, strbuf_text(&want));
    strbuf_done(&is);
    strbuf_done(&want);
}

static void put_keys(struct strbuf *out)
{
    conf_manual(registry, registry_count, out);
}

static void keys_are_up_to_date(void **state)
{
    (void)state;
    hold_manual("gatehouse.conf.5", KEYS_BEGIN, KEYS_END, put_keys);
}

/* In lines of at most 78 columns. */
static void put_sentence(const char *text, struct strbuf *out)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        bool breaks = column + 1 + n > 78;
        if (column > 0)
            strbuf_putc(out, breaks ? '\n' : ' ');
        strbuf_add(out, text, n);
        column = breaks || column == 0 ? n : column + 1 + n;
        text += n + strspn(text + n, " ");
    }
    strbuf_putc(out, '\n');
}

static void put_reasons(struct strbuf *out)
{
    strbuf_puts(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < REASON_COUNT; i++) {
        const struct reason_row *row = &reason_rows[i];
        strbuf_printf(out, ".It Cm %s Pq %s\n", row->token, row->by);
        if (row->action != VERDICT_CONTINUE)
            strbuf_printf(out, ".Ql %d %s %s\n.br\n", row->code, row->status, row->text);
        put_sentence(row->doc, out);
    }
    strbuf_puts(out, ".El\n");
}

static void reasons_are_up_to_date(void **state)
{
    (void)state;
    hold_manual("gatehoused.8", REASONS_BEGIN, REASONS_END, put_reasons);
}

static void example_reads_as_it_is(void **state)
{
    struct strbuf text;
    struct problems problems;
    (void)state;
    strbuf_init(&text);
    conf_example(registry, registry_count, &text);
    struct conf *conf =
        sample_read_types(strbuf_text(&text), text.n, registry, registry_count, &problems);
    problems_print(&problems, stderr);
    assert_non_null(conf);
    assert_int_equal(problems.count, 0);
    conf_free(conf);
    problems_done(&problems);
    strbuf_done(&text);
}

/* Takes the '#' away from "#[section]" and "#key = default"; what is required
 * gets a value. */
static void put_in_effect(const char *line, struct strbuf *out)
{
    static const char required[] = " Required.";
    size_t n = strcspn(line, "\n");
    bool in_effect = line[0] == '#' && n > 1 && line[1] != ' ';
    strbuf_add(out, line + in_effect, n - in_effect);
    if (in_effect && line[n - 1] == '=') {
        const char *prose = line;
        while (prose[-2] != '\n')
            prose--;
        if (memmem(prose, (size_t)(line - prose), required, strlen(required)))
            strbuf_puts(out, " x");
    }
    strbuf_putc(out, '\n');
}

static void example_reads_in_effect(void **state)
{
    struct strbuf text, config;
    struct problems problems;
    (void)state;
    strbuf_init(&text);
    strbuf_init(&config);
    conf_example(registry, registry_count, &text);
    for (const char *line = strbuf_text(&text); *line; line += strcspn(line, "\n") + 1)
        put_in_effect(line, &config);
    struct conf *conf =
        sample_read_types(strbuf_text(&config), config.n, registry, registry_count, &problems);
    if (!conf)
        problems_print(&problems, stderr);
    assert_non_null(conf);
    assert_int_equal(problems.count, 0);
    for (size_t i = 0; i < registry_count; i++) {
        const struct conf_section *section = conf_next(conf, registry[i]->name, NULL);
        assert_non_null(section);
        for (size_t k = 0; k < *registry[i]->nrows; k++)
            assert_true(section->origins[k].line > 0);
    }
    conf_free(conf);
    problems_done(&problems);
    strbuf_done(&text);
    strbuf_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_is_up_to_date),   cmocka_unit_test(keys_are_up_to_date),
        cmocka_unit_test(reasons_are_up_to_date),  cmocka_unit_test(example_reads_as_it_is),
        cmocka_unit_test(example_reads_in_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
