/*
 * hat_fuzz.c - sender entries and files of them.
 *
 * The bytes are a senders_file. A table that builds must give every entry
 * back, and a client at either end of a range must be matched by that entry or
 * an earlier one.
 */
#include <string.h>
#include "lib/tables/hat.h"
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct policy blocked = {.name = "B", .keys = {.access = POLICY_REJECT}};
static const struct policy accepted = {.name = "A", .keys = {.access = POLICY_ACCEPT}};

/* Only true of ranges within one family; one that covers all of IPv4 in its
 * IPv6 form is about IPv6 alone. */
static void check_end(const struct hat *hat, const struct hat_entry *entry, const struct ip *end)
{
    struct hat_client client = {.ip = *end};
    struct hat_match match;
    hat_decide(hat, &client, &match);
    CHECK(match.entry != NULL && match.policy != NULL);
    if (ip_is_v4(&entry->first) == ip_is_v4(&entry->last))
        CHECK(match.policy == &blocked);
}

static void check_entries(const struct hat *hat)
{
    for (size_t i = 0; i < hat_entries(hat); i++) {
        struct hat_entry entry;
        hat_entry_get(hat, i, &entry);
        CHECK(entry.text[0] != '\0' && entry.group == 0);
        if (entry.kind != HAT_ENTRY_RANGE && entry.kind != HAT_ENTRY_GROUP_RANGE)
            continue;
        CHECK(ip_compare(&entry.first, &entry.last) <= 0);
        check_end(hat, &entry, &entry.first);
        check_end(hat, &entry, &entry.last);
    }
}

/* What an entry says of an answer alone, the index of its zone says as well. */
static void check_answer(const struct hat *hat, const char *zone, uint32_t answer)
{
    struct dnslisting listing = {zone, &answer, 1};
    struct hat_client client = {.ip = ip_from_v4(0), .listed = &listing, .nlisted = 1};
    struct hat_match match;
    size_t entry = 0;
    hat_decide(hat, &client, &match);
    while (entry < hat_entries(hat) && !hat_entry_lists(hat, entry, &listing))
        entry++;
    if (entry < hat_entries(hat))
        CHECK(match.policy == &blocked);
    else
        CHECK(!slice_is_nocase((struct slice){match.entry, strnlen(match.entry, 8)}, "dnslist["));
}

static void check_zones(const struct hat *hat)
{
    static const uint32_t answers[] = {0x7f000000, 0x7f000001, 0x7f000002, 0x7f000004,
                                       0x7f00000a, 0x7f010203, 0x7ffffeff};
    struct hat_wants asks;
    hat_asks(hat, &asks);
    for (size_t i = 0; i < asks.nzones; i++) {
        for (size_t k = 0; k < ARRAY_LEN(answers); k++)
            check_answer(hat, asks.zones[i], answers[k]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table_memory file;
    struct problems problems;
    problems_init(&problems);
    table_memory_new(&file, data, size);
    struct hat_group group = {.policy = &blocked, .senders_file = file.path};
    struct hat *hat = hat_build(&group, 1, &accepted, &problems);
    CHECK((hat == NULL) == (problems_errors(&problems) > 0));
    if (hat != NULL) {
        check_entries(hat);
        check_zones(hat);
    }
    hat_free(hat);
    table_memory_done(&file);
    problems_done(&problems);
    return 0;
}
