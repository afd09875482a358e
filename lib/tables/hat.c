/*
 * hat.c - the Host Access Table: matching and walking. Building is
 * hat_builder.c.
 *
 * Three numbers decide: the group of the first static match, of the first
 * look-up match, and the first group that takes the client's unverified class.
 * The lowest wins; within one group a static entry comes before a look-up
 * entry and that before the class (SPEC 3.1).
 */
#include "lib/tables/hat.h"

#include <string.h>
#include "lib/tables/hat_table.h"

#define SCORE_ROUNDING 1e-6 /* in hundredths */

static uint32_t lower(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Narrow low...high down to the last group that begins at or before the entry.
 * A search by halving through a million groups would wait for memory twenty
 * times; where entries are spread evenly over them, this begins next to it. */
static void find_bounds(const struct hat *hat, uint32_t entry, size_t *low_out, size_t *high_out)
{
    const struct hat_row *groups = hat->groups;
    size_t n = hat->ngroups, step = 1;
    size_t low = (size_t)((uint64_t)entry * n / hat->nentries), high = low + 1;
    while (groups[low].first > entry) {
        high = low;
        low = low > step ? low - step : 0;
        step *= 2;
    }
    while (high < n && groups[high].first <= entry) {
        low = high;
        high = n - high > step ? high + step : n;
        step *= 2;
    }
    *low_out = low;
    *high_out = high;
}

/* The last group that begins at or before the entry: empty groups begin where
 * the next one does. */
static uint32_t group_of(const struct hat *hat, uint32_t entry)
{
    size_t low, high;
    if (entry == HAT_NONE)
        return HAT_NONE;
    find_bounds(hat, entry, &low, &high);
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (hat->groups[middle].first <= entry)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)low;
}

const char *hat_entry_text(const struct hat *hat, uint32_t entry)
{
    return hat->pool + hat->texts[entry];
}

const char *hat_word(const struct hat *hat, uint32_t word)
{
    return word != HAT_NONE ? hat->words + word : NULL;
}

/* --- the three numbers ------------------------------------------------------------- */

static uint32_t match_in(const struct strmap *names, const char *name)
{
    return lower(strmap_get(names, slice_of(name)), strmap_lowest_suffix(names, name));
}

static uint32_t match_name(const struct hat *hat, const char *name)
{
    uint32_t entry = match_in(hat->names, name);
    if (strmap_count(hat->spelled) > 0)
        entry = lower(entry, match_in(hat->spelled, name));
    return entry;
}

/* Any of its names will do: the one that matches the first entry does. */
static uint32_t match_names(const struct hat *hat, const struct host_answer *host,
                            const char **name_out)
{
    uint32_t first = HAT_NONE;
    for (size_t i = 0; i < host->n || i == 0; i++) {
        const char *name = host->n > 0 ? host->names[i] : host->name;
        uint32_t entry = match_name(hat, name);
        if (entry >= first)
            continue;
        first = entry;
        *name_out = name;
    }
    return first;
}

/* name_out: which name did it; NULL: none. */
static uint32_t match_static(const struct hat *hat, const struct hat_client *client,
                             const char **name_out)
{
    const char *name = NULL;

    *name_out = NULL;
    if (client->no_address)
        return hat->all;
    uint32_t entry = lower(hat->all, ipmap_get(hat->addresses, &client->ip));
    if (client->host != NULL && client->host->class == HOST_VERIFIED) {
        uint32_t by_name = match_names(hat, client->host, &name);
        *name_out = by_name < entry ? name : NULL;
        entry = lower(entry, by_name);
    }
    return entry;
}

/* Even slots are hundredths, odd ones what lies between two: a score that was
 * computed to within rounding of a written bound counts as that bound. */
static size_t score_slot(double score)
{
    double hundredths = score * HAT_SCORE_UNIT;
    if (!(hundredths > -HAT_SCORE_MOST))
        return 0;
    if (hundredths >= HAT_SCORE_MOST)
        return HAT_SCORE_SLOTS - 1;
    int nearest = (int)(hundredths + (hundredths < 0 ? -0.5 : 0.5));
    int slot = 2 * (nearest + HAT_SCORE_MOST);
    double off = hundredths - nearest;
    if (off > SCORE_ROUNDING)
        slot++;
    else if (off < -SCORE_ROUNDING)
        slot--;
    return (size_t)slot;
}

static uint32_t match_lookup_key(const struct hat *hat, const char *sort, const char *value)
{
    char key[HAT_LOOKUP_KEY_MAX];
    int n = snprintf(key, sizeof key, "%s:%s", sort, value);
    if (n < 0 || (size_t)n >= sizeof key)
        return HAT_NONE;
    return strmap_get(hat->lookups, (struct slice){key, (size_t)n});
}

static uint32_t match_score(const struct hat *hat, const struct hat_client *client)
{
    if (!client->score_known || hat->first_score == HAT_NONE)
        return HAT_NONE;
    if (client->score_none)
        return match_lookup_key(hat, "sbrs", "none");
    return hat->scores != NULL ? hat->scores[score_slot(client->score)] : HAT_NONE;
}

