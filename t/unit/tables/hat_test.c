/*
 * hat_test.c - the Host Access Table by hand: who wins, what is told of wrong
 * entries, and the limits.
 */
#include "lib/tables/hat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/tables/table_file.h"

static const struct policy accepted = {.name = "ACCEPTED", .keys = {.access = POLICY_ACCEPT}};
static const struct policy blocked = {.name = "BLOCKED", .keys = {.access = POLICY_REJECT}};
static const struct policy skipped = {.name = "", .keys = {.access = POLICY_CONTINUE}};

#define ITEMS_MAX 200

/* A group from entries with blanks between. */
struct group_source {
    const char *name;
    const struct policy *policy;
    const char *senders;
    unsigned unverified;
};

struct scene {
    struct problems problems;
    struct key_item items[8][ITEMS_MAX];
    char text[8][6000];
    struct hat *hat;
};

static struct key_list split(struct scene *scene, size_t i, const char *senders)
{
    size_t n = 0;
    char *p = scene->text[i];
    snprintf(p, sizeof scene->text[i], "%s", senders);
    while (*p != '\0') {
        assert_true(n < ITEMS_MAX);
        scene->items[i][n++] = (struct key_item){
            p, {.file = "conf", .line = (unsigned)(10 * i + 1), .key = "[group G] senders"}};
        p += strcspn(p, " ");
        if (*p != '\0')
            *p++ = '\0';
    }
    return (struct key_list){scene->items[i], n};
}

static void begin(struct scene *scene, const struct group_source *sources, size_t n)
{
    struct hat_group groups[8];
    memset(scene, 0, sizeof *scene);
    problems_init(&scene->problems);
    assert_true(n <= ARRAY_LEN(groups));
    for (size_t i = 0; i < n; i++)
        groups[i] = (struct hat_group){.name = sources[i].name,
                                       .at = {.file = "conf", .line = (unsigned)(10 * i + 10)},
                                       .policy = sources[i].policy,
                                       .senders = split(scene, i, sources[i].senders),
                                       .unverified = sources[i].unverified};
    scene->hat = hat_build(groups, n, &accepted, &scene->problems);
    /* Nothing but the policies may be borrowed. */
    memset(scene->text, 'x', sizeof scene->text);
    memset(scene->items, 0, sizeof scene->items);
}

static void end(struct scene *scene)
{
    hat_free(scene->hat);
    problems_done(&scene->problems);
}

/* --- who wins -------------------------------------------------------------------------- */

static const struct group_source groups[] = {
    {"ALLOWED", &accepted, "192.0.2.7 mail.example.com SBO:64500", 0},
    {"PASSED", &skipped, "198.51.100.0/24 ALL nx.domain SBRS[none]", HAT_NO_PTR},
    {"SUSPECT", &accepted, "SBRS[-3.0:-1.0] 198.51.100.7 dnslist[bl.example] Serv.Fail",
     HAT_PTR_MISMATCH},
    {NULL, &blocked, ".example.com", 0},
    {"LATE", &blocked, "2001:db8::/32 country:JP 192.0.2.0/24", HAT_NO_PTR},
};

struct client_case {
    const char *ip;
    enum host_class class;
    const char *name;
    double score; /* 99: unknown, 98: none */
    uint32_t owner;
    const char *country, *listed;
    const char *group, *entry;
    bool by_owner;
};

