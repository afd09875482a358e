/*
 * hat_hidden.c - see hat_hidden.h.
 *
 * Numbers are written order, and an index gives the lowest number that matches: an
 * entry is hidden where the index never gives its own.
 */
#include "lib/tables/hat_hidden.h"

#include <string.h>
#include "lib/tables/hat_table.h"
#include "lib/tables/reader.h"

/* --- places ------------------------------------------------------------------------ */

static bool grow(void **block, size_t size, size_t n, size_t *room)
{
    if (n < *room)
        return true;
    size_t wanted = n + n / 2 + 16;
    void *p = wanted < UINT32_MAX ? realloc(*block, wanted * size) : NULL;
    if (p == NULL)
        return false;
    *block = p;
    *room = wanted;
    return true;
}

/* Entries of one file, or of one key, stand together. */
static bool find_source(struct hat_places *places, struct place at, uint32_t *source_out)
{
    size_t n = places->nsources;
    void *sources = places->sources;
    *source_out = (uint32_t)n - 1;
    if (n > 0 && places->sources[n - 1].file == at.file && places->sources[n - 1].key == at.key)
        return true;
    bool good = grow(&sources, sizeof *places->sources, n, &places->sources_room);
    places->sources = sources;
    if (!good)
        return false;
    places->sources[n] = (struct place){.file = at.file, .key = at.key};
    *source_out = (uint32_t)n;
    places->nsources++;
    return true;
}

bool hat_places_add(struct hat_places *places, struct place at)
{
    uint32_t source;
    void *spots = places->spots;
    bool good = find_source(places, at, &source) &&
                grow(&spots, sizeof *places->spots, places->n, &places->room);
    places->spots = spots;
    if (!good)
        return false;
    places->spots[places->n++] = (struct hat_spot){at.line, at.column, source};
    return true;
}

void hat_places_done(struct hat_places *places)
{
    free(places->spots);
    free(places->sources);
    *places = (struct hat_places){.n = 0};
}

/* --- telling ----------------------------------------------------------------------- */

struct hidden {
    const struct hat *hat;
    const struct hat_places *places;
    struct problems *problems;
    bool sections;
    uint8_t *shown;         /* owned: a bit an entry: an index gives it */
    struct strmap *lookups; /* owned: texts of look-up entries so far, in lower case */
    size_t told;
};

static struct place place_of(const struct hidden *hidden, uint32_t entry)
{
    const struct hat_spot *spot = &hidden->places->spots[entry];
    struct place at = hidden->places->sources[spot->source];
    at.line = spot->line;
    at.column = spot->column;
    return at;
}

static const char *shown_text(const struct hidden *hidden, uint32_t entry,
                              char out[READER_SHOWN_MAX])
{
    return reader_shown(slice_of(hat_entry_text(hidden->hat, entry)), out);
}

/* The last of many warnings says how many they are. */
static bool too_many(struct hidden *hidden)
{
    return ++hidden->told > READER_HIDDEN_MAX;
}

/* others: not by that one alone. */
static void tell(struct hidden *hidden, uint32_t entry, uint32_t by, bool others)
{
    char text[READER_SHOWN_MAX], first[READER_SHOWN_MAX];
    struct place at = place_of(hidden, entry), by_at = place_of(hidden, by);
    /* What is written twice in a line is no row of its own. */
    if ((by_at.file == at.file && by_at.line == at.line) || too_many(hidden))
        return;
    problem_warning(hidden->problems, at, "%s is never reached: %s%s first, %s:%u",
                    shown_text(hidden, entry, text), shown_text(hidden, by, first),
                    others ? " and others come" : " comes", by_at.file, by_at.line);
}

/* A bare entry is a group without a name; one that is a class alone has no entries. */
static const char *name_of_row(const struct hat *hat, size_t group)
{
    const struct hat_row *row = &hat->groups[group];
    const char *name = hat_word(hat, row->name);
    if (name != NULL)
        return name;
    if (group + 1 == hat->ngroups)
        return "ALL";
    if (row->first < row[1].first)
        return hat_entry_text(hat, row->first);
    unsigned class = 0;
    while (class + 1 < HAT_CLASSES && (row->classes & 1u << class) == 0)
        class ++;
    return hat_class_word((enum hat_unverified)(1u << class));
}