static uint32_t match_owner(const struct hat *hat, const struct hat_client *client)
{
    char number[16];
    if (client->owner == 0 || hat->first_owner == HAT_NONE)
        return HAT_NONE;
    snprintf(number, sizeof number, "%u", (unsigned)client->owner);
    return match_lookup_key(hat, "sbo", number);
}

static uint32_t match_listing(const struct hat *hat, const struct dnslisting *listing)
{
    uint32_t zone = match_lookup_key(hat, "zone", listing->zone), first = HAT_NONE;
    for (size_t i = 0; zone != HAT_NONE && i < listing->n; i++) {
        struct ip answer = ip_from_v4(listing->answers[i]);
        first = lower(first, ipmap_get(hat->zones[zone].answers, &answer));
    }
    return first;
}

static uint32_t match_lookup(const struct hat *hat, const struct hat_client *client)
{
    if (client->no_address)
        return HAT_NONE;
    uint32_t entry = lower(match_score(hat, client), match_owner(hat, client));
    if (client->country[0] != '\0' && hat->first_country != HAT_NONE)
        entry = lower(entry, match_lookup_key(hat, "country", client->country));
    for (size_t i = 0; hat->nzones > 0 && i < client->nlisted; i++)
        entry = lower(entry, match_listing(hat, &client->listed[i]));
    return entry;
}

/* Number of the client's class, or HAT_CLASSES when it has none. */
static unsigned class_of(const struct hat_client *client)
{
    if (client->host == NULL || client->no_address)
        return HAT_CLASSES;
    switch (client->host->class) {
    case HOST_NO_PTR:
        return 0;
    case HOST_PTR_TEMPFAIL:
        return 1;
    case HOST_PTR_MISMATCH:
        return 2;
    case HOST_VERIFIED:
    case HOST_UNKNOWN:
        break;
    }
    return HAT_CLASSES;
}

static uint32_t match_class(const struct hat *hat, const struct hat_client *client)
{
    unsigned class = class_of(client);
    return class < HAT_CLASSES ? hat->class_group[class] : HAT_NONE;
}

/* --- asking and deciding -------------------------------------------------------------- */

/* Entries of this number and behind it cannot change the match any more. What
 * matches statically beats all look-up entries of its own group, too; those of
 * the group that the class leads to come before the class in $HATEntry. */
static uint32_t decided_from(const struct hat *hat, const struct hat_client *client)
{
    const char *name;
    uint32_t fixed_group = group_of(hat, match_static(hat, client, &name));
    uint32_t class_group = match_class(hat, client);
    uint32_t from = match_lookup(hat, client);
    if (fixed_group != HAT_NONE)
        from = lower(from, hat->groups[fixed_group].first);
    if (class_group != HAT_NONE)
        from = lower(from, hat->groups[class_group + 1].first);
    return from;
}

static void want_before(const struct hat *hat, uint32_t limit, struct hat_wants *wants_out)
{
    memset(wants_out, 0, sizeof *wants_out);
    wants_out->score = hat->first_score < limit;
    wants_out->owner = hat->first_owner < limit;
    wants_out->country = hat->first_country < limit;
    for (size_t i = 0; i < hat->nzones; i++) {
        if (hat->zones[i].first < limit)
            wants_out->zones[wants_out->nzones++] = hat->zones[i].name;
    }
}

void hat_wants(const struct hat *hat, const struct hat_client *client, struct hat_wants *wants_out)
{
    want_before(hat, client->no_address ? 0 : decided_from(hat, client), wants_out);
}

void hat_asks(const struct hat *hat, struct hat_wants *asks_out)
{
    want_before(hat, HAT_NONE, asks_out);
}

static struct hat_match in_group(const struct hat *hat, uint32_t group, const char *entry)
{
    const struct hat_row *row = &hat->groups[group];
    return (struct hat_match){.group = hat_word(hat, row->name),
                              .entry = entry,
                              .comment = hat_word(hat, row->comment),
                              .at = {.file = row->line > 0 ? hat->file : NULL, .line = row->line},
                              .policy = hat->targets[row->policy].policy};
}

static struct hat_match by_entry(const struct hat *hat, uint32_t group, uint32_t entry)
{
    const struct hat_row *row = &hat->groups[group];
    struct hat_match match = in_group(hat, group, hat_entry_text(hat, entry));
    match.at.line += (entry - row->first) * row->stride;
    return match;
}

static bool is_owner_entry(const char *text)
{
    return slice_is_nocase((struct slice){text, strnlen(text, 4)}, "SBO:");
}

