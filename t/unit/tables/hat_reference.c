/* hat_reference.c - what a table makes of a client; see hat_reference.h. */
#include "t/unit/tables/hat_reference.h"

#include <string.h>

static bool is_lookup(const struct reference_entry *e)
{
    return e->kind >= REF_SCORE && e->kind <= REF_ZONE;
}

static void groups_of(const struct ip *ip, uint16_t out[8])
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint16_t)(ip->b[2 * i] << 8 | ip->b[2 * i + 1]);
}

static bool matches_group_range(const struct reference_entry *e, const uint16_t ip[8])
{
    for (unsigned i = 0; i < 8; i++) {
        if (i == e->group ? ip[i] < e->from || ip[i] > e->to : ip[i] != e->first[i])
            return false;
    }
    return true;
}

static bool matches_address(const struct reference_entry *e, const struct ip *ip)
{
    uint16_t groups[8];
    if (e->kind == REF_V4)
        return ip_is_v4(ip) && ip_v4(ip) >= e->lo && ip_v4(ip) <= e->hi;
    groups_of(ip, groups);
    if (ip_is_v4(ip))
        return false;
    if (e->kind == REF_V6_GROUP)
        return matches_group_range(e, groups);
    return reference_compare6(e->first, groups) <= 0 && reference_compare6(groups, e->last) <= 0;
}

static bool is_meant(const struct reference_entry *e, const char *name)
{
    size_t n = strlen(name), m = strlen(e->name);
    if (e->kind == REF_NAME)
        return strcmp(name, e->name) == 0;
    return n > m && strcmp(name + n - m, e->name) == 0;
}

/* The first of the client's names that the entry means; NULL: none. */
static const char *matching_name(const struct reference_entry *e, const struct host_answer *host)
{
    if (host == NULL || host->class != HOST_VERIFIED ||
        (e->kind != REF_NAME && e->kind != REF_BELOW))
        return NULL;
    if (host->n == 0)
        return is_meant(e, host->name) ? host->name : NULL;
    for (size_t i = 0; i < host->n; i++) {
        if (is_meant(e, host->names[i]))
            return host->names[i];
    }
    return NULL;
}

static bool means(const struct reference_entry *e, uint32_t answer)
{
    bool meant = e->nanswers == 0 && answer != 0x7f000001;
    for (size_t i = 0; i < e->nanswers; i++)
        meant = meant || (answer >= e->answers[i].first && answer <= e->answers[i].last);
    return meant;
}

static bool is_listed(const struct hat_client *client, const struct reference_entry *e)
{
    for (size_t i = 0; i < client->nlisted; i++) {
        const struct dnslisting *listing = &client->listed[i];
        for (size_t k = 0; strcmp(listing->zone, e->name) == 0 && k < listing->n; k++) {
            if (means(e, listing->answers[k]))
                return true;
        }
    }
    return false;
}

static unsigned class_bit(const struct hat_client *client)
{
    if (client->host == NULL || client->no_address)
        return 0;
    switch (client->host->class) {
    case HOST_NO_PTR:
        return HAT_NO_PTR;
    case HOST_PTR_TEMPFAIL:
        return HAT_PTR_TEMPFAIL;
    case HOST_PTR_MISMATCH:
        return HAT_PTR_MISMATCH;
    case HOST_VERIFIED:
    case HOST_UNKNOWN:
        break;
    }
    return 0;
}

static bool matches(const struct reference_entry *e, const struct hat_client *client)
{
    if (client->no_address)
        return e->kind == REF_ALL;
    switch (e->kind) {
    case REF_V4:
    case REF_V6:
    case REF_V6_GROUP:
        return matches_address(e, &client->ip);
    case REF_NAME:
    case REF_BELOW:
        return matching_name(e, client->host) != NULL;
    case REF_ALL:
        return true;
    case REF_SCORE:
        return client->score_known && !client->score_none && client->score >= e->score_from &&
               client->score <= e->score_to;
    case REF_NO_SCORE:
        return client->score_known && client->score_none;
    case REF_OWNER:
        return client->owner == e->owner;
    case REF_COUNTRY:
        return strcmp(client->country, e->name) == 0;
    case REF_ZONE:
        return is_listed(client, e);
    case REF_CLASS:
        break;
    }
    return false;
}

static const struct reference_entry *first_match(const struct reference_group *group,
                                                 const struct hat_client *client, bool lookup)
{
    for (size_t i = 0; i < group->n; i++) {
        if (is_lookup(&group->entries[i]) == lookup && matches(&group->entries[i], client))
            return &group->entries[i];
    }
    return NULL;
}

static bool takes_class(const struct reference_group *group, const struct hat_client *client)
{
    unsigned classes = group->unverified;
    for (size_t i = 0; i < group->n; i++) {
        if (group->entries[i].kind == REF_CLASS)
            classes |= group->entries[i].class;
    }
    return (classes & class_bit(client)) != 0;
}

static const char *class_word(unsigned bit)
{
    return bit == HAT_NO_PTR         ? "nx.domain"
           : bit == HAT_PTR_TEMPFAIL ? "serv.fail"
                                     : "not.double.verified";
}

void reference_decide(const struct reference *table, const struct hat_client *client,
                      struct hat_match *match_out)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct reference_group *group = &table->groups[i];
        if (group->policy->keys.access == POLICY_CONTINUE)
            continue;
        const struct reference_entry *entry = first_match(group, client, false);
        if (entry == NULL)
            entry = first_match(group, client, true);
        if (entry == NULL && !takes_class(group, client))
            continue;
        *match_out =
            (struct hat_match){.group = group->name,
                               .entry = entry != NULL ? entry->text : class_word(class_bit(client)),
                               .host = entry != NULL ? matching_name(entry, client->host) : NULL,
                               .policy = group->policy,
                               .by_owner = entry != NULL && entry->kind == REF_OWNER};
        return;
    }
    *match_out = (struct hat_match){.entry = "ALL", .policy = table->fallback};
}

static void want_zone(struct hat_wants *wants, const char *zone)
{
    for (size_t i = 0; i < wants->nzones; i++) {
        if (strcmp(wants->zones[i], zone) == 0)
            return;
    }
    wants->zones[wants->nzones++] = zone;
}

void reference_wants(const struct reference *table, const struct hat_client *client,
                     struct hat_wants *wants_out)
{
    memset(wants_out, 0, sizeof *wants_out);
    if (client->no_address)
        return;
    for (size_t i = 0; i < table->n; i++) {
        const struct reference_group *group = &table->groups[i];
        if (group->policy->keys.access == POLICY_CONTINUE)
            continue;
        if (first_match(group, client, false) != NULL)
            return;
        const struct reference_entry *known = first_match(group, client, true);
        for (size_t j = 0; j < group->n && &group->entries[j] != known; j++) {
            const struct reference_entry *e = &group->entries[j];
            wants_out->score |= e->kind == REF_SCORE || e->kind == REF_NO_SCORE;
            wants_out->owner |= e->kind == REF_OWNER;
            wants_out->country |= e->kind == REF_COUNTRY;
            if (e->kind == REF_ZONE)
                want_zone(wants_out, e->name);
        }
        if (known != NULL || takes_class(group, client))
            return;
    }
}
