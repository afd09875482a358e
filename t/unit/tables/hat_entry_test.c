/*
 * hat_entry_test.c - every form of a sender entry, right and wrong.
 */
#include "lib/tables/hat_entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* "range 192.0.2.7 192.0.2.7", "name mail.example.com" ... */
static void describe_zone(const struct hat_form *form, char *out, size_t room)
{
    size_t n = (size_t)snprintf(out, room, "zone %s", form->name);
    for (size_t i = 0; i < form->nanswers; i++)
        n += (size_t)snprintf(out + n, room - n, " %x-%x", (unsigned)form->answers[i].first,
                              (unsigned)form->answers[i].last);
}

static void describe_lookup(const struct hat_form *form, char *out, size_t room)
{
    switch (form->lookup) {
    case HAT_LOOKUP_SCORE:
        snprintf(out, room, "score %d %d", form->score_from, form->score_to);
        break;
    case HAT_LOOKUP_NO_SCORE:
        snprintf(out, room, "no score");
        break;
    case HAT_LOOKUP_OWNER:
        snprintf(out, room, "owner %u", (unsigned)form->owner);
        break;
    case HAT_LOOKUP_COUNTRY:
        snprintf(out, room, "country %s", form->country);
        break;
    case HAT_LOOKUP_ZONE:
        describe_zone(form, out, room);
        break;
    }
}

static void describe(const struct hat_form *form, char *out, size_t room)
{
    char first[IP_TEXT_MAX], last[IP_TEXT_MAX];
    switch (form->kind) {
    case HAT_ENTRY_RANGE:
        snprintf(out, room, "%s %s%s", ip_text(&form->first, first), ip_text(&form->last, last),
                 form->host_bits ? " host bits" : "");
        break;
    case HAT_ENTRY_GROUP_RANGE:
        snprintf(out, room, "%s %s group %u %x %x", ip_text(&form->first, first),
                 ip_text(&form->last, last), form->group, (unsigned)form->from, (unsigned)form->to);
        break;
    case HAT_ENTRY_NAME:
        snprintf(out, room, "name %s", form->name);
        break;
    case HAT_ENTRY_SUFFIX:
        snprintf(out, room, "below %s", form->name);
        break;
    case HAT_ENTRY_LOOKUP:
        describe_lookup(form, out, room);
        break;
    case HAT_ENTRY_UNVERIFIED:
        snprintf(out, room, "class %s", hat_class_word(form->class));
        break;
    case HAT_ENTRY_ALL:
        snprintf(out, room, "all");
        break;
    }
}

struct entry_case {
    const char *text, *expected;
};

#define USUAL_ANSWERS " 7f000000-7f000000 7f000002-7ffffeff"

