/* conf_memory_test.c - every allocation of reading and printing fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "t/unit/conf/sample.h"
#include "t/unit/no_memory.h"

static const char good[] = "[plain]\nhosts = a, b,\n  c\ntitle = x\npartner = n1\n"
                           "[named n1]\n[named n2]\n[named n3]\n[named n4]\n[named n5]\n"
                           "[must]\nneeded = x\n";
static const char bad[] = "[plian]\n[plain]\nhots = a\npartner = n1\nwait = 9h\n[named a b]\n";

static char path[64];

static void write_file(const char *text)
{
    snprintf(path, sizeof path, "/tmp/gatehouse-test-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* n: which allocation fails; errors: how many there are when none does.
 * Returns whether one did. */
static bool read_without(size_t n, size_t errors)
{
    struct problems problems;
    problems_init(&problems);
    memory_fail_once((int)n + 1);
    struct conf *conf = conf_read(path, sample_types, sample_ntypes, &problems);
    bool failed = memory_failed();
    memory_allow(-1);
    assert_int_equal(conf == NULL, problems_errors(&problems) > 0);
    if (!failed)
        assert_int_equal(problems_errors(&problems), errors);
    if (failed && errors > 0)
        assert_true(problems_errors(&problems) > 0);
    if (conf) {
        const struct conf_section *section = conf_find(conf, "plain", "");
        assert_int_equal(((const struct sample_keys *)section->values)->hosts.n, 3);
    }
    conf_free(conf);
    problems_done(&problems);
    return failed;
}

static void reading_survives(void **state)
{
    size_t n = 0;
    (void)state;
    write_file(good);
    while (read_without(n, 0))
        n++;
    assert_true(n > 20);
    unlink(path);
    write_file(bad);
    for (n = 0; read_without(n, 5);)
        n++;
    assert_true(n > 20);
    unlink(path);
}

static void ignore(const char *line, bool restart, void *arg)
{
    (void)restart;
    (void)arg;
    assert_int_equal(line[0], '[');
}

static void printing_survives(void **state)
{
    struct conf *conf = sample_read_good(good), *other = sample_read_good("[plain]\ncode = 421\n");
    bool failed = true;
    (void)state;
    for (size_t n = 0; failed; n++) {
        struct strbuf out;
        strbuf_init(&out);
        memory_fail_once((int)n + 1);
        conf_show(conf, true, &out);
        conf_example(sample_types, sample_ntypes, &out);
        conf_manual(sample_types, sample_ntypes, &out);
        failed = memory_failed();
        memory_allow(-1);
        assert_int_equal(out.failed, failed);
        memory_fail_once((int)n + 1);
        conf_compare(conf, other, ignore, NULL);
        memory_allow(-1);
        strbuf_done(&out);
    }
    conf_free(conf);
    conf_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_survives),
        cmocka_unit_test(printing_survives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
