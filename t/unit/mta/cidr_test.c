/*
 * cidr_test.c - ranges in blocks, client tables by hand, and random HATs
 * whose tables, searched as Postfix does, must agree with hat_decide().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/cidr.h"
#include "t/unit/dice.h"
#include "t/unit/mta/tables.h"

static const struct cidr_table relay = {POLICY_RELAY, "OK", "DUNNO", false};
static const struct cidr_table refused = {POLICY_TCPREFUSE, "421 x", "DUNNO", true};

static struct ip ip_of(const char *text)
{
    struct ip ip;
    CHECK(ip_parse(slice_of(text), &ip));
    return ip;
}

static void test_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *first, *last, *blocks;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", "192.0.2.7/32 "},
        {"192.0.2.0", "192.0.2.255", "192.0.2.0/24 "},
        {"192.0.2.1", "192.0.2.9", "192.0.2.1/32 192.0.2.2/31 192.0.2.4/30 192.0.2.8/31 "},
        {"0.0.0.0", "255.255.255.255", "0.0.0.0/0 "},
        {"255.255.255.254", "255.255.255.255", "255.255.255.254/31 "},
        {"0.0.0.1", "0.0.0.2", "0.0.0.1/32 0.0.0.2/32 "},
        {"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0 "},
        {"2001:db8::1", "2001:db8::4", "2001:db8::1/128 2001:db8::2/127 2001:db8::4/128 "},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip next = ip_of(cases[i].first), last = ip_of(cases[i].last);
        struct strbuf out;
        strbuf_init(&out);
        for (bool more = true; more;) {
            char text[IP_TEXT_MAX];
            ip_text(&next, text);
            strbuf_printf(&out, "%s/%u ", text, cidr_next(&next, &last, &more));
        }
        assert_string_equal(strbuf_text(&out), cases[i].blocks);
        strbuf_done(&out);
    }
}

/* --- by hand ----------------------------------------------------------------- */

struct table_case {
    const char *hat, *relay, *refused;
};

static const struct table_case table_cases[] = {
    /* Nobody relays, nobody is refused. */
    {"A ACCEPT 192.0.2.1; B REJECT 10.0.0.0/8", "", ""},
    /* Only what stands ahead of an OK that it overlaps gets a DUNNO. */
    {"BAD REJECT 10.0.0.5 192.0.2.1; LAN RELAY 10.0.0.0/8; LATE REJECT 10.0.0.9",
     "# BAD: reject\n10.0.0.5\tDUNNO\n# LAN: relay\n10.0.0.0/8\tOK\n", ""},
    /* ... not one that stands behind, or overlaps only a block of the entry. */
    {"LAN RELAY 10.0.0.1; BAD REJECT 10.0.0.0/8", "# LAN: relay\n10.0.0.1\tOK\n", ""},
    {"BAD ACCEPTED 10.0.0.1-10.0.0.4; LAN RELAYED 10.0.0.2",
     "# BAD: ACCEPTED accept\n10.0.0.2/31\tDUNNO\n# LAN: RELAYED relay\n10.0.0.2\tOK\n", ""},
    /* Groups that continue are passed over. */
    {"C CONTINUE 10.0.0.5; LAN RELAY 10.0.0.0/24", "# LAN: relay\n10.0.0.0/24\tOK\n", ""},
    /* ALL ends the table. */
    {"A ACCEPT ALL; LAN RELAY 10.0.0.0/24", "", ""},
    {"C CONTINUE ALL; LAN RELAY 10.0.0.0/24", "# LAN: relay\n10.0.0.0/24\tOK\n", ""},
    /* Families do not mix: ::/0 is no IPv4 address. */
    {"A REJECT ::/0; LAN RELAY 10.0.0.0/24", "# LAN: relay\n10.0.0.0/24\tOK\n", ""},
    {"A REJECT 2001:db8::7; LAN RELAY 2001:db8::/32 ::ffff:10.0.0.1",
     "# A: reject\n2001:db8::7\tDUNNO\n# LAN: relay\n2001:db8::/32\tOK\n10.0.0.1\tOK\n", ""},
    /* Octets. */
    {"LAN RELAY 10. 192.168.1 172.16-31",
     "# LAN: relay\n10.0.0.0/8\tOK\n192.168.1.0/24\tOK\n"
     "172.16.0.0/12\tOK\n",
     ""},
    /* A range in one IPv6 group. */
    {"LAN RELAY 2001:db8:1-3:0:0:0:0:1 2001:db8::2-2001:db8::3",
     "# LAN: relay\n2001:db8:1::1\tOK\n2001:db8:2::1\tOK\n2001:db8:3::1\tOK\n2001:db8::2/127\tOK\n",
     ""},
    /* Entries without a group share a heading. */
    {"- RELAY 10.0.0.1; - RELAY 10.0.0.2; G RELAY 10.0.0.3; - RELAY 10.0.0.4",
     "# entries without a group\n10.0.0.1\tOK\n10.0.0.2\tOK\n# G: relay\n10.0.0.3\tOK\n"
     "# entries without a group\n10.0.0.4\tOK\n",
     ""},
    /* Refusals, and who is excepted from one. */
    {"OK ACCEPT 192.0.2.1; BAD TCPREFUSE 192.0.2.0/24", "",
     "# OK: accept\n192.0.2.1\tDUNNO\n# BAD: tcprefuse\n192.0.2.0/24\t421 x\n"},
    /* Behind a name nobody can say who is refused, but relaying still needs its OK. */
    {"OK ACCEPT mail.example.com; BAD TCPREFUSE 192.0.2.0/24; LAN RELAY 10.0.0.0/8",
     "# LAN: relay\n10.0.0.0/8\tOK\n", ""},
    {"B1 TCPREFUSE 192.0.2.1; OK ACCEPT SBRS[1:2]; BAD TCPREFUSE 192.0.2.0/24", "",
     "# B1: tcprefuse\n192.0.2.1\t421 x\n"},
    {"OK ACCEPT ?no_ptr; BAD TCPREFUSE 192.0.2.0/24", "", ""},
    {"OK CONTINUE ?no_ptr .example.com; BAD TCPREFUSE .example.net ?mismatch 192.0.2.0/24", "",
     "# BAD: tcprefuse\n192.0.2.0/24\t421 x\n"},
};

