/* block_test.c - entries made at run time, before all groups, in the connect stage. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/log.h"
#include "lib/gate/journal.h"
#include "lib/gate/stage.h"

#define POLICY(name_, access_)                                                                     \
    {                                                                                              \
        .name = (name_), .keys = {                                                                 \
            .access = (access_),                                                                   \
            .reject_code = 554,                                                                    \
            .reject_text = "5.7.1 Not $HATEntry of $Group",                                        \
            .max_recipients_per_hour_text = "",                                                    \
            .max_sender_recipients_text = "",                                                      \
            .max_auth_recipients_text = "",                                                        \
            .dhap_text = "",                                                                       \
            .malformed_sender_text = "",                                                           \
            .nonexistent_sender_text = "",                                                         \
            .no_mx_text = "",                                                                      \
            .unresolvable_sender_text = "",                                                        \
            .max_message_size = 1000,                                                              \
            .max_messages_per_connection = 10                                                      \
        }                                                                                          \
    }
static const struct policy accepted = POLICY("ACCEPTED", POLICY_ACCEPT),
                           blocked = POLICY("BLOCKED", POLICY_REJECT),
                           shut = POLICY("", POLICY_TCPREFUSE),
                           own = POLICY("PRIVATE_BLOCKED", POLICY_REJECT);

struct world {
    struct arena *arena;
    struct hat *hat;        /* 192.0.2.66 and listed ones are refused */
    struct hat *by_type[2]; /* entries at run time */
    struct listener_keys keys;
    struct listener listener;
    const struct listener *pointer;
    struct host_answer host;
    unsigned lookups;
    struct conn_facts conn;
    struct verdict verdict;
};

static struct hat *table(const char *const *entries, const struct policy *const *policies, size_t n,
                         bool bare)
{
    struct key_item items[8];
    struct hat_group groups[8];
    struct problems problems;

    problems_init(&problems);
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct key_item){.text = entries[i]};
        groups[i] = (struct hat_group){.name = bare ? NULL : "GROUP",
                                       .at = {.file = bare ? NULL : "conf", .line = 7},
                                       .policy = policies[i],
                                       .senders = {&items[i], 1},
                                       .comment = bare ? "ticket \"7\"" : "of the group"};
    }
    struct hat *hat = hat_build(groups, n, &accepted, &problems);
    assert_non_null(hat);
    problems_done(&problems);
    return hat;
}

static void say_host(void *ctx, const struct conn_facts *conn, struct arena *arena,
                     mono_us deadline, struct host_answer *answer_out)
{
    const struct world *world = ctx;
    (void)conn;
    (void)arena;
    (void)deadline;
    *answer_out = world->host;
}

static enum lease_answer admit(void *ctx, enum crowd crowd, struct slice key, uint64_t limit,
                               struct lease **lease_out)
{
    (void)ctx;
    (void)crowd;
    (void)key;
    (void)limit;
    *lease_out = NULL;
    return LEASE_GIVEN;
}

static void leave(struct lease *lease)
{
    assert_null(lease);
}

static void count_lookup(void *ctx, const struct conn_facts *conn, const struct hat_wants *wants,
                         struct arena *arena, mono_us deadline, struct lookup_answer *answer_out)
{
    struct world *world = ctx;
    (void)conn;
    (void)wants;
    (void)arena;
    (void)deadline;
    world->lookups++;
    memset(answer_out, 0, sizeof *answer_out);
}

static int set_up(void **state)
{
    static const char *const senders[] = {"192.0.2.66", "dnslist[bl.example.org]"};
    static const struct policy *const targets[] = {&blocked, &blocked};
    static const char *const entries[] = {"192.0.2.7", ".Bad.example", "192.0.2.66",
                                          "2001:db8::/32", "198.51.100.0/24"};
    static const struct policy *const policies[] = {&blocked, &blocked, &accepted, &shut, &blocked};
    static const struct policy *const private[] = {&own, &own, &accepted, &shut, &own};
    struct world *world = calloc(1, sizeof *world);

    world->arena = arena_new(0);
    world->hat = table(senders, targets, 2, false);
    world->by_type[LISTENER_PUBLIC] = table(entries, policies, 5, true);
    world->by_type[LISTENER_PRIVATE] = table(entries, private, 5, true);
    world->keys = (struct listener_keys){.daemon_name = "", .local_address = ""};
    world->listener = (struct listener){.name = "in", .keys = &world->keys, .hat = world->hat};
    world->pointer = &world->listener;
    world->host.class = HOST_NO_PTR;
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    hat_free(world->hat);
    hat_free(world->by_type[0]);
    hat_free(world->by_type[1]);
    arena_free(world->arena);
    free(world);
    return 0;
}

