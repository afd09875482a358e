/* gatehousectl dnslist test: what a DNS list says about an address, and whether
 * it is believed. */
#include "milter/command.h"

#include "lib/net/dnslist.h"
#include "lib/tables/hat_entry.h"
#include "milter/findings.h"
#include "milter/lookup.h"

/* Made for the first question. */
struct asker {
    struct dns *dns;
    struct dnslists *lists;
};

struct question {
    char zone[DOMAIN_MAX];
    struct ip ip;
    mono_us deadline;
    const struct snapshot *snapshot;
    struct arena *arena;
};

static bool prepare(struct asker *asker, const struct snapshot *snapshot, struct err *err)
{
    if (asker->dns == NULL)
        asker->dns = dns_new(snapshot->dns, err);
    if (asker->dns == NULL || asker->lists != NULL)
        return asker->lists != NULL;
    asker->lists = dnslists_new(asker->dns);
    return asker->lists != NULL || err_set(err, ERR_MEMORY, "out of memory");
}

static bool parse(const struct lookup_question *from, struct question *question, struct err *err)
{
    const char *zone = from->words[0], *ip = from->words[1];

    question->snapshot = from->snapshot;
    question->arena = from->arena;
    question->deadline = mono_now() + MONO_MS(from->snapshot->settings.keys->command_deadline);
    if (!domain_canon(slice_of(zone), question->zone))
        return err_set(err, ERR_SYNTAX, "\"%.100s\" is not the name of a DNS zone", zone);
    return ip_parse(slice_of(ip), &question->ip) ||
           err_set(err, ERR_SYNTAX, "\"%.100s\" is not an address", ip);
}

static void put_addresses(const struct dns_answer *answer, struct form *form)
{
    struct strbuf lines;
    char text[IP_TEXT_MAX];

    strbuf_init(&lines);
    for (size_t i = 0; i < answer->n; i++)
        strbuf_printf(&lines, "%s\n", ip_text(&answer->records[i].ip, text));
    form_lines(form, "addresses", strbuf_text(&lines));
    form->out->failed = form->out->failed || lines.failed;
    strbuf_done(&lines);
}

/* What a list that is good says of the address; n 0: nothing, or there is no memory. */
static struct dnslisting listing_of(const struct question *question,
                                    const struct dns_answer *answer, struct form *form)
{
    struct dnslisting listing = {.zone = question->zone};
    uint32_t *answers = arena_alloc(question->arena, (answer->n + 1) * sizeof *answers);

    form->out->failed = form->out->failed || answers == NULL;
    for (; answers != NULL && listing.n < answer->n; listing.n++)
        answers[listing.n] = ip_v4(&answer->records[listing.n].ip);
    listing.answers = answers;
    return listing;
}

/* Would dnslist[zone] match? */
static bool is_listed(const struct dnslisting *listing)
{
    char entry[DOMAIN_MAX + 16];
    struct hat_form plain;

    snprintf(entry, sizeof entry, "dnslist[%s]", listing->zone);
    return hat_form_parse(slice_of(entry), &plain, NULL) && hat_form_lists(&plain, listing);
}

/* "matches": the entries of all tables that mean one of the answers. How many. */
static size_t put_matches(const struct snapshot *snapshot, const struct dnslisting *listing,
                          struct form *form)
{
    struct findings findings;

    findings_begin(&findings, form, "matches");
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        const struct listener *listener = snapshot->listeners.v[i];
        for (size_t k = 0; k < hat_entries(listener->hat); k++) {
            struct hat_entry entry;
            if (!hat_entry_lists(listener->hat, k, listing))
                continue;
            hat_entry_get(listener->hat, k, &entry);
            findings_put(&findings, listener, entry.group, entry.text);
        }
    }
    findings_end(&findings);
    return findings.n;
}

/* Is the address listed, by a list that is good, or does an entry of ours match? */
static bool ask(const struct asker *asker, const struct question *question, struct form *form)
{
    char name[DOMAIN_MAX], ip[IP_TEXT_MAX];
    struct dnslisting listing = {.zone = question->zone};

    /* A name that is too long is asked by nobody: it fails. */
    bool fits = dnslist_name(question->zone, &question->ip, name) != 0;
    struct dns_query *by_address =
        fits ? dns_ask(asker->dns, DNS_A, name, question->deadline) : NULL;
    struct dns_query *by_text =
        fits ? dns_ask(asker->dns, DNS_TXT, name, question->deadline) : NULL;
    enum dnslist_health health = dnslists_health(asker->lists, question->zone);
    if (health == DNSLIST_UNCHECKED)
        health = dnslists_check(asker->lists, question->zone, question->deadline);
    const struct dns_answer *answer = dns_wait(by_address, question->deadline);
    const struct dns_answer *text = dns_wait(by_text, question->deadline);
    enum dnslist_class class = dnslist_read(answer);

    if (class == DNSLIST_LISTED && health == DNSLIST_GOOD)
        listing = listing_of(question, answer, form);
    bool listed = is_listed(&listing), other = listing.n > 0 && !listed;
    form_text(form, "zone", question->zone);
    form_text(form, "ip", ip_text(&question->ip, ip));
    form_bool(form, "listed", listed);
    form_text(form, "answer", other ? "other" : dnslist_class_name(class));
    put_addresses(answer, form);
    form_text(form, "text", text->n > 0 ? text->records[0].text : NULL);
    form_text(form, "health", dnslist_health_name(health));
    form_text(form, "why", dnslist_health_text(health));
    size_t matches = put_matches(question->snapshot, &listing, form);
    dns_drop(by_address);
    dns_drop(by_text);
    return listed || matches > 0;
}

static int answer_test(const struct lookup_question *from, struct form *form, struct err *err)
{
    struct asker *asker = from->ctx;
    struct question question;

    if (!parse(from, &question, err) || !prepare(asker, from->snapshot, err))
        return COMMAND_USAGE;
    return ask(asker, &question, form) ? COMMAND_YES : COMMAND_NO;
}

int command_dnslist(const struct command *command, const char *conf, int argc, char **argv)
{
    struct asker asker = {.dns = NULL};
    const struct lookup lookup = {.least = 2, .most = 2, .answer = answer_test, .ctx = &asker};

    int status = lookup_run(&lookup, command, conf, argc, argv);
    dnslists_free(asker.lists);
    dns_free(asker.dns);
    return status;
}