static void expect(const struct hat *hat, const struct cidr_table *table, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out);
    assert_true(cidr_write(hat, table, &out));
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_done(&out);
}

static void test_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(table_cases); i++) {
        struct scene scene;
        scene_new(&scene);
        struct hat *hat = scene_hat(&scene, table_cases[i].hat, "BLOCKED");
        expect(hat, &relay, table_cases[i].relay);
        expect(hat, &refused, table_cases[i].refused);
        hat_free(hat);
        scene_done(&scene);
    }
}

static void test_a_whole_group_range(void **state)
{
    (void)state;
    struct scene scene;
    struct strbuf out;
    scene_new(&scene);
    strbuf_init(&out);
    struct hat *hat =
        scene_hat(&scene, "A REJECT 7:0-ffff:2:3:4:5:6:7; B RELAY 7:1:2:3:4:5:6:7", "BLOCKED");
    expect(hat, &relay, "# A: reject\n7:1:2:3:4:5:6:7\tDUNNO\n# B: relay\n7:1:2:3:4:5:6:7\tOK\n");
    hat_free(hat);
    hat = scene_hat(&scene, "B RELAY 7:0-ffff:2:3:4:5:6:7", "BLOCKED");
    assert_true(cidr_write(hat, &relay, &out));
    size_t lines = 0;
    for (size_t i = 0; i < out.n; i++)
        lines += out.p[i] == '\n';
    assert_int_equal(lines, 65537);
    hat_free(hat);
    strbuf_done(&out);
    scene_done(&scene);
}

/* --- random tables ------------------------------------------------------------- */

/* First match over the lines, as cidr_table(5) says. */
static bool table_says(const char *lines, const struct ip *ip, const char *value)
{
    char line[200];
    for (; *lines != '\0'; lines += strcspn(lines, "\n") + 1) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(lines, "\n"), lines);
        if (line[0] == '#')
            continue;
        char *tab = strchr(line, '\t'), *slash = strchr(line, '/');
        assert_non_null(tab);
        *tab = '\0';
        unsigned bits = UINT32_MAX;
        if (slash != NULL) {
            *slash = '\0';
            bits = (unsigned)strtoul(slash + 1, NULL, 10);
        }
        struct ip net = ip_of(line);
        if (ip_is_v4(&net) != ip_is_v4(ip))
            continue;
        if (bits == UINT32_MAX)
            bits = ip_is_v4(ip) ? 32 : 128;
        struct ip masked = ip_masked(ip, bits), same = ip_masked(&net, bits);
        assert_true(ip_equal(&same, &net)); /* Postfix refuses host bits */
        if (ip_equal(&masked, &net))
            return strcmp(tab + 1, value) == 0;
    }
    return false;
}

/* Addresses out of a small space, so that entries meet. */
static void random_address(struct dice *dice, char out[40])
{
    unsigned x = dice_below(dice, 4), y = dice_below(dice, 32);
    if (dice_below(dice, 2) == 0)
        snprintf(out, 40, "10.0.%u.%u", x, y);
    else
        snprintf(out, 40, "2001:db8:0:0:%x:0:0:%x", x, y);
}