static void come(struct world *world, const char *ip, bool with_blocks)
{
    struct services services = {.ctx = world,
                                .host = say_host,
                                .lookups = count_lookup,
                                .counting = {.enter = admit, .leave = leave}};
    struct gate gate = {.services = &services, .arena = world->arena, .deadline = MONO_NEVER};
    struct listeners listeners = {&world->pointer, 1};

    if (with_blocks)
        gate.blocks = (const struct hat *const *)world->by_type;
    world->lookups = 0;
    world->conn = (struct conn_facts){
        .icid = 1, .mta_name = "", .mta_resolve = "", .helo = "", .arrival.daemon_name = ""};
    world->conn.no_address = strcmp(ip, "unknown") == 0;
    assert_true(world->conn.no_address || ip_parse(slice_of(ip), &world->conn.client));
    gate_connect(&gate, &listeners, &world->conn, &world->verdict);
    world->verdict.ms = 0;
}

static void assert_came(const struct world *world, enum reason reason, const char *entry,
                        const struct policy *policy)
{
    assert_int_equal(world->verdict.reason, reason);
    assert_string_equal(world->conn.match.entry, entry);
    assert_ptr_equal(world->conn.policy, policy);
}

static void an_entry_comes_before_all_groups(void **state)
{
    struct world *world = *state;

    come(world, "192.0.2.7", true);
    assert_came(world, REASON_HAT_REJECTED, "192.0.2.7", &blocked);
    assert_null(world->conn.match.group);
    assert_string_equal(world->verdict.rule.file, "block:192.0.2.7");
    assert_int_equal(world->verdict.rule.line, 0);
    assert_string_equal(world->verdict.text, "Not 192.0.2.7 of None");
    assert_int_equal(world->lookups, 0);
    come(world, "192.0.2.66", true);
    assert_came(world, REASON_ACCEPTED, "192.0.2.66", &accepted);
    come(world, "2001:db8::5", true);
    assert_came(world, REASON_HAT_TCPREFUSED, "2001:db8::/32", &shut);
}

static void without_one_the_table_decides(void **state)
{
    struct world *world = *state;

    come(world, "192.0.2.8", true);
    assert_came(world, REASON_ACCEPTED, "ALL", &accepted);
    assert_int_equal(world->lookups, 1);
    come(world, "192.0.2.7", false);
    assert_came(world, REASON_ACCEPTED, "ALL", &accepted);
    come(world, "192.0.2.66", false);
    assert_came(world, REASON_HAT_REJECTED, "192.0.2.66", &blocked);
    assert_string_equal(world->conn.match.group, "GROUP");
}

static void names_must_be_verified(void **state)
{
    struct world *world = *state;

    world->host = (struct host_answer){.class = HOST_VERIFIED, .name = "mx.bad.example"};
    come(world, "192.0.2.9", true);
    assert_came(world, REASON_HAT_REJECTED, ".Bad.example", &blocked);
    static const char *const names[] = {"a.example", "mx.bad.example", "z.bad.example"};
    world->host = (struct host_answer){
        .class = HOST_VERIFIED, .name = "a.example", .names = names, .n = ARRAY_LEN(names)};
    come(world, "192.0.2.9", true);
    assert_came(world, REASON_HAT_REJECTED, ".Bad.example", &blocked);
    assert_string_equal(world->conn.host.name, "mx.bad.example"); /* the one that matched */
    world->host.class = HOST_PTR_MISMATCH;
    come(world, "192.0.2.9", true);
    assert_came(world, REASON_ACCEPTED, "ALL", &accepted);
    world->host.class = HOST_UNKNOWN;
    come(world, "192.0.2.9", true);
    assert_came(world, REASON_ACCEPTED, "ALL", &accepted);
}