static const struct client_case clients[] = {
    {"192.0.2.7", HOST_UNKNOWN, "", 99, 0, "", NULL, "ALLOWED", "192.0.2.7", false},
    {"::ffff:192.0.2.7", HOST_UNKNOWN, "", 99, 0, "", NULL, "ALLOWED", "192.0.2.7", false},
    {"192.0.2.8", HOST_UNKNOWN, "", 99, 0, "", NULL, "LATE", "192.0.2.0/24", false},
    {"192.0.2.8", HOST_VERIFIED, "mail.example.com", 99, 0, "", NULL, "ALLOWED", "mail.example.com",
     false},
    {"192.0.2.8", HOST_PTR_MISMATCH, "mail.example.com", 99, 0, "", NULL, "SUSPECT",
     "not.double.verified", false},
    {"192.0.2.8", HOST_PTR_TEMPFAIL, "", 99, 0, "", NULL, "SUSPECT", "serv.fail", false},
    {"203.0.113.1", HOST_NO_PTR, "", 99, 0, "", NULL, "LATE", "nx.domain", false},
    {"203.0.113.1", HOST_VERIFIED, "x.example.com", 99, 0, "", NULL, NULL, ".example.com", false},
    {"203.0.113.1", HOST_VERIFIED, "example.com", 99, 0, "", NULL, NULL, "ALL", false},
    {"203.0.113.1", HOST_VERIFIED, "badexample.com", 99, 0, "", NULL, NULL, "ALL", false},
    {"203.0.113.1", HOST_UNKNOWN, "", 99, 64500, "", NULL, "ALLOWED", "SBO:64500", true},
    /* Static before look-up in one group, whatever the order in the list. */
    {"192.0.2.7", HOST_UNKNOWN, "", 99, 64500, "", NULL, "ALLOWED", "192.0.2.7", false},
    {"198.51.100.7", HOST_UNKNOWN, "", -2, 0, "", NULL, "SUSPECT", "198.51.100.7", false},
    {"198.51.100.8", HOST_UNKNOWN, "", -2, 0, "", NULL, "SUSPECT", "SBRS[-3.0:-1.0]", false},
    /* Look-up before class. */
    {"198.51.100.8", HOST_PTR_MISMATCH, "", 99, 0, "", "bl.example", "SUSPECT",
     "dnslist[bl.example]", false},
    {"198.51.100.8", HOST_UNKNOWN, "", -3, 0, "", NULL, "SUSPECT", "SBRS[-3.0:-1.0]", false},
    {"198.51.100.8", HOST_UNKNOWN, "", -1, 0, "", NULL, "SUSPECT", "SBRS[-3.0:-1.0]", false},
    {"198.51.100.8", HOST_UNKNOWN, "", -0.99, 0, "", NULL, NULL, "ALL", false},
    {"198.51.100.8", HOST_UNKNOWN, "", -3.01, 0, "", NULL, NULL, "ALL", false},
    {"198.51.100.8", HOST_UNKNOWN, "", 98, 0, "", NULL, NULL, "ALL", false},
    {"198.51.100.8", HOST_UNKNOWN, "", 99, 0, "JP", NULL, "LATE", "country:JP", false},
    {"198.51.100.8", HOST_UNKNOWN, "", 99, 0, "DE", "other.example", NULL, "ALL", false},
    {"2001:db8::1", HOST_UNKNOWN, "", 99, 0, "", NULL, "LATE", "2001:db8::/32", false},
};

static struct hat_client client_of(const struct client_case *c, struct host_answer *host)
{
    static const uint32_t answer = 0x7f000002;
    static struct dnslisting listing;
    struct hat_client client = {.host = host,
                                .score_known = c->score < 99,
                                .score_none = c->score == 98,
                                .score = c->score,
                                .owner = c->owner,
                                .listed = &listing,
                                .nlisted = c->listed != NULL};
    listing = (struct dnslisting){c->listed, &answer, 1};
    assert_true(ip_parse(slice_of(c->ip), &client.ip));
    *host = (struct host_answer){.class = c->class};
    snprintf(host->name, sizeof host->name, "%s", c->name);
    snprintf(client.country, sizeof client.country, "%s", c->country);
    return client;
}

static void test_who_wins(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, groups, ARRAY_LEN(groups));
    assert_int_equal(scene.problems.count, 0);
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        const struct client_case *c = &clients[i];
        struct host_answer host;
        struct hat_client client = client_of(c, &host);
        struct hat_match match;
        print_message("# %s -> %s\n", c->ip, c->entry);
        hat_decide(scene.hat, &client, &match);
        assert_string_equal(match.entry, c->entry);
        assert_int_equal(match.by_owner, c->by_owner);
        if (c->group == NULL)
            assert_null(match.group);
        else
            assert_string_equal(match.group, c->group);
        assert_true(match.policy->keys.access != POLICY_CONTINUE);
        assert_null(match.at.key);
    }
    end(&scene);
}

