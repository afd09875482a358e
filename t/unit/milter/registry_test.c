/* registry_test.c - every key of every section keeps the promises of its row. */
#include "milter/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/replytext.h"

static struct arena *arena;

/* One value for one key, in a section of its own. */
static bool set(const struct conf_type *type, const struct key_row *row, const char *text,
                void *section)
{
    struct key_source source = {.value = slice_of(text), .folder = "/folder"};
    struct err err = {0};
    memset(section, 0, type->size);
    bool good = key_set(row, section, &source, arena, &err);
    assert_true(good || err.text[0]);
    return good;
}

static void *new_section(const struct conf_type *type)
{
    void *section = arena_alloc(arena, type->size);
    assert_non_null(section);
    return section;
}

static void assert_accepts(const struct conf_type *type, const struct key_row *row,
                           const char *text)
{
    void *first = new_section(type), *second = new_section(type);
    struct strbuf printed;
    strbuf_init(&printed);
    if (!set(type, row, text, first))
        fail_msg("[%s] %s = %s is refused", type->name, row->name, text);
    key_print(row, first, &printed);
    if (!(row->flags & KEY_SECRET)) {
        if (!set(type, row, strbuf_text(&printed), second) || !key_same(row, first, second))
            fail_msg("[%s] %s = %s prints as %s", type->name, row->name, text,
                     strbuf_text(&printed));
    } else {
        assert_string_equal(strbuf_text(&printed), text[0] ? "(set)" : "");
    }
    strbuf_done(&printed);
}

static void assert_refuses(const struct conf_type *type, const struct key_row *row,
                           const char *text)
{
    if (set(type, row, text, new_section(type)))
        fail_msg("[%s] %s = %s is accepted", type->name, row->name, text);
}

/* A number in the unit of the row's value. */
static void put_number(const struct key_row *row, int64_t number, char text[40])
{
    snprintf(text, 40, row->type == KEY_CODE ? "%03lld%s" : "%lld%s", (long long)number,
             row->type == KEY_DURATION ? "ms" : "");
}

static void check_number(const struct conf_type *type, const struct key_row *row)
{
    char text[40];
    assert_true(row->min >= 0 && row->min <= row->max && row->max <= KEY_ANY_MAX);
    put_number(row, row->min, text);
    assert_accepts(type, row, text);
    put_number(row, row->max, text);
    assert_accepts(type, row, text);
    put_number(row, row->max + 1, text);
    assert_refuses(type, row, text);
    put_number(row, row->min - 1, text);
    if (row->min == 1 && row->flags & KEY_ZERO_UNLIMITED)
        assert_accepts(type, row, text);
    else if (row->min > 0 || !(row->flags & KEY_UNLIMITED))
        assert_refuses(type, row, text);
    if (row->flags & KEY_UNLIMITED) {
        assert_accepts(type, row, "unlimited");
        assert_accepts(type, row, "-1");
    } else {
        assert_refuses(type, row, "unlimited");
        assert_refuses(type, row, "-1");
    }
    assert_refuses(type, row, "");
    assert_refuses(type, row, "many");
}

static void check_words(const struct conf_type *type, const struct key_row *row)
{
    assert_non_null(row->words);
    assert_non_null(row->words[0]);
    for (size_t i = 0; row->words[i]; i++)
        assert_accepts(type, row, row->words[i]);
    assert_refuses(type, row, "nonsense");
}

static void check_text(const struct conf_type *type, const struct key_row *row)
{
    char text[REPLYTEXT_MAX + 2];
    for (int n = REPLYTEXT_MAX; n <= REPLYTEXT_MAX + 1; n++) {
        memset(text, 'x', sizeof text);
        text[n] = '\0';
        if (n <= REPLYTEXT_MAX)
            assert_accepts(type, row, text);
        else
            assert_refuses(type, row, text);
    }
    assert_refuses(type, row, "a\tb");
    assert_refuses(type, row, "\xff");
}