static void without_an_address_only_all_matches(void **state)
{
    static const char *const entries[] = {"0.0.0.0/0", "::/0", ".bad.example", "ALL"};
    static const struct policy *const policies[] = {&blocked, &blocked, &blocked, &shut};
    struct world *world = *state;

    for (size_t n = 3; n <= 4; n++) {
        hat_free(world->by_type[LISTENER_PUBLIC]);
        world->by_type[LISTENER_PUBLIC] = table(entries, policies, n, true);
        world->host = (struct host_answer){.class = HOST_VERIFIED, .name = "mx.bad.example"};
        come(world, "unknown", true);
        assert_came(world, n < 4 ? REASON_ACCEPTED : REASON_HAT_TCPREFUSED, "ALL",
                    n < 4 ? &accepted : &shut);
        assert_int_equal(world->conn.host.class, HOST_UNKNOWN);
        assert_int_equal(world->lookups, 0);
    }
}

static void a_private_listener_has_its_own_policies(void **state)
{
    struct world *world = *state;

    world->keys.type = LISTENER_PRIVATE;
    come(world, "192.0.2.7", true);
    assert_came(world, REASON_HAT_REJECTED, "192.0.2.7", &own);
}

static void reject_at_holds_for_them_too(void **state)
{
    struct world *world = *state;

    world->keys.reject_at = REJECT_AT_RCPT;
    come(world, "192.0.2.7", true);
    assert_int_equal(world->verdict.action, VERDICT_CONTINUE);
    assert_true(world->conn.refused);
    assert_int_equal(world->conn.refusal.reason, REASON_HAT_REJECTED);
    come(world, "2001:db8::5", true);
    assert_int_equal(world->verdict.reason, REASON_HAT_TCPREFUSED);
}

static void keep_line(const char *line, void *arg)
{
    snprintf(arg, LOG_LINE_MAX, "%s", line);
}

static void the_log_names_the_entry(void **state)
{
    struct world *world = *state;
    char line[LOG_LINE_MAX] = "";

    come(world, "192.0.2.7", true);
    log_capture(keep_line, line);
    journal_connect(&world->conn, &world->verdict);
    log_capture(NULL, NULL);
    assert_non_null(strstr(line, " group=None entry=\"192.0.2.7\" policy=BLOCKED access=reject "));
    assert_non_null(strstr(line, " code=554 status=5.7.1 by=hat detail=rejected "));
    assert_non_null(strstr(line, " rule=block:192.0.2.7 comment=\"ticket \\\"7\\\"\" "));
}

/* Wherever it decides, and nowhere else. */
static void the_log_says_why_it_is_there(void **state)
{
    struct world *world = *state;
    struct mail_facts mail = {.mid = 1, .sent = slice_of("<a@b>"), .queue_id = ""};
    struct rcpt_facts rcpt = {.rid = 1, .sent = slice_of("<c@d>")};
    char line[LOG_LINE_MAX] = "";
    struct verdict verdict;

    log_capture(keep_line, line);
    world->keys.reject_at = REJECT_AT_RCPT;
    come(world, "192.0.2.7", true);
    journal_connect(&world->conn, &world->verdict);
    assert_non_null(strstr(line, "detail=delayed ms=0 rule=block:192.0.2.7 comment="));
    journal_mail(&world->conn, &mail, &world->conn.refusal);
    assert_non_null(strstr(line, " rule=block:192.0.2.7 comment="));
    journal_rcpt(&world->conn, &mail, &rcpt, &world->conn.refusal);
    assert_non_null(strstr(line, " rule=block:192.0.2.7 comment="));
    verdict_set(&verdict, REASON_TOO_MANY_MESSAGES);
    verdict.rule = (struct place){.file = "conf", .line = 3};
    journal_mail(&world->conn, &mail, &verdict);
    assert_non_null(strstr(line, " rule=conf:3"));
    assert_null(strstr(line, "comment="));
    come(world, "192.0.2.66", true);
    journal_connect(&world->conn, &world->verdict);
    assert_non_null(strstr(line, "detail=accepted ms=0 rule=block:192.0.2.66 comment="));
    come(world, "192.0.2.66", false); /* a group has its comment in the configuration */
    journal_connect(&world->conn, &world->verdict);
    assert_non_null(strstr(line, " rule=conf:7"));
    assert_null(strstr(line, "comment="));
    log_capture(NULL, NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_comes_before_all_groups), TEST(without_one_the_table_decides),
        TEST(names_must_be_verified),           TEST(without_an_address_only_all_matches),
        TEST(reject_at_holds_for_them_too),     TEST(a_private_listener_has_its_own_policies),
        TEST(the_log_names_the_entry),          TEST(the_log_says_why_it_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