/* Any name of the client, in any group; the first that the deciding entry means is the
 * one to show. */
static void test_several_names(void **state)
{
    (void)state;
    static const char *const names[] = {"a.example.com", "b.example.com", "mail.example.com",
                                        "z.example.net"};
    const struct {
        const char *names[4];
        size_t n;
        const char *ip, *entry, *host;
    } rows[] = {
        {{names[0], names[1], names[2], names[3]}, 4, "203.0.113.1", "mail.example.com", names[2]},
        {{names[0], names[1], names[3]}, 3, "203.0.113.1", ".example.com", names[0]},
        {{names[1], names[3]}, 2, "203.0.113.1", ".example.com", names[1]},
        {{names[3]}, 1, "203.0.113.1", "ALL", NULL},
        {{names[0], names[1], names[3]}, 3, "192.0.2.7", "192.0.2.7", NULL},
        {{names[1]}, 1, "203.0.113.1", ".example.com", names[1]},
    };
    struct scene scene;
    begin(&scene, groups, ARRAY_LEN(groups));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct host_answer host = {.class = HOST_VERIFIED,
                                   .names = rows[i].n > 1 ? rows[i].names : NULL,
                                   .n = rows[i].n > 1 ? rows[i].n : 0};
        struct hat_client client = {.host = &host};
        struct hat_match match;
        assert_true(ip_parse(slice_of(rows[i].ip), &client.ip));
        snprintf(host.name, sizeof host.name, "%s", rows[i].names[0]);
        hat_decide(scene.hat, &client, &match);
        assert_string_equal(match.entry, rows[i].entry);
        if (rows[i].host != NULL)
            assert_string_equal(match.host, rows[i].host);
        else
            assert_null(match.host);
        host.class = HOST_PTR_TEMPFAIL; /* then they are no names */
        hat_decide(scene.hat, &client, &match);
        assert_null(match.host);
    }
    end(&scene);
}

static void test_places(void **state)
{
    (void)state;
    struct scene scene;
    struct hat_match match;
    struct hat_client client = {.ip = ip_from_v4(0xc0000207)};
    begin(&scene, groups, ARRAY_LEN(groups));
    hat_decide(scene.hat, &client, &match);
    assert_string_equal(match.at.file, "conf");
    assert_int_equal(match.at.line, 10);
    assert_int_equal(hat_groups(scene.hat), 6);
    hat_group_get(scene.hat, 4, &match);
    assert_string_equal(match.group, "LATE");
    assert_int_equal(match.at.line, 50);
    hat_group_get(scene.hat, 5, &match);
    assert_null(match.group);
    assert_null(match.at.file);
    assert_string_equal(match.entry, "ALL");
    assert_ptr_equal(match.policy, &accepted);
    end(&scene);
}

static void test_walk(void **state)
{
    (void)state;
    struct scene scene;
    struct hat_entry entry;
    char first[IP_TEXT_MAX], last[IP_TEXT_MAX];
    begin(&scene, groups, ARRAY_LEN(groups));
    assert_int_equal(hat_entries(scene.hat), 15);
    hat_entry_get(scene.hat, 3, &entry);
    assert_string_equal(entry.text, "198.51.100.0/24");
    assert_int_equal(entry.kind, HAT_ENTRY_RANGE);
    assert_int_equal(entry.group, 1);
    assert_string_equal(ip_text(&entry.first, first), "198.51.100.0");
    assert_string_equal(ip_text(&entry.last, last), "198.51.100.255");
    hat_entry_get(scene.hat, 11, &entry);
    assert_string_equal(entry.text, ".example.com");
    assert_int_equal(entry.kind, HAT_ENTRY_SUFFIX);
    assert_int_equal(entry.group, 3);
    assert_true(hat_bytes(scene.hat) > 0);
    end(&scene);
}

