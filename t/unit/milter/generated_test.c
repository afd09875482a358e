/*
 * generated_test.c - etc/gatehouse.conf.example and the key list of
 * etc/gatehouse.conf.5 say what the registry says.
 *
 * `make generated` runs this program with GENERATE set: it writes both files
 * then. Finds the tree by the environment variable srcdir, as `make check`
 * and t/run set it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "milter/registry.h"
#include "t/unit/conf/sample.h"

#define BEGIN ".\\\" --- keys: written by `make generated` from the .def files ---\n"
#define END ".\\\" --- end of keys ---\n"

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

static void manual_is_up_to_date(void **state)
{
    struct strbuf is, want;
    (void)state;
    strbuf_init(&is);
    strbuf_init(&want);
    read_file("gatehouse.conf.5", &is);
    const char *begin = strstr(strbuf_text(&is), BEGIN), *end = strstr(strbuf_text(&is), END);
    assert_true(begin && end && begin < end);
    strbuf_add(&want, is.p, (size_t)(begin - is.p) + strlen(BEGIN));
    conf_manual(registry, registry_count, &want);
    strbuf_puts(&want, end);
    hold("gatehouse.conf.5", is.p, strbuf_text(&want));
    strbuf_done(&is);
    strbuf_done(&want);
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

static size_t count_later(void)
{
    size_t n = 0;
    for (size_t i = 0; i < registry_count; i++) {
        bool later = registry[i]->flags & KEY_LATER;
        n += later;
        for (size_t k = 0; k < *registry[i]->nrows && !later; k++)
            n += (registry[i]->rows[k].flags & KEY_LATER) > 0;
    }
    return n;
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
    assert_int_equal(problems.count, count_later());
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
        cmocka_unit_test(example_is_up_to_date),
        cmocka_unit_test(manual_is_up_to_date),
        cmocka_unit_test(example_reads_as_it_is),
        cmocka_unit_test(example_reads_in_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