static void tell_group(struct hidden *hidden, size_t group)
{
    const struct hat *hat = hidden->hat;
    const struct hat_row *row = &hat->groups[group];
    struct place at = {.file = hat->file, .line = row->line};
    struct place all = place_of(hidden, hat->all);
    const char *name = name_of_row(hat, group);
    if (row->line == 0 || too_many(hidden))
        return;
    problem_warning(hidden->problems, at,
                    hidden->sections ? "[group %s] is never reached: ALL "
                                       "comes first, %s:%u"
                                     : "%s is never reached: ALL comes "
                                       "first, %s:%u",
                    name, all.file, all.line);
}

/* --- one entry ------------------------------------------------------------------------ */

static bool is_shown(const struct hidden *hidden, uint32_t entry)
{
    return (hidden->shown[entry / 8] >> entry % 8 & 1) != 0;
}

static bool holds_both(const struct hidden *hidden, uint32_t entry, const struct hat_form *form)
{
    struct hat_form other;
    return hat_form_parse(slice_of(hat_entry_text(hidden->hat, entry)), &other, NULL) &&
           other.kind == HAT_ENTRY_RANGE && hat_form_holds(&other, &form->first) &&
           hat_form_holds(&other, &form->last);
}

/* Ranges that no index gives; and, of those in one inner group of IPv6 and what these
 * take, such as lie in one other. */
static void look_at_range(struct hidden *hidden, uint32_t entry, const struct hat_form *form)
{
    uint32_t first = ipmap_get(hidden->hat->addresses, &form->first);
    uint32_t last = ipmap_get(hidden->hat->addresses, &form->last);
    if (first < entry && (ip_equal(&form->first, &form->last) || holds_both(hidden, first, form)))
        tell(hidden, entry, first, false);
    else if (last < entry && holds_both(hidden, last, form))
        tell(hidden, entry, last, false);
    else if (first < entry && !is_shown(hidden, entry))
        tell(hidden, entry, first, true);
}

static uint32_t lowest_name(const struct strmap *names, const char *name)
{
    uint32_t same = strmap_get(names, slice_of(name));
    uint32_t below = strmap_lowest_suffix(names, name + (name[0] == '.'));
    return same < below ? same : below;
}

static void look_at_name(struct hidden *hidden, uint32_t entry, const char *name)
{
    uint32_t found = lowest_name(hidden->hat->names, name);
    if (strmap_count(hidden->hat->spelled) > 0) {
        uint32_t spelled = lowest_name(hidden->hat->spelled, name);
        found = spelled < found ? spelled : found;
    }
    if (found < entry)
        tell(hidden, entry, found, false);
}

/* Of look-ups other than scores only equal ones are known to hide each other. */
static bool look_at_lookup(struct hidden *hidden, uint32_t entry, const struct hat_form *form)
{
    const struct hat *hat = hidden->hat;
    char text[HAT_LOOKUP_KEY_MAX];
    bool was_there;
    if (form->lookup == HAT_LOOKUP_SCORE) {
        uint32_t first = hat->scores[2 * (form->score_from + HAT_SCORE_MOST)];
        uint32_t last = hat->scores[2 * (form->score_to + HAT_SCORE_MOST)];
        if (!is_shown(hidden, entry))
            tell(hidden, entry, first, first != last);
        return true;
    }
    int n = snprintf(text, sizeof text, "%s", hat_entry_text(hat, entry));
    if (n < 0 || (size_t)n >= sizeof text)
        return true;
    ascii_lower_in_place(text);
    if (!strmap_add(hidden->lookups, slice_of(text), entry, &was_there))
        return false;
    if (was_there)
        tell(hidden, entry, strmap_get(hidden->lookups, slice_of(text)), false);
    return true;
}

/* Classes that the group takes, by an entry or by unverified: before = "" or the key. */
static void look_at_classes(struct hidden *hidden, struct place at, const char *before,
                            unsigned classes, size_t group)
{
    const struct hat *hat = hidden->hat;
    for (unsigned i = 0; i < HAT_CLASSES; i++) {
        const char *word = hat_class_word((enum hat_unverified)(1u << i));
        if ((classes & 1u << i) == 0 || hat->class_group[i] >= group || too_many(hidden))
            continue;
        const struct hat_row *row = &hat->groups[hat->class_group[i]];
        const char *name = hat_word(hat, row->name);
        problem_warning(hidden->problems, at, "%s%s is never reached: %s%s comes first, %s:%u",
                        before, word, name != NULL ? "the group " : "", name != NULL ? name : word,
                        hat->file, row->line);
    }
}

