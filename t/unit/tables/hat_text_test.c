/*
 * hat_text_test.c - HAT text files: what is read, as an export shows it; every
 * mistake with its place; policies; what the vendor printed.
 */
#include "lib/tables/hat_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "lib/tables/policy_text.h"
#include "t/unit/tables/table_file.h"

struct scene {
    struct arena *arena;
    const struct policies *policies;
    struct table_file file;
    struct strbuf out;
    struct hat *hat;
};

/* [policy DEFAULT] max_messages_per_connection = 7, [policy MINE] access = relay. */
static const struct policies *make_policies(struct arena *arena, bool private_listener)
{
    struct policy_keys *keys = arena_alloc(arena, 2 * sizeof *keys);
    struct place *origins = arena_alloc(arena, 2 * policy_nrows * sizeof *origins);
    struct policy_written *written = arena_alloc(arena, 2 * sizeof *written);
    size_t messages = key_find(policy_rows, policy_nrows, slice_of("max_messages_per_connection"));
    size_t access = key_find(policy_rows, policy_nrows, slice_of("access"));
    keys[0].max_messages_per_connection = 7;
    origins[messages].line = 1;
    keys[1].access = POLICY_RELAY;
    origins[policy_nrows + access].line = 2;
    written[0] = (struct policy_written){.name = "DEFAULT", .keys = keys, .origins = origins};
    written[1] = (struct policy_written){
        .name = "MINE", .keys = keys + 1, .origins = origins + policy_nrows};
    return policies_build(written, 2, private_listener, arena);
}

static void begin(struct scene *scene, struct slice content)
{
    memset(scene, 0, sizeof *scene);
    scene->arena = arena_new(0);
    strbuf_init(&scene->out);
    scene->policies = make_policies(scene->arena, false);
    assert_non_null(scene->policies);
    table_file_new(&scene->file, content);
    scene->hat = hat_text_load(scene->file.path, table_file_named(), scene->policies,
                               policies_find(scene->policies, "ACCEPTED"), &scene->file.problems);
}

static const char *exported(struct scene *scene)
{
    assert_non_null(scene->hat);
    strbuf_reset(&scene->out);
    hat_text_export(scene->hat, NULL, &scene->out);
    return strbuf_text(&scene->out);
}

static void end(struct scene *scene)
{
    hat_free(scene->hat);
    table_file_done(&scene->file);
    strbuf_done(&scene->out);
    arena_free(scene->arena);
}

/* --- what is read ------------------------------------------------------------------------ */

struct text_case {
    const char *text, *exported;
};