void hat_decide(const struct hat *hat, const struct hat_client *client, struct hat_match *match_out)
{
    const char *name;
    uint32_t fixed = match_static(hat, client, &name), lookup = match_lookup(hat, client);
    uint32_t fixed_group = group_of(hat, fixed), lookup_group = group_of(hat, lookup);
    uint32_t class_group = match_class(hat, client);
    uint32_t first = lower(lower(fixed_group, lookup_group), class_group);
    if (first == HAT_NONE) {
        *match_out = in_group(hat, (uint32_t)hat->ngroups - 1, "ALL");
        match_out->fallback = true;
    } else if (first == fixed_group) {
        *match_out = by_entry(hat, first, fixed);
        match_out->host = name;
    } else if (first == lookup_group) {
        *match_out = by_entry(hat, first, lookup);
        match_out->by_owner = is_owner_entry(match_out->entry);
    } else {
        const char *word = hat_class_word((enum hat_unverified)(1u << class_of(client)));
        *match_out = in_group(hat, first, word);
    }
}

/* --- walking ---------------------------------------------------------------------------- */

size_t hat_entries(const struct hat *hat)
{
    return hat->nentries;
}

void hat_entry_get(const struct hat *hat, size_t index, struct hat_entry *entry_out)
{
    struct hat_form form;
    CHECK(index < hat->nentries);
    const char *text = hat_entry_text(hat, (uint32_t)index);
    /* It parsed when the table was built. */
    CHECK(hat_form_parse(slice_of(text), &form, NULL));
    *entry_out = (struct hat_entry){
        .kind = form.kind, .text = text, .group = group_of(hat, (uint32_t)index)};
    if (form.kind == HAT_ENTRY_RANGE || form.kind == HAT_ENTRY_GROUP_RANGE) {
        entry_out->first = form.first;
        entry_out->last = form.last;
    }
}

bool hat_entry_lists(const struct hat *hat, size_t index, const struct dnslisting *listing)
{
    struct hat_form form;
    CHECK(index < hat->nentries);
    CHECK(hat_form_parse(slice_of(hat_entry_text(hat, (uint32_t)index)), &form, NULL));
    return hat_form_lists(&form, listing);
}

bool hat_entry_holds(const struct hat *hat, size_t index, const struct ip *ip)
{
    struct hat_form form;
    CHECK(index < hat->nentries);
    CHECK(hat_form_parse(slice_of(hat_entry_text(hat, (uint32_t)index)), &form, NULL));
    return hat_form_holds(&form, ip);
}

size_t hat_groups(const struct hat *hat)
{
    return hat->ngroups;
}

void hat_group_get(const struct hat *hat, size_t index, struct hat_match *group_out)
{
    CHECK(index < hat->ngroups);
    *group_out = in_group(hat, (uint32_t)index, index + 1 == hat->ngroups ? "ALL" : NULL);
}

size_t hat_policies(const struct hat *hat)
{
    return hat->ntargets;
}

const struct policy *hat_policy_get(const struct hat *hat, size_t index, bool *own_out)
{
    CHECK(index < hat->ntargets);
    *own_out = hat->targets[index].written != NULL;
    return hat->targets[index].policy;
}

const char *hat_group_comment(const struct hat *hat, size_t index)
{
    CHECK(index < hat->ngroups);
    return hat_word(hat, hat->groups[index].comment);
}

void hat_group_span(const struct hat *hat, size_t index, size_t *first_out, size_t *end_out)
{
    CHECK(index < hat->ngroups);
    *first_out = hat->groups[index].first;
    *end_out = index + 1 < hat->ngroups ? hat->groups[index + 1].first : hat->nentries;
}

unsigned hat_group_classes(const struct hat *hat, size_t index)
{
    unsigned classes = 0;
    for (unsigned i = 0; i < HAT_CLASSES; i++) {
        if (hat->class_group[i] == index)
            classes |= 1u << i;
    }
    return classes;
}

size_t hat_bytes(const struct hat *hat)
{
    size_t zones = 0;
    for (size_t i = 0; i < hat->nzones; i++)
        zones += ipmap_bytes(hat->zones[i].answers);
    return zones + sizeof *hat + arena_used(hat->arena) + hat->pool_room + hat->words_room +
           hat->texts_room * sizeof *hat->texts + hat->groups_room * sizeof *hat->groups +
           hat->targets_room * sizeof *hat->targets + ipmap_bytes(hat->addresses) +
           strmap_bytes(hat->names) + strmap_bytes(hat->spelled) + strmap_bytes(hat->lookups) +
           (hat->scores != NULL ? HAT_SCORE_SLOTS * sizeof *hat->scores : 0);
}

void hat_free(struct hat *hat)
{
    if (hat == NULL)
        return;
    arena_free(hat->arena);
    ipmap_free(hat->addresses);
    for (size_t i = 0; i < hat->nzones; i++)
        ipmap_free(hat->zones[i].answers);
    strmap_free(hat->names);
    strmap_free(hat->spelled);
    strmap_free(hat->lookups);
    free(hat->pool);
    free(hat->texts);
    free(hat->words);
    free(hat->targets);
    free(hat->groups);
    free(hat->scores);
    free(hat);
}
