/* listener_test.c - which listener a connection belongs to (lib/gate/listener.h). */
#include "lib/gate/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

struct written {
    const char *name, *daemon, *address; /* "" not given */
    int port;                            /* 0 not given */
};

#define LISTENERS_MAX 5

static const struct {
    const char *what;
    struct written listeners[LISTENERS_MAX];
    const char *daemon, *address;
    uint16_t port;
    const char *want; /* NULL: none */
} choices[] = {
    {"no listener at all", {{0}}, "smtpd", "192.0.2.1", 25, NULL},
    {"the fallback takes all", {{"any", "", "", 0}}, "smtpd", "192.0.2.1", 25, "any"},
    {"the fallback needs no macros", {{"any", "", "", 0}}, "", "", 0, "any"},
    {"no fallback", {{"a", "in", "", 0}}, "out", "", 0, NULL},

    {"by daemon name", {{"a", "in", "", 0}, {"b", "out", "", 0}}, "out", "", 0, "b"},
    {"names are whole", {{"a", "in", "", 0}}, "inner", "", 0, NULL},
    {"names have a case", {{"a", "in", "", 0}}, "IN", "", 0, NULL},
    {"no daemon name known", {{"a", "in", "", 0}}, "", "192.0.2.1", 25, NULL},

    {"by address", {{"a", "", "192.0.2.1", 0}, {"b", "", "192.0.2.2", 0}}, "", "192.0.2.2", 0, "b"},
    {"another address", {{"a", "", "192.0.2.1", 0}}, "", "192.0.2.9", 0, NULL},
    {"no address known", {{"a", "", "192.0.2.1", 0}}, "smtpd", "", 25, NULL},
    {"IPv6", {{"a", "", "2001:db8::1", 0}}, "", "2001:db8:0:0::1", 0, "a"},
    {"mapped IPv4 is IPv4", {{"a", "", "192.0.2.1", 0}}, "", "::ffff:192.0.2.1", 0, "a"},

    {"by port", {{"a", "", "", 25}, {"b", "", "", 587}}, "", "", 587, "b"},
    {"another port", {{"a", "", "", 25}}, "", "", 26, NULL},
    {"no port known", {{"a", "", "", 25}}, "", "", 0, NULL},
    {"the highest port", {{"a", "", "", 65535}}, "", "", 65535, "a"},

    {"all must match", {{"a", "in", "", 587}, {"any", "", "", 0}}, "in", "", 25, "any"},
    {"one wrong of three", {{"a", "in", "192.0.2.1", 25}}, "in", "192.0.2.1", 26, NULL},
    {"three of three", {{"a", "in", "192.0.2.1", 25}}, "in", "192.0.2.1", 25, "a"},

    {"most keys win, fallback first",
     {{"any", "", "", 0}, {"one", "in", "", 0}, {"two", "in", "", 25}},
     "in",
     "192.0.2.1",
     25,
     "two"},
    {"most keys win, fallback last",
     {{"three", "in", "192.0.2.1", 25}, {"two", "in", "", 25}, {"any", "", "", 0}},
     "in",
     "192.0.2.1",
     25,
     "three"},
    {"two keys beat one, in any order",
     {{"one", "in", "", 0}, {"two", "", "192.0.2.1", 25}},
     "in",
     "192.0.2.1",
     25,
     "two"},
    {"more keys that do not match win nothing",
     {{"two", "in", "", 26}, {"one", "", "", 25}},
     "in",
     "",
     25,
     "one"},
    {"as many keys: file order",
     {{"address", "", "192.0.2.1", 0}, {"name", "in", "", 0}, {"port", "", "", 25}},
     "in",
     "192.0.2.1",
     25,
     "address"},
    {"as many keys: file order, reversed",
     {{"port", "", "", 25}, {"name", "in", "", 0}, {"address", "", "192.0.2.1", 0}},
     "in",
     "192.0.2.1",
     25,
     "port"},
};

struct built {
    struct listener_keys keys[LISTENERS_MAX];
    struct listener v[LISTENERS_MAX];
    const struct listener *pointers[LISTENERS_MAX];
    struct listeners all;
};

static void build(const struct written *written, struct built *built)
{
    *built = (struct built){.all.v = built->pointers};
    for (size_t i = 0; i < LISTENERS_MAX && written[i].name != NULL; i++) {
        built->keys[i] = (struct listener_keys){.daemon_name = written[i].daemon,
                                                .local_address = written[i].address,
                                                .local_port = written[i].port};
        built->v[i] = (struct listener){.name = written[i].name, .keys = &built->keys[i]};
        if (written[i].address[0] != '\0') {
            built->v[i].has_local_ip = true;
            assert_true(ip_parse(slice_of(written[i].address), &built->v[i].local_ip));
        }
        built->pointers[built->all.n++] = &built->v[i];
    }
}