static const struct text_case good[] = {
    {"", "ALL\n        $ACCEPTED\n"},
    {"ALL REJECT", "ALL\n        REJECT\n"},
    {"all: reject", "ALL\n        REJECT\n"},
    {"ALL:$TRUSTED", "ALL\n        $TRUSTED\n"},
    {"ALL\n  $MINE (Everyone else)\n", "ALL\n        $MINE (Everyone else)\n"},
    {"A: ACCEPT\nALL: RELAY", "A:\n        ACCEPT\nALL\n        RELAY\n"},
    {"A:\n\t$TRUSTED\nALL: RELAY", "A:\n        $TRUSTED\nALL\n        RELAY\n"},
    {"A: 192.0.2.1,\nb.example,\nc.example\n  CONTINUE\nALL RELAY",
     "A:\n    192.0.2.1, b.example, c.example\n        CONTINUE\nALL\n        RELAY\n"},
    {"  A: a.example ACCEPT\n  b.example REJECT\n  ALL RELAY",
     "A:\n    a.example\n        ACCEPT\nb.example\n        REJECT\nALL\n        RELAY\n"},
    {"A: a.example b.example ,c.example,, $MINE\nALL RELAY",
     "A:\n    a.example, b.example, c.example\n        $MINE\nALL\n        RELAY\n"},
    {"a.example, b.example\n REJECT\nALL RELAY",
     "a.example, b.example\n        REJECT\nALL\n        RELAY\n"},
    {"relay, RELAY\nA: x, relay, reject, REJECT\nALL RELAY",
     "relay,\n        RELAY\nA:\n    x, relay, reject,\n        REJECT\nALL\n        RELAY\n"},
    {"ALL, a.example REJECT\nALL, REJECT\nALL RELAY",
     "ALL, a.example\n        REJECT\nALL,\n        REJECT\nALL\n        RELAY\n"},
    {"2001:db8:: REJECT\n::/0 RELAY\nALL RELAY",
     "2001:db8::\n        REJECT\n::/0\n        RELAY\nALL\n        RELAY\n"},
    {"A: dnslist[a.example] dnslist[B.example=127.0.0.2,127.0.0.4-127.0.0.8],x.example REJECT\n"
     "dnslist[c.example=127.0.0.1] RELAY (good)\nALL RELAY",
     "A:\n    dnslist[a.example], dnslist[B.example=127.0.0.2,127.0.0.4-127.0.0.8], x.example\n"
     "        REJECT\ndnslist[c.example=127.0.0.1]\n        RELAY (good)\nALL\n        RELAY\n"},
    {"A.b_c-1: SBRS[none] $MINE\nALL RELAY",
     "A.b_c-1:\n    SBRS[none]\n        $MINE\nALL\n        RELAY\n"},
    {"# x\n   # y\na.example REJECT # y\nALL RELAY #",
     "a.example\n        REJECT\nALL\n        RELAY\n"},
    {"a.example REJECT (x) # y\nb.example REJECT (x) # (y)\nc.example REJECT()\nALL RELAY",
     "a.example\n        REJECT (x)\nb.example\n        REJECT (x) # (y)\n"
     "c.example\n        REJECT\nALL\n        RELAY\n"},
    /* a comment that was broken over lines, as exports of the vendor do */
    {"A:\n    b.example\n        REJECT (Suspicious\n    senders, \"all\" of them)\nALL RELAY "
     "(x\r\n  y "
     "\r\n\r\n\tz\r\n) # w\r\n",
     "A:\n    b.example\n        REJECT (Suspicious senders, \"all\" of them)\nALL\n        RELAY "
     "(x y "
     "z)\n"},
    {"$P ACCEPT {} (of the\nfile)\nb.example RELAY (\n  x\n)\nALL $P",
     "$P\n    ACCEPT (of the file)\nb.example\n        RELAY (x)\nALL\n        $P\n"},
    {"a.example REJECT ( \"a (b\" ) # c )\r\nALL RELAY\r\n",
     "a.example\n        REJECT ( \"a (b\" ) # c )\nALL\n        RELAY\n"},
    {"a.example\nREJECT\n(x)\nALL\nRELAY\n", "a.example\n        REJECT (x)\nALL\n        RELAY\n"},
    {"\xef\xbb\xbf"
     "ALL RELAY",
     "ALL\n        RELAY\n"},
    {"m\xfcller.example REJECT (Gr\xfc\xdf"
     "e)\nALL RELAY",
     "m\xc3\xbcller.example\n        REJECT (Gr\xc3\xbc\xc3\x9f"
     "e)\nALL\n        RELAY\n"},
    /* policies */
    {"$A ACCEPT", "$A\n    ACCEPT\nALL\n        $ACCEPTED\n"},
    {"$A\nACCEPT\n{\nmax_concurrency = 5\n}\nALL: $A",
     "$A\n    ACCEPT {\n        max_concurrency = 5\n    }\nALL\n        $A\n"},
    {"$A REJECT {}\n$B REJECT { } (none)\nALL: $A",
     "$A\n    REJECT\n$B\n    REJECT (none)\nALL\n        $A\n"},
    {"$A ACCEPT{max_concurrency=5,max_msgs_per_session =6 x = \"a \\\" \\\\ # (b\"tls=off}\nALL $A",
     "$A\n    ACCEPT {\n        max_concurrency = 5\n        max_msgs_per_session = 6\n"
     "        x = \"a \\\" \\\\ # (b\"\n        tls = off\n    }\nALL\n        $A\n"},
    {"a.example REJECT { smtp_banner_code = 450 } (c)\nALL $MINE",
     "a.example\n        REJECT {\n            smtp_banner_code = 450\n        } (c)\n"
     "ALL\n        $MINE\n"},
    {"$TRUSTED REJECT\nA: $TRUSTED\nALL $DEFAULT",
     "$TRUSTED\n    REJECT\nA:\n        $TRUSTED\nALL\n        $DEFAULT\n"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct scene scene;
        print_message("# %s\n", good[i].text);
        begin(&scene, slice_of(good[i].text));
        const char *problems = table_file_problems(&scene.file);
        assert_null(strstr(problems, ": error"));
        if (scene.hat == NULL)
            fail_msg("%s", problems);
        assert_string_equal(exported(&scene), good[i].exported);
        end(&scene);
    }
}

