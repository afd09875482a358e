/* mapswatch_test.c - what is said of maps while another configuration comes (milter/mapswatch.h);
 * what is found in files: swap_test.c and t/box/onereload.t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "milter/mapswatch.h"
#include "t/unit/mta/folder.h"

static struct folder folder;
static struct mapswatch watch;

static int set_up(void **state)
{
    (void)state;
    folder_new(&folder);
    mapswatch_init(&watch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mapswatch_done(&watch);
    folder_done(&folder);
    return 0;
}

static void set(const char *content)
{
    struct maps maps;
    struct mapsums sums;

    maps_init(&maps);
    struct maps_file *file = maps_add(&maps, "relay-domains", NULL, MAPS_MODE);
    assert_non_null(file);
    strbuf_puts(&file->content, content);
    assert_true(mapsums_make(&maps, "hash", &sums));
    mapswatch_set(&watch, folder.path, &sums);
    maps_done(&maps);
}

static const char *look(enum mapswatch_state wanted)
{
    static char text[200];
    struct strbuf lines;

    strbuf_init(&lines);
    assert_int_equal(mapswatch_look(&watch, &lines), wanted);
    snprintf(text, sizeof text, "%s", strbuf_text(&lines));
    strbuf_done(&lines);
    return text;
}

static void one_after_the_other(void **state)
{
    (void)state;
    assert_string_equal(look(MAPSWATCH_NONE), "");
    set("one\n");
    assert_string_equal(look(MAPSWATCH_DIFFER), "relay-domains: is missing\n");
    folder_write(&folder, "relay-domains", 0644, "one\n");
    assert_string_equal(look(MAPSWATCH_SAME), "");
    assert_string_equal(look(MAPSWATCH_SAME), "");
    set("two\n"); /* of the same length: what was read before does not count */
    assert_string_equal(look(MAPSWATCH_DIFFER), "relay-domains: differs\n");
    folder_write(&folder, "relay-domains", 0644, "two\n");
    assert_string_equal(look(MAPSWATCH_SAME), "");
    mapswatch_set(&watch, folder.path, NULL);
    assert_string_equal(look(MAPSWATCH_UNKNOWN), "");
    mapswatch_set(&watch, NULL, NULL);
    assert_string_equal(look(MAPSWATCH_NONE), "");
}

static void a_folder_that_is_not_there(void **state)
{
    struct mapsums none = {0};
    (void)state;
    set("one\n");
    free(watch.folder);
    watch.folder = strdup("/nonexistent/maps");
    assert_string_equal(look(MAPSWATCH_DIFFER), "relay-domains: is missing\n");
    mapswatch_set(&watch, "/nonexistent", &none); /* no map at all */
    assert_string_equal(look(MAPSWATCH_SAME), "");
}

static void words(void **state)
{
    (void)state;
    assert_null(mapswatch_word(MAPSWATCH_NONE));
    assert_string_equal(mapswatch_word(MAPSWATCH_SAME), "same");
    assert_string_equal(mapswatch_word(MAPSWATCH_UNKNOWN), "cannot tell");
    assert_string_equal(mapswatch_word(MAPSWATCH_DIFFER), "differ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_after_the_other),
        TEST(a_folder_that_is_not_there),
        TEST(words),
    };
    return cmocka_run_group_tests_name("milter/mapswatch", tests, NULL, NULL);
}