/* --- what must be asked -------------------------------------------------------------------- */

static const struct {
    const char *ip;
    enum host_class class;
    bool score, owner, country;
    size_t zones;
} wants[] = {
    {"192.0.2.7", HOST_UNKNOWN, false, false, false, 0},
    {"198.51.100.7", HOST_UNKNOWN, false, true, false, 0},
    {"192.0.2.8", HOST_UNKNOWN, true, true, false, 1},
    {"203.0.113.1", HOST_UNKNOWN, true, true, true, 1},
    /* The class leads to SUSPECT, whose own look-ups come before it. */
    {"192.0.2.8", HOST_PTR_TEMPFAIL, true, true, false, 1},
    /* ... and to LATE. */
    {"203.0.113.1", HOST_NO_PTR, true, true, true, 1},
};

static void test_wants(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene, groups, ARRAY_LEN(groups));
    for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
        struct host_answer host = {.class = wants[i].class};
        struct hat_client client = {.host = &host};
        struct hat_wants found;
        print_message("# %s %d\n", wants[i].ip, (int)wants[i].class);
        assert_true(ip_parse(slice_of(wants[i].ip), &client.ip));
        hat_wants(scene.hat, &client, &found);
        assert_int_equal(found.score, wants[i].score);
        assert_int_equal(found.owner, wants[i].owner);
        assert_int_equal(found.country, wants[i].country);
        assert_int_equal(found.nzones, wants[i].zones);
        if (found.nzones > 0)
            assert_string_equal(found.zones[0], "bl.example");
    }
    end(&scene);
}

static void test_asks(void **state)
{
    (void)state;
    struct scene scene;
    struct hat_wants found;
    begin(&scene, groups, ARRAY_LEN(groups));
    hat_asks(scene.hat, &found);
    assert_true(found.score && found.owner && found.country);
    assert_int_equal(found.nzones, 1);
    assert_string_equal(found.zones[0], "bl.example");
    end(&scene);
    /* Groups that are passed over ask for nothing. */
    begin(&scene, &groups[1], 1);
    hat_asks(scene.hat, &found);
    assert_false(found.score || found.owner || found.country);
    assert_int_equal(found.nzones, 0);
    end(&scene);
}

/* What is known already decides as much as a static entry. */
static void test_wants_by_what_is_known(void **state)
{
    (void)state;
    struct scene scene;
    struct hat_wants found;
    begin(&scene, groups, ARRAY_LEN(groups));
    struct hat_client client = {.ip = ip_from_v4(0x01010101), .owner = 64500};
    hat_wants(scene.hat, &client, &found); /* the first look-up entry there is */
    assert_false(found.score || found.owner || found.country);
    assert_int_equal(found.nzones, 0);
    client = (struct hat_client){.ip = client.ip, .score_known = true, .score = -2};
    hat_wants(scene.hat, &client, &found); /* of SUSPECT: only ALLOWED's owner comes before */
    assert_true(found.owner);
    assert_false(found.score || found.country);
    assert_int_equal(found.nzones, 0);
    client.score = 5; /* matches nothing, leaves all to ask */
    hat_wants(scene.hat, &client, &found);
    assert_true(found.owner && found.country);
    assert_int_equal(found.nzones, 1);
    end(&scene);
}

/* --- problems and limits ---------------------------------------------------------------------- */