/* --- mistakes ---------------------------------------------------------------------------- */

#define NO_TARGET                                                                                  \
    "a target is missing; allowed: $POLICY, ACCEPT, RELAY, REJECT, TCPREFUSE or CONTINUE\n"
#define NO_ACTION "allowed: ACCEPT, RELAY, REJECT, TCPREFUSE or CONTINUE\n"
#define NO_SETTING "KEY = VALUE is missing in the braces, or the closing \"}\"\n"
#define NOT_HERE "a line that is not indented begins with $POLICY, with GROUP: or with a sender\n"

#define UNCLOSED                                                                                   \
    "the comment has no closing \")\" at the end of this line or of one that follows, or "         \
    "something follows it\n"

static const struct text_case bad[] = {
    {"a.example", "F:1:1: " NO_TARGET},
    {"A:", "F:1:1: " NO_TARGET},
    {"A:\n192.0.2.1 REJECT", "F:1:1: " NO_TARGET},
    {"A:\n$MINE", "F:1:1: " NO_TARGET "F:2:1: an action is missing after $MINE; " NO_ACTION},
    {"good.example\nbad.example REJECT", "F:1:1: " NO_TARGET},
    {"ALL", "F:1:1: " NO_TARGET},
    {"ALL:", "F:1:1: " NO_TARGET},
    {"A: = REJECT", "F:1:4: " NO_TARGET},
    {"A: \"x\" REJECT", "F:1:4: " NO_TARGET},
    {"= x\nREJECT\nALL RELAY", "F:1:1: " NOT_HERE},
    {"REJECT\nALL RELAY", "F:1:1: " NOT_HERE},
    {"a.example REJECT b.example RELAY", "F:1:18: only a comment in parentheses may follow in "
                                         "this line\n"},
    {"a.example REJECT (x", "F:1:18: the comment has no closing \")\" at the end of this line or "
                            "of one that follows, or something "
                            "follows it\n"},
    {"a.example REJECT (x) y\n\nALL RELAY",
     "F:1:18: the comment has no closing \")\" at the end of this line or of one that "
     "follows, or something follows it\n"},
    /* one without an end takes no statement with it */
    {"a.example REJECT (x\nB: b.example REJECT (y)\nALL RELAY", "F:1:18: " UNCLOSED},
    {"a.example REJECT (x\nb.example REJECT\nc.example REJECT (y)\nALL RELAY", "F:1:18: " UNCLOSED},
    {"a.example REJECT (x\nB:\n    b.example\n        REJECT\nALL RELAY", "F:1:18: " UNCLOSED},
    {"a.example REJECT (x\n$P ACCEPT {}\nALL $P (y)",
     "F:1:18: " UNCLOSED
     "F:2:1: policies must come before groups and senders, which begin in line 1\n"},
    {"a.example (x) REJECT", "F:1:11: the comment has no closing \")\" at the end of this line or "
                             "of one that follows, or something "
                             "follows it\n"},
    {"a.example\n(x)\nREJECT\n", "F:2:1: " NO_TARGET},
    {"b#c.example, 10.0.0.300 REJECT\n10.0.0.301 REJECT",
     "F:1:1: \"b#c.example\" is no sender; allowed: address, range, network, host name, .domain, "
     "SBRS[], SBO:, country:, dnslist[], nx.domain, serv.fail, not.double.verified, ALL\n"
     "F:1:14: \"10.0.0.300\": is not an IPv4 address; allowed: 192.0.2.7, 192.0.2., 192.0.2.1-9, "
     "192.0.2.1-192.0.2.9, 192.0.2.0/24\n"
     "F:2:1: \"10.0.0.301\": is not an IPv4 address; allowed: 192.0.2.7, 192.0.2., 192.0.2.1-9, "
     "192.0.2.1-192.0.2.9, 192.0.2.0/24\n"},
    {"a.example $NONE\nb.example $\nALL $accepted",
     "F:1:11: there is no policy $NONE, neither in this file nor in the configuration\n"
     "F:2:11: there is no policy $, neither in this file nor in the configuration\n"
     "F:3:5: there is no policy $accepted, neither in this file nor in the configuration\n"},
    {"A: REJECT\nA: RELAY\nB: RELAY\nA: RELAY", "F:2:1: the group A is in line 1 already\n"
                                                "F:4:1: the group A is in line 1 already\n"},
    {"ALL RELAY\nA: REJECT\nALL RELAY\n", "F:2:1: nothing may follow ALL, which is in line "
                                          "1\n"},
    {"ALL\n    CONTINUE", "F:2:5: continue is not possible here: nothing comes after ALL\n"},
    {"$C CONTINUE\nALL: $C", "F:2:6: continue is not possible here: nothing comes after ALL\n"},
    {"A: REJECT\n$B ACCEPT\nb.example $B",
     "F:2:1: policies must come before groups and senders, which begin in line 1\n"},
    {"$A ACCEPT\n$B REJECT\n$A RELAY\nA: $A", "F:3:1: $A is in line 1 already\n"},
    {"$A\n$B FOO\n$C: ACCEPT\nA: $A\nB: $B",
     "F:1:1: an action is missing after $A; " NO_ACTION
     "F:2:1: an action is missing after $B; " NO_ACTION
     "F:3:1: \"$C:\" is not the name of a policy; allowed: letters, digits, \"_\", \".\", \"-\"\n"},
    /* braces */
    {"$A ACCEPT {", "F:1:11: the closing \"}\" is missing\n"},
    {"$A ACCEPT {\n tls = off\n$B REJECT\nX: $A\nY: $B", "F:1:11: the closing \"}\" is missing\n"},
    {"$A ACCEPT {\n tls = off\nX: $A\nY: $NONE",
     "F:1:11: the closing \"}\" is missing\n"
     "F:4:4: there is no policy $NONE, neither in this file nor in the configuration\n"},
    {"$A ACCEPT { tls }\nA: $A", "F:1:13: \"=\" and a value are missing after tls\n"},
    {"$A ACCEPT { tls = }\nA: $A", "F:1:19: a value is missing after tls =\n"},
    {"$A ACCEPT {\n = x\n tls = maybe\n { } \n",
     "F:2:2: " NO_SETTING "F:3:8: tls: \"maybe\" is unknown; allowed: off, preferred or required\n"
     "F:4:2: " NO_SETTING},
    {"$A ACCEPT { tls = \"off }\nA: $A", "F:1:19: the closing double quote is missing\n"
                                         "F:1:11: the closing \"}\" is missing\n"},
    {"$A ACCEPT { tls = off TLS = off x = 1 X = 2 max_concurrency = 0 }\nA: $NONE",
     "F:1:29: TLS is given twice\n"
     "F:1:37: warning: x is unknown: kept, but without effect\n"
     "F:1:43: X is given twice\n"
     "F:1:63: max_concurrency: \"0\" is outside 1..1000000\n"
     "F:2:4: there is no policy $NONE, neither in this file nor in the configuration\n"},
    {"$A ACCEPT { max_concurrency = 5 max_connections_per_ip = 5 }",
     "F:1:58: max_connections_per_ip is given twice\n"},
    {"$A ACCEPT { sender_rate_period = 2h access = reject }",
     "F:1:46: warning: access is unknown: kept, but without effect\n"
     "F:1:34: $A sender_rate_period: allowed in [policy DEFAULT] only, because all policies share "
     "its counters\n"},
    {"$A REJECT { smtp_banner_code = 220 }",
     "F:1:32: smtp_banner_code: \"220\" is outside 400..599\n"},
    {"$A ACCEPT { smtp_banner_code = 554 }",
     "F:1:32: smtp_banner_code: \"554\" is outside 200..299\n"},
    {"$A REJECT { smtp_banner_code = 220 smtp_banner_text = \"4.7.1 go away\" }",
     "F:1:32: smtp_banner_code: \"220\" is outside 400..599\n"},
    {"$A REJECT { smtp_banner_code = 450 smtp_banner_text = \"5.7.1 go away\" }",
     "F:1:55: $A smtp_banner_text: the status 5.7.1 does not fit the code 450: it must begin with "
     "4\n"},
    {"a.example REJECT { smtp_banner_text = \"4.7.1 go away\" }",
     "F:1:39: reject smtp_banner_text: the status 4.7.1 does not fit the code 554: it must begin "
     "with 5\n"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct scene scene;
        print_message("# %s\n", bad[i].text);
        begin(&scene, slice_of(bad[i].text));
        assert_string_equal(table_file_problems(&scene.file), bad[i].exported);
        assert_null(scene.hat);
        end(&scene);
    }
}

