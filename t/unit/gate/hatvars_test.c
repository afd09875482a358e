/* hatvars_test.c - HAT variables in reply texts (lib/gate/hatvars.h). */
#include "lib/gate/hatvars.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/no_memory.h"

static struct conn_facts suspect(void)
{
    struct conn_facts conn = {
        .host = {.class = HOST_VERIFIED, .name = "mail.example.net"},
        .owner = 64500,
        .match = {.group = "SUSPECTLIST", .entry = "192.0.2."},
    };
    assert_true(ip_parse(slice_of("192.0.2.9"), &conn.client));
    return conn;
}

static void expands_to(const char *text, const struct conn_facts *conn, const char *want)
{
    struct arena *arena = arena_new(0);
    assert_non_null(arena);
    const char *got = hatvars_expand(text, conn, arena);
    assert_non_null(got);
    assert_string_equal(got, want);
    arena_free(arena);
}

static const struct {
    const char *text, *want;
} texts[] = {
    {"", ""},
    {"no variable", "no variable"},
    {"$Group", "SUSPECTLIST"},
    {"$Hostname", "mail.example.net"},
    {"$OrgID", "64500"},
    {"$RemoteIP", "192.0.2.9"},
    {"$HATEntry", "192.0.2."},
    {"You ($RemoteIP, $Hostname) are in $Group.",
     "You (192.0.2.9, mail.example.net) are in SUSPECTLIST."},
    /* any case */
    {"$group $GROUP $gRoUp", "SUSPECTLIST SUSPECTLIST SUSPECTLIST"},
    {"$hostname$HOSTNAME", "mail.example.netmail.example.net"},
    {"$orgid $ORGID $remoteip $REMOTEIP", "64500 64500 192.0.2.9 192.0.2.9"},
    {"$hatentry $HATENTRY", "192.0.2. 192.0.2."},
    /* unknown words stay */
    {"$", "$"},
    {"$$", "$$"},
    {"100$", "100$"},
    {"$Nothing", "$Nothing"},
    {"$Grou", "$Grou"},
    {"$Groups", "$Groups"},
    {"$Hostnames $RemoteIPv6 $OrgID2", "$Hostnames $RemoteIPv6 $OrgID2"},
    {"$EnvelopeSender", "$EnvelopeSender"},
    {"$ Group ${Group}", "$ Group ${Group}"},
    {"Group Hostname", "Group Hostname"},
    /* a word ends at anything that is neither letter nor digit */
    {"$Group's $Group-$Group_$Group.", "SUSPECTLIST's SUSPECTLIST-SUSPECTLIST_SUSPECTLIST."},
    {"$$Group", "$SUSPECTLIST"},
    {"$Group$", "SUSPECTLIST$"},
    {"$Group\xc3\xa9", "SUSPECTLIST\xc3\xa9"},
    /* per cent is reply.c's business, whole texts stay as they are */
    {"100% $Group %s %n", "100% SUSPECTLIST %s %n"},
    {"a  b\t$Group", "a  b\tSUSPECTLIST"},
};

static void variables_are_replaced_in_any_case(void **state)
{
    struct conn_facts conn = suspect();
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        expands_to(texts[i].text, &conn, texts[i].want);
}

static void without_variables_the_text_is_not_copied(void **state)
{
    static const char text[] = "Access denied";
    struct conn_facts conn = suspect();
    struct arena *arena = arena_new(0);
    (void)state;
    assert_non_null(arena);
    assert_ptr_equal(hatvars_expand(text, &conn, arena), text);
    arena_free(arena);
}

/* SPEC 4: None: no name; Unknown: lookup failed. */
static const struct {
    enum host_class class;
    const char *name, *want;
} hosts[] = {
    {HOST_VERIFIED, "mail.example.net", "mail.example.net"},
    {HOST_NO_PTR, "", "None"},
    {HOST_PTR_MISMATCH, "forged.example.net", "None"},
    {HOST_PTR_TEMPFAIL, "", "Unknown"},
    {HOST_UNKNOWN, "", "Unknown"},
};

static void a_name_that_is_not_verified_is_never_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct conn_facts conn = suspect();
        conn.host.class = hosts[i].class;
        snprintf(conn.host.name, sizeof conn.host.name, "%s", hosts[i].name);
        expands_to("$Hostname", &conn, hosts[i].want);
    }
}

static void what_is_not_known_is_none(void **state)
{
    struct conn_facts conn = {.host = {.class = HOST_UNKNOWN}};
    (void)state;
    assert_true(ip_parse(slice_of("2001:db8::1"), &conn.client));
    expands_to("$Group $Hostname $OrgID $RemoteIP $HATEntry", &conn,
               "None Unknown None 2001:db8::1 None");
    conn.owner = UINT32_MAX;
    conn.match.entry = "ALL";
    expands_to("$OrgID $HATEntry", &conn, "4294967295 ALL");
}