static void the_best_match_is_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        struct built built;
        struct arrival arrival = {.daemon_name = choices[i].daemon, .local_port = choices[i].port};
        build(choices[i].listeners, &built);
        if (choices[i].address[0] != '\0') {
            arrival.has_local_ip = true;
            assert_true(ip_parse(slice_of(choices[i].address), &arrival.local_ip));
        }
        const struct listener *got = listener_for(&built.all, &arrival);
        const char *want = choices[i].want != NULL ? choices[i].want : "(none)";
        const char *name = got != NULL ? got->name : "(none)";
        if (strcmp(name, want) != 0)
            fail_msg("%s: %s instead of %s", choices[i].what, name, want);
    }
}

static void names_are_found_exactly(void **state)
{
    static const struct written written[LISTENERS_MAX] = {{"inbound", "", "", 0},
                                                          {"in", "x", "", 0}};
    struct built built;
    (void)state;
    build(written, &built);
    assert_ptr_equal(listener_named(&built.all, "in"), &built.v[1]);
    assert_ptr_equal(listener_named(&built.all, "inbound"), &built.v[0]);
    assert_null(listener_named(&built.all, "inb"));
    assert_null(listener_named(&built.all, "IN"));
    assert_null(listener_named(&built.all, ""));
    built.all.n = 0;
    assert_null(listener_named(&built.all, "in"));
}

/* Defaults of SPEC 2, [listener NAME]. */
static void defaults_are_those_of_the_manual(void **state)
{
    struct listener_keys keys;
    struct arena *arena = arena_new(0);
    (void)state;
    assert_non_null(arena);
    memset(&keys, 0x5a, sizeof keys);
    for (size_t i = 0; i < listener_nrows; i++)
        assert_true(key_set_default(&listener_rows[i], &keys, "/etc", arena));
    assert_int_equal(keys.type, LISTENER_PUBLIC);
    assert_int_equal(keys.reject_at, REJECT_AT_CONNECT);
    assert_int_equal(keys.address_parser, MAILADDR_STRICT);
    assert_int_equal(keys.use_reputation, REPUTATION_AUTO);
    assert_true(keys.allow_partial_domain);
    assert_int_equal(keys.max_connections, 300);
    assert_int_equal(keys.local_port, 0);
    assert_string_equal(keys.daemon_name, "");
    assert_string_equal(keys.callahead, "");
    assert_int_equal(keys.groups.n, 0);
    arena_free(arena);
}

/* The code switches over the words by their number. */
static const struct {
    const char *key, *word;
    int value;
} words[] = {
    {"type", "public", LISTENER_PUBLIC},         {"type", "private", LISTENER_PRIVATE},
    {"reject_at", "connect", REJECT_AT_CONNECT}, {"reject_at", "mail", REJECT_AT_MAIL},
    {"reject_at", "rcpt", REJECT_AT_RCPT},       {"address_parser", "strict", MAILADDR_STRICT},
    {"address_parser", "loose", MAILADDR_LOOSE}, {"use_reputation", "auto", REPUTATION_AUTO},
    {"use_reputation", "yes", REPUTATION_YES},   {"use_reputation", "no", REPUTATION_NO},
};

static void words_mean_their_enum(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t row = key_find(listener_rows, listener_nrows, slice_of(words[i].key));
        assert_int_not_equal(row, SIZE_MAX);
        assert_string_equal(listener_rows[row].words[words[i].value], words[i].word);
    }
}

static void auto_reputation_is_for_public_listeners(void **state)
{
    (void)state;
    static const struct {
        int type, word;
        bool used;
    } rows[] = {
        {LISTENER_PUBLIC, REPUTATION_AUTO, true}, {LISTENER_PUBLIC, REPUTATION_YES, true},
        {LISTENER_PUBLIC, REPUTATION_NO, false},  {LISTENER_PRIVATE, REPUTATION_AUTO, false},
        {LISTENER_PRIVATE, REPUTATION_YES, true}, {LISTENER_PRIVATE, REPUTATION_NO, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listener_keys keys = {.type = rows[i].type, .use_reputation = rows[i].word};
        struct listener listener = {.keys = &keys};
        assert_int_equal(listener_uses_reputation(&listener), rows[i].used);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_match_is_chosen),
        cmocka_unit_test(names_are_found_exactly),
        cmocka_unit_test(defaults_are_those_of_the_manual),
        cmocka_unit_test(words_mean_their_enum),
        cmocka_unit_test(auto_reputation_is_for_public_listeners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