/* --- what it means -------------------------------------------------------------------------- */

/* "" where the row is as in DEFAULT. */
static void assert_policy(const struct scene *scene, size_t index, const char *name,
                          const char *key, const char *value)
{
    bool own;
    struct strbuf text;
    const struct policy *policy = hat_policy_get(scene->hat, index, &own);
    size_t row = key_find(policy_rows, policy_nrows, slice_of(key));
    assert_true(own && row < policy_nrows);
    assert_string_equal(policy->name, name);
    strbuf_init(&text);
    key_print(&policy_rows[row], &policy->keys, &text);
    assert_string_equal(strbuf_text(&text), value);
    strbuf_done(&text);
}

static void test_policies(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene,
          slice_of("$THROTTLED\n ACCEPT { max_rcpts_per_msg = 3 dhap_limit = 0\n"
                   "  max_rcpts_per_hour = -1 use_sb = \"off\" max_message_size = 2M\n"
                   "  spam_check = off virus_check = \"on\" verify_sender = on\n"
                   "  smtp_banner_code = 221 smtp_banner_text = \"hello\" tls = required }\n"
                   "$BLOCKED reject { smtp_banner_code = 450 smtp_banner_text = \"later\" }\n"
                   "A: 192.0.2.1 $THROTTLED\n"
                   "B: 192.0.2.2 $MINE\n"
                   "192.0.2.3 TCPREFUSE { reject_text = \"gone\" }\n"
                   "192.0.2.4 REJECT\n"
                   "ALL $BLOCKED\n"));
    assert_non_null(scene.hat);
    assert_policy(&scene, 0, "THROTTLED", "access", "accept");
    assert_policy(&scene, 0, "THROTTLED", "max_recipients_per_message", "3");
    /* From [policy DEFAULT], not from the predefined policy of that name. */
    assert_policy(&scene, 0, "THROTTLED", "max_messages_per_connection", "7");
    assert_policy(&scene, 0, "THROTTLED", "max_connections_per_ip", "10");
    assert_policy(&scene, 0, "THROTTLED", "max_invalid_recipients_per_hour", "unlimited");
    assert_policy(&scene, 0, "THROTTLED", "max_recipients_per_hour", "unlimited");
    assert_policy(&scene, 0, "THROTTLED", "use_reputation", "no");
    assert_policy(&scene, 0, "THROTTLED", "max_message_size", "2M");
    assert_policy(&scene, 0, "THROTTLED", "spam_scan", "no");
    assert_policy(&scene, 0, "THROTTLED", "virus_scan", "yes");
    assert_policy(&scene, 0, "THROTTLED", "verify_sender", "yes");
    assert_policy(&scene, 0, "THROTTLED", "banner_code", "221");
    assert_policy(&scene, 0, "THROTTLED", "banner_text", "hello");
    assert_policy(&scene, 0, "THROTTLED", "tls", "required");
    assert_policy(&scene, 1, "BLOCKED", "reject_code", "450");
    assert_policy(&scene, 1, "BLOCKED", "reject_text", "later");
    assert_policy(&scene, 1, "BLOCKED", "banner_code", "220");
    assert_policy(&scene, 3, "", "reject_text", "gone");
    assert_policy(&scene, 3, "", "access", "tcprefuse");

    static const struct {
        uint32_t ip;
        const char *group, *policy, *access;
        unsigned line;
    } clients[] = {{0xc0000201, "A", "THROTTLED", "accept", 7},
                   {0xc0000202, "B", "MINE", "relay", 8},
                   {0xc0000203, NULL, "", "tcprefuse", 9},
                   {0xc0000204, NULL, "", "reject", 10},
                   {0xc0000205, NULL, "BLOCKED", "reject", 11}};
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        struct hat_client client = {.ip = ip_from_v4(clients[i].ip)};
        struct hat_match match;
        hat_decide(scene.hat, &client, &match);
        if (clients[i].group == NULL)
            assert_null(match.group);
        else
            assert_string_equal(match.group, clients[i].group);
        assert_string_equal(match.policy->name, clients[i].policy);
        assert_string_equal(policy_access_name((enum policy_access)match.policy->keys.access),
                            clients[i].access);
        assert_string_equal(match.at.file, scene.file.path);
        assert_int_equal(match.at.line, clients[i].line);
    }
    end(&scene);
}