static void test_problems(void **state)
{
    (void)state;
    static const struct group_source wrong[] = {
        {"A", &accepted, "192.0.2.300 10.0.0.1/8 ok.example", 0},
        {"B", &skipped, "SBO:x", 0},
    };
    struct scene scene;
    begin(&scene, wrong, ARRAY_LEN(wrong));
    assert_null(scene.hat);
    assert_int_equal(scene.problems.count, 3);
    assert_string_equal(
        scene.problems.list[0].line,
        "conf:1: [group G] senders: \"192.0.2.300\": is not an IPv4 address; allowed: "
        "192.0.2.7, 192.0.2., 192.0.2.1-9, 192.0.2.1-192.0.2.9, 192.0.2.0/24");
    assert_string_equal(scene.problems.list[1].line,
                        "conf:1: warning: [group G] senders: 10.0.0.1/8 has bits set after its "
                        "prefix: 10.0.0.0/8 is used");
    assert_string_equal(
        scene.problems.list[2].line,
        "conf:11: [group G] senders: \"SBO:x\" is wrong; allowed: SBO:1 to SBO:4294967295");
    end(&scene);
}

static void test_warning_is_no_error(void **state)
{
    (void)state;
    static const struct group_source group[] = {{"A", &blocked, "2001:db8::1/32", 0}};
    struct scene scene;
    begin(&scene, group, 1);
    assert_non_null(scene.hat);
    assert_int_equal(scene.problems.count, 1);
    assert_string_equal(scene.problems.list[0].line,
                        "conf:1: warning: [group G] senders: 2001:db8::1/32 has bits set after "
                        "its prefix: 2001:db8::/32 is used");
    end(&scene);
}

/* One zone, one question, however many entries have an opinion of its answers: in the
 * end the first one that means one of them. */
static void test_answers(void **state)
{
    (void)state;
    static const struct group_source answers[] = {
        {"GOOD", &accepted, "dnslist[m.bl=127.0.0.1] 203.0.113.1", 0},
        {"PASSED", &skipped, "dnslist[m.bl=127.0.0.0-127.255.255.255]", 0},
        {"MEANT", &accepted, "dnslist[M.bl=127.0.0.4-127.0.0.8,127.0.1.0]", 0},
        {"LATER", &accepted, "dnslist[m.bl=127.0.0.8-127.0.0.9] dnslist[m.bl] dnslist[n.bl]", 0},
    };
    static const struct {
        uint32_t answers[3];
        size_t n;
        const char *entry;
    } rows[] = {
        {{0x7f000001}, 1, "dnslist[m.bl=127.0.0.1]"},
        {{0x7f000001, 0x7f000004}, 2, "dnslist[m.bl=127.0.0.1]"},
        {{0x7f000004}, 1, "dnslist[M.bl=127.0.0.4-127.0.0.8,127.0.1.0]"},
        {{0x7f000002, 0x7f000008, 0x7f000009}, 3, "dnslist[M.bl=127.0.0.4-127.0.0.8,127.0.1.0]"},
        {{0x7f000002, 0x7f000100}, 2, "dnslist[M.bl=127.0.0.4-127.0.0.8,127.0.1.0]"},
        {{0x7f000002, 0x7f000009}, 2, "dnslist[m.bl=127.0.0.8-127.0.0.9]"},
        {{0x7f000003}, 1, "dnslist[m.bl]"},
        {{0x7f000000}, 1, "dnslist[m.bl]"},
        {{0x7ffffeff}, 1, "dnslist[m.bl]"},
    };
    struct scene scene;
    struct hat_wants found;
    begin(&scene, answers, ARRAY_LEN(answers));
    assert_int_equal(scene.problems.count, 0);
    hat_asks(scene.hat, &found);
    assert_int_equal(found.nzones, 2);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dnslisting listing = {"m.bl", rows[i].answers, rows[i].n};
        struct hat_client client = {.ip = ip_from_v4(1), .listed = &listing, .nlisted = 1};
        struct hat_match match;
        size_t entry = 0;
        hat_decide(scene.hat, &client, &match);
        assert_string_equal(match.entry, rows[i].entry);
        while (!hat_entry_lists(scene.hat, entry, &listing) || entry == 2) /* of PASSED */
            entry++;
        struct hat_entry first;
        hat_entry_get(scene.hat, entry, &first);
        assert_string_equal(first.text, rows[i].entry);
        listing.zone = "n.bl"; /* which says the same of it */
        hat_decide(scene.hat, &client, &match);
        assert_string_equal(match.entry, rows[i].answers[0] == 0x7f000001 && rows[i].n == 1
                                             ? "ALL"
                                             : "dnslist[n.bl]");
        listing.zone = "o.bl";
        hat_decide(scene.hat, &client, &match);
        assert_string_equal(match.entry, "ALL");
    }
    end(&scene);
}