static void random_entry(struct dice *dice, struct strbuf *out)
{
    char address[40];
    unsigned from = dice_below(dice, 32), to = from + dice_below(dice, 32 - from);
    random_address(dice, address);
    bool v4 = strchr(address, '.') != NULL;
    switch (dice_below(dice, 8)) {
    case 0:
    case 1:
        strbuf_printf(out, " %s", address);
        return;
    case 2:
        strbuf_printf(out, v4 ? " 10.0.1.%u-10.0.2.%u" : " 2001:db8::1:0:0:%x-2001:db8::2:0:0:%x",
                      from, to);
        return;
    case 3:
        strbuf_printf(out, v4 ? " 10.0.0.%u-%u" : " 2001:db8:0:0:%u-3:0:0:%x", v4 ? from : from % 4,
                      to);
        return;
    case 4:
        strbuf_printf(out, v4 ? " 10.0.%u.0/%u" : " 2001:db8:0:0:%x::/%u", from % 4,
                      (v4 ? 22 : 62) + to % 3);
        return;
    case 5:
        strbuf_printf(out, " 10.0.%u", from % 4);
        return;
    case 6:
        strbuf_puts(out, " mail.example.com");
        return;
    default:
        strbuf_puts(out, v4 ? " 10.0.0.0/15" : " 2001:db8::/32");
        return;
    }
}

static void random_hat(struct dice *dice, struct strbuf *out)
{
    static const char *const targets[] = {"ACCEPT", "RELAY",     "RELAY",
                                          "REJECT", "TCPREFUSE", "CONTINUE"};
    size_t groups = 1 + dice_below(dice, 6);
    for (size_t i = 0; i < groups; i++) {
        strbuf_printf(out, "G%zu %s", i, targets[dice_below(dice, ARRAY_LEN(targets))]);
        for (size_t n = dice_below(dice, 4); n > 0; n--)
            random_entry(dice, out);
        if (dice_below(dice, 30) == 0)
            strbuf_puts(out, " ALL");
        strbuf_puts(out, ";");
    }
}

/* Ascending, apart from each other, and holding ip exactly if says is true. */
static void compare_ranges(const struct hat *hat, const struct cidr_table *table,
                           const struct ip *ip, bool says)
{
    struct cidr_range *list;
    size_t n;
    bool held = false;
    assert_true(cidr_ranges(hat, table, &list, &n));
    for (size_t i = 0; i < n; i++) {
        assert_true(ip_compare(&list[i].first, &list[i].last) <= 0);
        if (i > 0 && ip_is_v4(&list[i].first) == ip_is_v4(&list[i - 1].first))
            assert_true(ip_compare(&list[i - 1].last, &list[i].first) < 0);
        held = held || (ip_compare(&list[i].first, ip) <= 0 && ip_compare(ip, &list[i].last) <= 0);
    }
    assert_int_equal(held, says);
    free(list);
}

/* A client without a name gets OK exactly if the HAT relays it, and is refused
 * only if the HAT refuses it. */
static void compare(struct dice *dice, const struct hat *hat, const char *written, bool names)
{
    struct strbuf oks, refusals;
    strbuf_init(&oks);
    strbuf_init(&refusals);
    assert_true(cidr_write(hat, &relay, &oks));
    assert_true(cidr_write(hat, &refused, &refusals));
    for (int i = 0; i < 60; i++) {
        char address[40];
        random_address(dice, address);
        struct hat_client client = {.ip = ip_of(address)};
        struct hat_match match;
        hat_decide(hat, &client, &match);
        bool all = strcmp(match.entry, "ALL") == 0;
        bool relays = match.policy->keys.access == POLICY_RELAY && !all;
        bool refuses = match.policy->keys.access == POLICY_TCPREFUSE && !all;
        bool ok = table_says(strbuf_text(&oks), &client.ip, "OK");
        bool no = table_says(strbuf_text(&refusals), &client.ip, "421 x");
        if (i % 10 == 0) {
            compare_ranges(hat, &relay, &client.ip, ok);
            compare_ranges(hat, &refused, &client.ip, no);
        }
        if (ok != relays || (no && !refuses) || (!no && refuses && !names))
            fail_msg("%s\n%s\n%s\n%s", address, written, strbuf_text(&oks), strbuf_text(&refusals));
    }
    strbuf_done(&oks);
    strbuf_done(&refusals);
}

static void test_random_tables(void **state)
{
    (void)state;
    struct dice dice = dice_start(0);
    struct strbuf written;
    strbuf_init(&written);
    for (int i = 0; i < 2000; i++) {
        struct scene scene;
        scene_new(&scene);
        strbuf_reset(&written);
        random_hat(&dice, &written);
        struct hat *hat = scene_hat(&scene, strbuf_text(&written), "BLOCKED");
        compare(&dice, hat, strbuf_text(&written),
                strstr(strbuf_text(&written), "mail.example.com") != NULL);
        hat_free(hat);
        scene_done(&scene);
    }
    strbuf_done(&written);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_a_whole_group_range),
        cmocka_unit_test(test_random_tables),
    };
    return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