/* A text the administrator wrote in [policy DEFAULT] must fit a code written in
 * the file. */
static void test_default_text(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct policy_keys keys = {.reject_text = "5.7.1 No"};
    struct place *origins = arena_alloc(arena, policy_nrows * sizeof *origins);
    origins[key_find(policy_rows, policy_nrows, slice_of("reject_text"))].line = 1;
    struct policy_written written = {.name = "DEFAULT", .keys = &keys, .origins = origins};
    const struct policies *policies = policies_build(&written, 1, false, arena);
    struct table_file file;
    table_file_new(&file, slice_of("$A REJECT { smtp_banner_code = 450 }"));
    assert_null(hat_text_load(file.path, table_file_named(), policies,
                              policies_find(policies, "ACCEPTED"), &file.problems));
    assert_string_equal(table_file_problems(&file),
                        "F:1:32: $A smtp_banner_code: the status 5.7.1 does not fit the code 450: "
                        "it must begin with 4\n");
    table_file_done(&file);
    arena_free(arena);
}

static void test_warnings(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene,
          slice_of("$A ACCEPT { dhap_limit = 1 x = 1 }\n$B ACCEPT { dhap_limit = 1 x = 1 }\n"
                   "a.example: REJECT\n10: REJECT\nc: REJECT\n10.0.0.1/8 REJECT\n"));
    assert_string_equal(
        table_file_problems(&scene.file),
        "F:1:32: warning: x is unknown: kept, but without effect\n"
        "F:2:32: warning: x is unknown: kept, but without effect\n"
        "F:3:1: warning: a.example: is the name of a group without senders; a sender alone is "
        "written without the colon\n"
        "F:4:1: warning: 10: is the name of a group without senders; a sender alone is written "
        "without the colon\n"
        "F:6:1: warning: 10.0.0.1/8 has bits set after its prefix: 10.0.0.0/8 is used\n");
    assert_non_null(scene.hat);
    end(&scene);
}