static const struct entry_case good_entries[] = {
    {"192.0.2.7", "192.0.2.7 192.0.2.7"},
    {"0.0.0.0", "0.0.0.0 0.0.0.0"},
    {"192.0.2.", "192.0.2.0 192.0.2.255"},
    {"192.0.2", "192.0.2.0 192.0.2.255"},
    {"192.0.", "192.0.0.0 192.0.255.255"},
    {"192.0", "192.0.0.0 192.0.255.255"},
    {"192.", "192.0.0.0 192.255.255.255"},
    {"192", "192.0.0.0 192.255.255.255"},
    {"192.0.2.1-9", "192.0.2.1 192.0.2.9"},
    {"192.0.2.1-9.", "192.0.2.1 192.0.2.9"},
    {"192.0.2.9-9", "192.0.2.9 192.0.2.9"},
    {"192.0.2.0-255", "192.0.2.0 192.0.2.255"},
    {"192.0.1-9.", "192.0.1.0 192.0.9.255"},
    {"192.0.1-9", "192.0.1.0 192.0.9.255"},
    {"192.0-9", "192.0.0.0 192.9.255.255"},
    {"10-20.", "10.0.0.0 20.255.255.255"},
    {"10-20", "10.0.0.0 20.255.255.255"},
    {"192.0.2.1-192.0.2.9", "192.0.2.1 192.0.2.9"},
    {"10.0.0.255-192.0.2.0", "10.0.0.255 192.0.2.0"},
    {"192.0.2.0/24", "192.0.2.0 192.0.2.255"},
    {"192.0/16", "192.0.0.0 192.0.255.255"},
    {"10/8", "10.0.0.0 10.255.255.255"},
    {"10.0.0/9", "10.0.0.0 10.127.255.255"},
    {"0/0", "0.0.0.0 255.255.255.255"},
    {"192.0.2.1/32", "192.0.2.1 192.0.2.1"},
    {"192.0.2.1/24", "192.0.2.0 192.0.2.255 host bits"},
    {"192.0.2/16", "192.0.0.0 192.0.255.255 host bits"},
    {"2001:db8::1", "2001:db8::1 2001:db8::1"},
    {"2001:0DB8:0:0:0:0:0:0001", "2001:db8::1 2001:db8::1"},
    {"::", ":: ::"},
    {"::ffff:192.0.2.7", "192.0.2.7 192.0.2.7"},
    {"::ffff:c000:207", "192.0.2.7 192.0.2.7"},
    {"2001:db8::1-2001:db8::ff", "2001:db8::1 2001:db8::ff"},
    {"::1-::2", "::1 ::2"},
    {"::ffff:192.0.2.1-192.0.2.9", "192.0.2.1 192.0.2.9"},
    {"2001:db8:0:0:1-f:0:0:1", "2001:db8::1:0:0:1 2001:db8::f:0:0:1 group 4 1 f"},
    {"2000-2001:0:0:0:0:0:0:1", "2000::1 2001::1 group 0 2000 2001"},
    {"2001:db8:0:0:0:0:0:1-FF", "2001:db8::1 2001:db8::ff"},
    {"2001:db8:0:0:5-5:0:0:1", "2001:db8::5:0:0:1 2001:db8::5:0:0:1"},
    {"0:0:0:0:0:ffff:1:0-ff", "0.1.0.0 0.1.0.255"},
    {"0:0:0:0:0:fffe-ffff:1:2", "::fffe:1:2 0.1.0.2 group 5 fffe ffff"},
    {"2001:db8::/32", "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"2001:db8::1/32", "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff host bits"},
    {"2001:db8::1/128", "2001:db8::1 2001:db8::1"},
    {"2001:db8::/33", "2001:db8:: 2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"},
    {"::/0", ":: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"::ffff:0:0/96", "0.0.0.0 255.255.255.255"},
    {"::ffff:192.0.2.0/120", "192.0.2.0 192.0.2.255"},
    {"::ffff:0:0/95", "::fffe:0:0 255.255.255.255 host bits"},
    {"mail.example.com", "name mail.example.com"},
    {"Mail.EXAMPLE.com.", "name mail.example.com"},
    {"localhost", "name localhost"},
    {"1-2.example", "name 1-2.example"},
    {"host_1.example", "name host_1.example"},
    {"beef", "name beef"},
    {"m\xc3\xbcller.example", "name xn--mller-kva.example"},
    {".example.com", "below .example.com"},
    {".Com", "below .com"},
    {"SBRS[-10.0:-3.0]", "score -1000 -300"},
    {"sbrs[-0.5:10]", "score -50 1000"},
    {"Sbrs[2.25:2.25]", "score 225 225"},
    {"sbrs[-0.05:0]", "score -5 0"},
    {"SBRS[none]", "no score"},
    {"sbrs[NONE]", "no score"},
    {"SBO:64500", "owner 64500"},
    {"sbo:4294967295", "owner 4294967295"},
    {"country:JP", "country JP"},
    {"Country:de", "country DE"},
    {"dnslist[bl.example.org]", "zone bl.example.org" USUAL_ANSWERS},
    {"DNSLIST[BL.Example.org.]", "zone bl.example.org" USUAL_ANSWERS},
    {"dnslist[bl.example=127.0.0.1]", "zone bl.example 7f000001-7f000001"},
    {"dnsList[Bl.Example.=127.0.0.2,127.0.0.4-127.0.0.8]",
     "zone bl.example 7f000002-7f000002 7f000004-7f000008"},
    {"dnslist[a=127.0.0.0-127.255.255.255]", "zone a 7f000000-7fffffff"},
    {"dnslist[a=127.255.254.255-127.255.255.0]", "zone a 7ffffeff-7fffff00"},
    {"dnslist[a=127.0.0.2-127.0.0.2,127.0.0.2]", "zone a 7f000002-7f000002 7f000002-7f000002"},
    {"nx.domain", "class nx.domain"},
    {"NX.Domain", "class nx.domain"},
    {"serv.fail", "class serv.fail"},
    {"not.double.verified", "class not.double.verified"},
    {"ALL", "all"},
    {"all", "all"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good_entries); i++) {
        struct hat_form form;
        struct err err = {0};
        char text[400];
        print_message("# %s\n", good_entries[i].text);
        if (!hat_form_parse(slice_of(good_entries[i].text), &form, &err))
            fail_msg("%s", err.text);
        describe(&form, text, sizeof text);
        assert_string_equal(text, good_entries[i].expected);
    }
}

#define ADDRESS4 "; allowed: 192.0.2.7, 192.0.2., 192.0.2.1-9, 192.0.2.1-192.0.2.9, 192.0.2.0/24"
#define ADDRESS6                                                                                   \
    "; allowed: 2001:db8::1, 2001:db8::1-2001:db8::ff, 2001:db8::/32, "                            \
    "2001:db8:0:1-f:0:0:0:1 (eight groups)"
#define SENDER                                                                                     \
    " is no sender; allowed: address, range, network, host name, .domain, SBRS[], SBO:, "          \
    "country:, dnslist[], nx.domain, serv.fail, not.double.verified, ALL"
#define SCORE                                                                                      \
    " is wrong; allowed: SBRS[none] or SBRS[from:to] with from <= to, both -10.0 to 10.0 with at " \
    "most two decimals"

#define ZONE                                                                                       \
    " is wrong; allowed: dnslist[zone], as in dnslist[bl.example.org], or "                        \
    "dnslist[zone=127.0.0.2,127.0.0.4-127.0.0.8], without blanks"
#define ANSWER                                                                                     \
    " is not an answer of a DNS list; allowed: an address inside 127.0.0.0/8, or two, from-to, "   \
    "the "                                                                                         \
    "lower one first"
#define REFUSAL " can never match: with 127.255.255.0/24 a DNS list refuses to answer"
#define EIGHT                                                                                      \
    "127.0.0.2,127.0.0.2,127.0.0.2,127.0.0.2,127.0.0.2,127.0.0.2,127.0.0.2,127.0.0.2-127.0.0.3"

static const struct entry_case bad_entries[] = {
    {"192.0.2.256", "\"192.0.2.256\": is not an IPv4 address" ADDRESS4},
    {"192.0.2.1.", "\"192.0.2.1.\": is not an IPv4 address" ADDRESS4},
    {"192.0.2.1.1", "\"192.0.2.1.1\": is not an IPv4 address" ADDRESS4},
    {"192..2", "\"192..2\": is not an IPv4 address" ADDRESS4},
    {"192.0.02", "\"192.0.02\": is not an IPv4 address" ADDRESS4},
    {"192.1-2.3", "\"192.1-2.3\": is not an IPv4 address" ADDRESS4},
    {"1000", "\"1000\": is not an IPv4 address" ADDRESS4},
    {"-", "\"-\": is not an IPv4 address" ADDRESS4},
    {"192.0.2.9-1", "\"192.0.2.9-1\": the range is descending" ADDRESS4},
    {"192.0.2.9-192.0.2.1", "\"192.0.2.9-192.0.2.1\": the range is descending" ADDRESS4},
    {"192.0.2-192.0.3.1", "\"192.0.2-192.0.3.1\": is not a range" ADDRESS4},
    {"192.0.2-192.0.3", "\"192.0.2-192.0.3\": is not an IPv4 address" ADDRESS4},
    {"192.0.2.0/33", "\"192.0.2.0/33\": the prefix length must be 0 to 32" ADDRESS4},
    {"192.0.2.0/", "\"192.0.2.0/\": the prefix length must be 0 to 32" ADDRESS4},
    {"/8", "\"/8\": is not an IPv4 network" ADDRESS4},
    {"192.0./16", "\"192.0./16\": is not an IPv4 network" ADDRESS4},
    {"192.0-1/16", "\"192.0-1/16\": is not an IPv4 network" ADDRESS4},
    {"2001:db8", "\"2001:db8\": is not an IPv6 address" ADDRESS6},
    {"2001:db8::1::", "\"2001:db8::1::\": is not an IPv6 address" ADDRESS6},
    {"192.0.2.1:25", "\"192.0.2.1:25\": is not an IPv6 address" ADDRESS6},
    {"2001:db8::/129", "\"2001:db8::/129\": the prefix length must be 0 to 128" ADDRESS6},
    {"2001:db8/32", "\"2001:db8/32\": is not an IPv6 network" ADDRESS6},
    {"2001:db8::2-2001:db8::1", "\"2001:db8::2-2001:db8::1\": the range is descending" ADDRESS6},
    {"192.0.2.1-2001:db8::1",
     "\"192.0.2.1-2001:db8::1\": one end is IPv4 and the other IPv6" ADDRESS6},
    {"2001:db8::1-f", "\"2001:db8::1-f\": is not an IPv6 range" ADDRESS6},
    {"2001:db8:1-f::1", "\"2001:db8:1-f::1\": is not an IPv6 range" ADDRESS6},
    {"2001:db8:0:0:f-1:0:0:1", "\"2001:db8:0:0:f-1:0:0:1\": the range is descending" ADDRESS6},
    {"1-2:1-2:0:0:0:0:0:0", "\"1-2:1-2:0:0:0:0:0:0\": is not an IPv6 range" ADDRESS6},
    {"2001:db8:0:0:1-10000:0:0:1", "\"2001:db8:0:0:1-10000:0:0:1\": is not an IPv6 range" ADDRESS6},
    {"0:0:0:0:0:ffff:1-2:3", "\"0:0:0:0:0:ffff:1-2:3\": these are IPv4 addresses" ADDRESS4},
    {"", "\"\"" SENDER},
    {".", "\".\"" SENDER},
    {"a..b", "\"a..b\"" SENDER},
    {"-a.example", "\"-a.example\"" SENDER},
    {"example.1", "\"example.1\"" SENDER},
    {"user@example.com", "\"user@example.com\"" SENDER},
    {"example.com/24", "\"example.com/24\"" SENDER},
    {"sbrs", NULL},
    {"*.example.com",
     "\"*.example.com\" is no sender; hosts below a domain are written .example.com"},
    {"SBRS[]", "\"SBRS[]\"" SCORE},
    {"SBRS[1]", "\"SBRS[1]\"" SCORE},
    {"SBRS[2:1]", "\"SBRS[2:1]\"" SCORE},
    {"SBRS[-10.01:0]", "\"SBRS[-10.01:0]\"" SCORE},
    {"SBRS[0:11]", "\"SBRS[0:11]\"" SCORE},
    {"SBRS[0:1.234]", "\"SBRS[0:1.234]\"" SCORE},
    {"SBRS[0:1.]", "\"SBRS[0:1.]\"" SCORE},
    {"SBRS[--1:1]", "\"SBRS[--1:1]\"" SCORE},
    {"SBRS[0:1", "\"SBRS[0:1\"" SCORE},
    {"SBRS[0:1]x", "\"SBRS[0:1]x\"" SCORE},
    {"SBO:", "\"SBO:\" is wrong; allowed: SBO:1 to SBO:4294967295"},
    {"SBO:0", "\"SBO:0\" is wrong; allowed: SBO:1 to SBO:4294967295"},
    {"SBO:4294967296", "\"SBO:4294967296\" is wrong; allowed: SBO:1 to SBO:4294967295"},
    {"SBO:AS1", "\"SBO:AS1\" is wrong; allowed: SBO:1 to SBO:4294967295"},
    {"country:J", "\"country:J\" is wrong; allowed: country: and two letters, as in country:JP"},
    {"country:JPN",
     "\"country:JPN\" is wrong; allowed: country: and two letters, as in country:JP"},
    {"country:J1", "\"country:J1\" is wrong; allowed: country: and two letters, as in country:JP"},
    {"dnslist[]", "\"dnslist[]\"" ZONE},
    {"dnslist[a b]", "\"dnslist[a b]\"" ZONE},
    {"dnslist[a", "\"dnslist[a\"" ZONE},
    {"dnslist[a=127.0.0.2", "\"dnslist[a=127.0.0.2\"" ZONE},
    {"dnslist[a,127.0.0.2]", "\"dnslist[a,127.0.0.2]\"" ZONE},
    {"dnslist[=127.0.0.2]", "\"dnslist[=127.0.0.2]\"" ZONE},
    {"dnslist[a=]", "\"\"" ANSWER},
    {"dnslist[a=127.0.0.2,]", "\"\"" ANSWER},
    {"dnslist[a=,127.0.0.2]", "\"\"" ANSWER},
    {"dnslist[a=127.0.0]", "\"127.0.0\"" ANSWER},
    {"dnslist[a=127.0.0.256]", "\"127.0.0.256\"" ANSWER},
    {"dnslist[a=126.255.255.255]", "\"126.255.255.255\"" ANSWER},
    {"dnslist[a=128.0.0.0]", "\"128.0.0.0\"" ANSWER},
    {"dnslist[a=127.0.0.2,1.2.3.4]", "\"1.2.3.4\"" ANSWER},
    {"dnslist[a=127.0.0.2-1.2.3.4]", "\"127.0.0.2-1.2.3.4\"" ANSWER},
    {"dnslist[a=127.0.0.2-128.0.0.1]", "\"127.0.0.2-128.0.0.1\"" ANSWER},
    {"dnslist[a=127.0.0.9-127.0.0.2]", "\"127.0.0.9-127.0.0.2\"" ANSWER},
    {"dnslist[a=127.0.0.2-]", "\"127.0.0.2-\"" ANSWER},
    {"dnslist[a=-127.0.0.2]", "\"-127.0.0.2\"" ANSWER},
    {"dnslist[a=127.0.0.2-127.0.0.3-127.0.0.4]", "\"127.0.0.2-127.0.0.3-127.0.0.4\"" ANSWER},
    {"dnslist[a=127.0.0.0/24]", "\"127.0.0.0/24\"" ANSWER},
    {"dnslist[a=::1]", "\"::1\"" ANSWER},
    {"dnslist[a=::ffff:127.0.0.2]", "\"::ffff:127.0.0.2\"" ANSWER},
    {"dnslist[a=127.0.0.2=127.0.0.3]", "\"127.0.0.2=127.0.0.3\"" ANSWER},
    {"dnslist[a=127.255.255.0]", "\"127.255.255.0\"" REFUSAL},
    {"dnslist[a=127.255.255.252-127.255.255.255]", "\"127.255.255.252-127.255.255.255\"" REFUSAL},
    {"dnslist[a=" EIGHT "," EIGHT "," EIGHT "," EIGHT ",127.0.0.2]",
     "more than 32 answers in one entry; the others may be another one"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_entries); i++) {
        struct hat_form form;
        struct err err = {0};
        bool good = hat_form_parse(slice_of(bad_entries[i].text), &form, &err);
        print_message("# %s\n", bad_entries[i].text);
        assert_int_equal(good, bad_entries[i].expected == NULL);
        if (!good)
            assert_string_equal(err.text, bad_entries[i].expected);
    }
}

static void test_long(void **state)
{
    (void)state;
    char text[100000];
    struct hat_form form;
    struct err err;
    static const char bytes[] = "1a.:-/[";
    for (const char *p = bytes; *p != '\0'; p++) {
        memset(text, *p, sizeof text);
        assert_false(hat_form_parse((struct slice){text, sizeof text}, &form, &err));
        assert_true(strlen(err.text) < sizeof err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