/* [group] unverified. */
static void look_at_unverified(struct hidden *hidden, size_t group)
{
    const struct hat *hat = hidden->hat;
    const struct hat_row *row = &hat->groups[group];
    const char *name = hat_word(hat, row->name);
    char before[READER_SHOWN_MAX + 32] = "";
    if (name != NULL)
        snprintf(before, sizeof before, "[group %.*s] unverified: ", READER_SHOWN_MAX, name);
    look_at_classes(hidden, (struct place){.file = hat->file, .line = row->line}, before,
                    row->classes, group);
}

/* Most entries need not be parsed once more: shown ones but ranges of IPv6 and scores,
 * and names written as they are compared. */
static bool look_at_plain(struct hidden *hidden, uint32_t entry)
{
    const struct hat *hat = hidden->hat;
    const char *text = hat_entry_text(hat, entry);
    if (is_shown(hidden, entry))
        return strchr(text, ':') == NULL || strpbrk(text, "-/[") == NULL;
    if (strmap_get(hat->names, slice_of(text)) == HAT_NONE)
        return false;
    look_at_name(hidden, entry, text);
    return true;
}

static bool look_at(struct hidden *hidden, uint32_t entry, size_t group)
{
    const struct hat *hat = hidden->hat;
    struct hat_form form;
    if (hat->all < entry) {
        tell(hidden, entry, hat->all, false);
        return true;
    }
    if (look_at_plain(hidden, entry))
        return true;
    CHECK(hat_form_parse(slice_of(hat_entry_text(hat, entry)), &form, NULL));
    switch (form.kind) {
    case HAT_ENTRY_RANGE:
    case HAT_ENTRY_GROUP_RANGE:
        look_at_range(hidden, entry, &form);
        break;
    case HAT_ENTRY_NAME:
    case HAT_ENTRY_SUFFIX:
        look_at_name(hidden, entry, form.name);
        break;
    case HAT_ENTRY_LOOKUP:
        return look_at_lookup(hidden, entry, &form);
    case HAT_ENTRY_UNVERIFIED:
        look_at_classes(hidden, place_of(hidden, entry), "", form.class, group);
        break;
    case HAT_ENTRY_ALL:
        break;
    }
    return true;
}

/* --- all of them ------------------------------------------------------------------------- */

static void mark_shown(uint32_t entry, void *arg)
{
    struct hidden *hidden = arg;
    hidden->shown[entry / 8] = (uint8_t)(hidden->shown[entry / 8] | 1u << entry % 8);
}

static bool start(struct hidden *hidden)
{
    const struct hat *hat = hidden->hat;
    hidden->shown = calloc(1, hat->nentries / 8 + 1);
    hidden->lookups = strmap_new();
    if (hidden->shown == NULL || hidden->lookups == NULL)
        return false;
    ipmap_shown(hat->addresses, mark_shown, hidden);
    for (size_t i = 0; hat->scores != NULL && i < HAT_SCORE_SLOTS; i++) {
        if (hat->scores[i] != HAT_NONE)
            mark_shown(hat->scores[i], hidden);
    }
    return true;
}

bool hat_hides_fallback(const struct hat *hat)
{
    return hat->all != HAT_NONE;
}

static bool look_at_group(struct hidden *hidden, size_t group)
{
    const struct hat *hat = hidden->hat;
    const struct hat_row *row = &hat->groups[group];
    if (hat->all != HAT_NONE && row->first > hat->all) {
        tell_group(hidden, group);
        return true;
    }
    look_at_unverified(hidden, group);
    for (uint32_t entry = row->first; entry < row[1].first; entry++) {
        if (!look_at(hidden, entry, group))
            return false;
    }
    return true;
}

bool hat_hidden_warn(const struct hat *hat, const struct hat_places *places, bool sections,
                     struct problems *problems)
{
    struct hidden hidden = {
        .hat = hat, .places = places, .problems = problems, .sections = sections};
    bool good = start(&hidden);
    for (size_t i = 0; good && i + 1 < hat->ngroups; i++) {
        if (hat->targets[hat->groups[i].policy].policy->keys.access != POLICY_CONTINUE)
            good = look_at_group(&hidden, i);
    }
    if (good && hat_hides_fallback(hat))
        tell_group(&hidden, hat->ngroups - 1);
    if (hidden.told > READER_HIDDEN_MAX)
        problem_warning(problems, (struct place){.file = hat->file},
                        "%zu more rows are never reached", hidden.told - READER_HIDDEN_MAX);
    strmap_free(hidden.lookups);
    free(hidden.shown);
    return good;
}