/* All of SPEC 2, in its order. */
static const struct {
    const char *name;
    bool named;
} sections[] = {{"gatehouse", false},  {"dns", false},       {"tls", false},
                {"reputation", false}, {"policy", true},     {"group", true},
                {"listener", true},    {"callahead", true},  {"ldap", true},
                {"routes", false},     {"maps", false},      {"auth", true},
                {"addresslist", true}, {"exceptions", false}};

static bool is_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        if (strcmp(sections[i].name, name) == 0)
            return sections[i].named;
    return false;
}

static void check_values(const struct conf_type *type, const struct key_row *row)
{
    switch (row->type) {
    case KEY_BOOL:
        assert_accepts(type, row, "yes");
        assert_accepts(type, row, "no");
        assert_refuses(type, row, "maybe");
        break;
    case KEY_COUNT:
    case KEY_DURATION:
    case KEY_SIZE:
    case KEY_CODE:
        check_number(type, row);
        break;
    case KEY_TEXT:
        check_text(type, row);
        break;
    case KEY_WORD:
    case KEY_SET:
        check_words(type, row);
        break;
    case KEY_REF:
        assert_true(is_named(row->refers));
        assert_accepts(type, row, "a.b-c_1");
        assert_refuses(type, row, "a b");
        break;
    case KEY_LIST:
        assert_accepts(type, row, "a, b\n c");
        assert_refuses(type, row, "a\x01");
        break;
    case KEY_STRING:
    case KEY_PATH:
        assert_accepts(type, row, "a b; # = c");
        assert_refuses(type, row, "a\x01");
        break;
    }
}

static void each_row(void (*check)(const struct conf_type *type, const struct key_row *row))
{
    for (size_t i = 0; i < registry_count; i++)
        for (size_t k = 0; k < *registry[i]->nrows; k++)
            check(registry[i], &registry[i]->rows[k]);
}

static void values_are_checked(void **state)
{
    (void)state;
    each_row(check_values);
}

static void check_default(const struct conf_type *type, const struct key_row *row)
{
    void *section = new_section(type), *other = new_section(type);
    assert_true(set(type, row, row->dflt, section));
    assert_true(key_set_default(row, other, "/folder", arena));
    assert_true(key_same(row, section, other));
    if (row->dflt[0])
        assert_accepts(type, row, row->dflt);
    if (row->flags & KEY_REQUIRED && row->type != KEY_WORD) /* of words, one is always the value */
        assert_string_equal(row->dflt, "");
}

static void defaults_parse(void **state)
{
    (void)state;
    each_row(check_default);
}

static void check_name_and_doc(const struct conf_type *type, const struct key_row *row)
{
    size_t last = strlen(row->doc);
    assert_ptr_equal(row, &type->rows[key_find(type->rows, *type->nrows, slice_of(row->name))]);
    assert_true(strlen(row->name) <= 49);
    assert_true(last > 0);
    if (!strchr(".?", row->doc[last - 1]))
        fail_msg("[%s] %s: the description is no sentence", type->name, row->name);
    assert_true(row->offset < type->size);
}

static void names_differ_and_are_described(void **state)
{
    (void)state;
    each_row(check_name_and_doc);
    for (size_t i = 0; i < registry_count; i++) {
        assert_true(registry[i]->doc[0] && *registry[i]->nrows > 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(registry[i]->name, registry[k]->name);
    }
}

static void all_sections_are_there(void **state)
{
    (void)state;
    assert_int_equal(registry_count, ARRAY_LEN(sections));
    for (size_t i = 0; i < registry_count; i++) {
        assert_string_equal(registry[i]->name, sections[i].name);
        assert_int_equal(registry[i]->arg != NULL, sections[i].named);
    }
}

static int make_arena(void **state)
{
    (void)state;
    arena = arena_new(0);
    return arena ? 0 : 1;
}

static int free_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sections_are_there),
        cmocka_unit_test(names_differ_and_are_described),
        cmocka_unit_test(defaults_parse),
        cmocka_unit_test(values_are_checked),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
