/* maps_test.c - the list of files, and which listener may have some. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "lib/mta/maps.h"

static void test_files_are_kept(void **state)
{
    (void)state;
    struct maps maps;
    char suffix[16];
    maps_init(&maps);
    for (int i = 0; i < 100; i++) {
        snprintf(suffix, sizeof suffix, "L%d", i);
        struct maps_file *file = maps_add(&maps, "relay_clients", i == 0 ? NULL : suffix, 0600);
        assert_non_null(file);
        assert_int_equal(file->mode, 0600);
        strbuf_printf(&file->content, "%d", i);
    }
    assert_int_equal(maps.count, 100);
    assert_string_equal(maps.list[0].name, "relay_clients");
    assert_string_equal(maps.list[99].name, "relay_clients.L99");
    assert_string_equal(strbuf_text(&maps.list[99].content), "99");
    maps_done(&maps);
    assert_int_equal(maps.count, 0);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        {"inbound", true},
        {"IN.bound_2-a", true},
        {"_", true},
        {"", false},
        {".", false},
        {"..", false},
        {"-o", false},
        {"a/b", false},
        {"a b", false},
        {"a,b", false},
        {"a\nb", false},
        {"a$b", false},
        {"a{", false},
        {"\xc3\xa4", false},
        {"0123456789012345678901234567890123456789012345678901234567890123", true},
        {"01234567890123456789012345678901234567890123456789012345678901234", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (maps_name_ok(cases[i].name) != cases[i].ok)
            fail_msg("%s", cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_kept),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