/* Bare entries in a row may be one group, but never so that it shows. */
static const struct run_case {
    const char *text;
    size_t groups;     /* with ALL */
    const char *lines; /* where each entry's rule stands */
    const char *exported;
} runs[] = {
    {"192.0.2.1 REJECT\n192.0.2.2 REJECT\nb.example REJECT\n.c.example REJECT\nALL RELAY", 3,
     "1 2 3 4 ",
     "192.0.2.1\n        REJECT\n192.0.2.2\n        REJECT\nb.example\n        REJECT\n"
     ".c.example\n        REJECT\nALL\n        RELAY\n"},
    {"192.0.2.1\n REJECT\n192.0.2.2\n REJECT\n192.0.2.3\n REJECT\nALL RELAY", 2, "1 3 5 ", NULL},
    {"192.0.2.1 REJECT\n192.0.2.2 REJECT\n\n192.0.2.3 REJECT\n192.0.2.4 REJECT\nALL RELAY", 3,
     "1 2 4 5 ", NULL},
    {"192.0.2.1 REJECT\n192.0.2.2 ACCEPT\n192.0.2.3 ACCEPT\nALL ACCEPT", 3, "1 2 3 ", NULL},
    {"192.0.2.1 REJECT\n192.0.2.2 REJECT (x)\n192.0.2.3 REJECT\nALL ACCEPT", 4, "1 2 3 ", NULL},
    {"192.0.2.1 REJECT\n192.0.2.2, 192.0.2.3 REJECT\n192.0.2.4 REJECT\nALL ACCEPT", 4, "1 2 2 3 ",
     "192.0.2.1\n        REJECT\n192.0.2.2, 192.0.2.3\n        REJECT\n192.0.2.4\n"
     "        REJECT\nALL\n        ACCEPT\n"},
    {"G: 192.0.2.1 REJECT\n192.0.2.2 REJECT\nH: 192.0.2.3 REJECT\nALL ACCEPT", 4, "1 2 3 ", NULL},
    {"sbo:1 REJECT\n192.0.2.2 REJECT\nsbo:3 REJECT\nnx.domain REJECT\nALL, REJECT\nALL RELAY", 6,
     "1 2 3 4 5 ", NULL},
    {"192.0.2.1 $TRUSTED\n192.0.2.2 $TRUSTED\nrelay, $TRUSTED\nALL RELAY", 3, "1 2 3 ",
     "192.0.2.1\n        $TRUSTED\n192.0.2.2\n        $TRUSTED\nrelay,\n        $TRUSTED\n"
     "ALL\n        RELAY\n"},
};