static void test_zones(void **state)
{
    (void)state;
    for (int n = HAT_ZONES_MAX - 1; n <= HAT_ZONES_MAX + 1; n++) {
        struct strbuf senders;
        struct scene scene;
        strbuf_init(&senders);
        strbuf_puts(&senders, "dnslist[z0.bl]");
        for (int i = 0; i < n; i++) /* entries of one zone count once */
            strbuf_printf(&senders, " dnslist[z%d.bl] dnslist[Z%d.bl=127.0.0.%d]", i, i, i);
        struct group_source group = {"A", &accepted, strbuf_text(&senders), 0};
        begin(&scene, &group, 1);
        assert_int_equal(scene.hat != NULL, n <= HAT_ZONES_MAX);
        if (scene.hat != NULL) {
            struct hat_client client = {.ip = ip_from_v4(1)};
            struct hat_wants found;
            hat_wants(scene.hat, &client, &found);
            assert_int_equal(found.nzones, n);
        } else {
            assert_string_equal(scene.problems.list[0].line,
                                "conf:10: more than 64 different DNS lists in one table");
        }
        end(&scene);
        strbuf_done(&senders);
    }
}

static struct hat *build_file(struct table_file *file)
{
    struct hat_group group = {.name = "A",
                              .policy = &blocked,
                              .senders_file = file->path,
                              .senders_file_at = table_file_named()};
    return hat_build(&group, 1, &accepted, &file->problems);
}

static void test_senders_file(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf# all kinds of lines\r\n"
                               "192.0.2.1 192.0.2.2,192.0.2.3 , .example.com\r\n"
                               "\n"
                               "\tm\xfcller.example # Latin-1\n"
                               ",,192.0.2.4,";
    struct table_file file;
    struct hat_entry entry;
    table_file_new(&file, slice_of(text));
    struct hat *hat = build_file(&file);
    assert_string_equal(table_file_problems(&file), "");
    assert_int_equal(hat_entries(hat), 6);
    hat_entry_get(hat, 4, &entry);
    assert_string_equal(entry.text, "m\xc3\xbcller.example");
    hat_entry_get(hat, 5, &entry);
    assert_string_equal(entry.text, "192.0.2.4");
    hat_free(hat);
    table_file_done(&file);
}

static void test_wrong_file(void **state)
{
    (void)state;
    struct table_file file;
    table_file_new(&file, slice_of("192.0.2.1\n  SBO:1,SBO:0\n10.1/8\n"));
    assert_null(build_file(&file));
    assert_string_equal(table_file_problems(&file),
                        "F:2:9: \"SBO:0\" is wrong; allowed: SBO:1 to SBO:4294967295\n"
                        "F:3:1: warning: 10.1/8 has bits set after its prefix: 10.0.0.0/8 is "
                        "used\n");
    table_file_done(&file);
}

static void test_empty(void **state)
{
    (void)state;
    struct scene scene;
    struct hat_match match;
    struct hat_wants found;
    struct hat_client client = {.ip = ip_from_v4(1), .score_known = true, .score_none = true};
    begin(&scene, NULL, 0);
    hat_decide(scene.hat, &client, &match);
    assert_string_equal(match.entry, "ALL");
    assert_ptr_equal(match.policy, &accepted);
    hat_wants(scene.hat, &client, &found);
    assert_false(found.score);
    assert_int_equal(hat_entries(scene.hat), 0);
    assert_int_equal(hat_groups(scene.hat), 1);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_wins),
        cmocka_unit_test(test_several_names),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_wants),
        cmocka_unit_test(test_asks),
        cmocka_unit_test(test_wants_by_what_is_known),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_warning_is_no_error),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_senders_file),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_wrong_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