static void foreign_bytes_become_harmless(void **state)
{
    struct conn_facts conn = suspect();
    (void)state;
    snprintf(conn.host.name, sizeof conn.host.name, "a\r\n250 ok\x01\x7f\xff.example");
    expands_to("<$Hostname>", &conn, "<a??250 ok???.example>");
    /* a value is never looked at for variables again */
    snprintf(conn.host.name, sizeof conn.host.name, "$Group");
    expands_to("$Hostname", &conn, "$Group");
    snprintf(conn.host.name, sizeof conn.host.name, "100%%s");
    expands_to("$Hostname", &conn, "100%s");
}

static void long_values_are_cut_at_whole_characters(void **state)
{
    char entry[2000];
    struct conn_facts conn = suspect();
    (void)state;
    for (size_t i = 0; i + 1 < sizeof entry; i++)
        entry[i] = "\xc3\xa9"[i % 2];
    entry[sizeof entry - 2] = 'x';
    entry[sizeof entry - 1] = '\0';
    conn.match.entry = entry;
    for (int i = 0; i < 2; i++) {
        struct arena *arena = arena_new(0);
        assert_non_null(arena);
        const char *got = hatvars_expand("$HATEntry!", &conn, arena);
        assert_non_null(got);
        assert_in_range(strlen(got), 290, 310);
        assert_true(str_is_utf8(slice_of(got)));
        assert_string_equal(got + strlen(got) - 1, "!");
        assert_null(strchr(got, '?'));
        arena_free(arena);
        memmove(entry + 1, entry, sizeof entry - 2);
        entry[0] = 'x';
        entry[sizeof entry - 2] = '\0';
    }
}

/* Only where the text is about it; the client's own words do no harm. */
static void the_sender_is_a_variable_of_some_texts(void **state)
{
    static const struct {
        const char *text, *sender, *want;
    } rows[] = {
        {"<$EnvelopeSender>", "joe@example.com", "<joe@example.com>"},
        {"$ENVELOPESENDER$envelopesender", "a@b", "a@ba@b"},
        {"$EnvelopeSenders $Envelope", "a@b", "$EnvelopeSenders $Envelope"},
        {"$Group: $EnvelopeSender", "a@b", "SUSPECTLIST: a@b"},
        {"<$EnvelopeSender>", "$Group", "<$Group>"},
        {"<$EnvelopeSender>", "a\r\n250 ok\xff@b", "<a??250 ok?@b>"},
        {"<$EnvelopeSender>", "", "<>"},
        {"no variable", "a@b", "no variable"},
    };
    struct conn_facts conn = suspect();
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena = arena_new(0);
        assert_non_null(arena);
        assert_string_equal(hatvars_expand_sender(rows[i].text, &conn, rows[i].sender, arena),
                            rows[i].want);
        arena_free(arena);
    }
}

static void only_orgid_needs_the_owner(void **state)
{
    (void)state;
    assert_true(hatvars_needs_owner("$OrgID"));
    assert_true(hatvars_needs_owner("5.7.1 $group of $oRgId, go"));
    assert_true(hatvars_needs_owner("$$orgid"));
    assert_false(hatvars_needs_owner(""));
    assert_false(hatvars_needs_owner("OrgID $OrgIDs $Org $HATEntry $"));
}

/* "word>near " for each that is unknown. */
static void check_unknown(const char *text, bool sender, const char *expected)
{
    struct strbuf out;
    struct slice word;
    const char *near;
    strbuf_init(&out);
    while (hatvars_unknown(&text, sender, &word, &near))
        strbuf_printf(&out, "%.*s>%s ", (int)word.n, word.p, near != NULL ? near : "?");
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_done(&out);
}

static void unknown_words_have_a_nearest(void **state)
{
    (void)state;
    check_unknown("", false, "");
    check_unknown("$Group $hostname $ORGID $RemoteIP $HATEntry", false, "");
    check_unknown("$Groups, $HostNam: $ORG_ID $remoteip2", false,
                  "Groups>Group HostNam>Hostname ORG>? remoteip2>RemoteIP ");
    check_unknown("$Name costs $5, $ and $$", false, "Name>? ");
    check_unknown("<$EnvelopeSender>", true, "");
    check_unknown("<$EnvelopeSender>", false, "EnvelopeSender>? ");
    check_unknown("<$EnvelopSender$Grop>", true, "EnvelopSender>EnvelopeSender Grop>Group ");
}

static void out_of_memory_is_told(void **state)
{
    struct conn_facts conn = suspect();
    struct arena *arena = arena_new(1);
    (void)state;
    assert_non_null(arena);
    memory_allow(0);
    const char *got = hatvars_expand("$Group", &conn, arena);
    const char *plain = hatvars_expand("Access denied", &conn, arena);
    memory_allow(-1);
    assert_null(got);
    assert_string_equal(plain, "Access denied");
    arena_free(arena);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_replaced_in_any_case),
        cmocka_unit_test(without_variables_the_text_is_not_copied),
        cmocka_unit_test(a_name_that_is_not_verified_is_never_told),
        cmocka_unit_test(what_is_not_known_is_none),
        cmocka_unit_test(foreign_bytes_become_harmless),
        cmocka_unit_test(long_values_are_cut_at_whole_characters),
        cmocka_unit_test(the_sender_is_a_variable_of_some_texts),
        cmocka_unit_test(only_orgid_needs_the_owner),
        cmocka_unit_test(unknown_words_have_a_nearest),
        cmocka_unit_test(out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