/* The line of the rule for a client that the entry matches. */
static unsigned line_of(const struct hat *hat, size_t index)
{
    struct hat_entry entry;
    struct hat_match match;
    struct hat_client client = {.ip = ip_from_v4(0)};
    struct host_answer host = {.class = HOST_VERIFIED};

    hat_entry_get(hat, index, &entry);
    bool suffix = entry.kind == HAT_ENTRY_SUFFIX;
    if (entry.kind == HAT_ENTRY_RANGE)
        client.ip = entry.first;
    if (entry.kind == HAT_ENTRY_LOOKUP)
        client.owner = (uint32_t)(entry.text[strlen("sbo:")] - '0');
    if (entry.kind == HAT_ENTRY_UNVERIFIED)
        host.class = HOST_NO_PTR;
    else
        snprintf(host.name, sizeof host.name, "%s%s", suffix ? "a" : "", entry.text);
    if (suffix || entry.kind == HAT_ENTRY_NAME || entry.kind == HAT_ENTRY_UNVERIFIED)
        client.host = &host;
    hat_decide(hat, &client, &match);
    assert_string_equal(match.entry, entry.text);
    return match.at.line;
}

static void test_runs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        struct scene scene;
        char lines[80] = "";
        begin(&scene, slice_of(runs[i].text));
        assert_non_null(scene.hat);
        assert_int_equal(hat_groups(scene.hat), runs[i].groups);
        for (size_t j = 0; j < hat_entries(scene.hat); j++)
            snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%u ",
                     line_of(scene.hat, j));
        assert_string_equal(lines, runs[i].lines);
        if (runs[i].exported != NULL)
            assert_string_equal(exported(&scene), runs[i].exported);
        end(&scene);
    }
}

/* What is asked about a client does not change by it. */
static void test_runs_and_look_ups(void **state)
{
    struct scene scene;
    struct hat_wants wants;
    struct hat_client client = {.ip = ip_from_v4(0xC0000203)};
    (void)state;
    begin(&scene, slice_of("192.0.2.1 REJECT\nsbo:1 ACCEPT\n192.0.2.2 REJECT\n192.0.2.3 REJECT\n"
                           "country:JP ACCEPT\nALL RELAY"));
    assert_int_equal(hat_groups(scene.hat), 5);
    hat_wants(scene.hat, &client, &wants);
    assert_true(wants.owner && !wants.country);
    end(&scene);
}

static void test_no_file(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const struct policies *policies = make_policies(arena, false);
    struct problems problems;
    problems_init(&problems);
    assert_null(hat_text_load("/nonexistent/hat", table_file_named(), policies,
                              policies_find(policies, "ACCEPTED"), &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(
        problems.list[0].line,
        "gatehouse.conf:7: cannot open /nonexistent/hat: No such file or directory");
    problems_done(&problems);
    arena_free(arena);
}

/* The log names the line of the file. */
static void test_places(void **state)
{
    struct scene scene;
    bool own = false;
    size_t i = 0;
    (void)state;
    begin(&scene, slice_of("$P\n  ACCEPT {\n  max_rcpts_per_msg = 3\n  }\nALL:\n  $P\n"));
    assert_non_null(scene.hat);
    while (!own && i < hat_policies(scene.hat))
        (void)hat_policy_get(scene.hat, i++, &own);
    assert_true(own);
    const struct policy *policy = hat_policy_get(scene.hat, i - 1, &own);
    struct place at = POLICY_PLACE(policy, max_recipients_per_message);
    assert_string_equal(at.file, scene.file.path);
    assert_int_equal(at.line, 3);
    assert_int_equal(POLICY_PLACE(policy, max_messages_per_connection).line, 1); /* of DEFAULT */
    assert_string_equal(POLICY_PLACE(policy, tls).file, KEY_DEFAULT);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_default_text),
        cmocka_unit_test(test_warnings),

        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_runs_and_look_ups),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
