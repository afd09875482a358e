/*
 * hat_builder.c - keeps what was written and indexes what it means.
 */
#include "lib/tables/hat_builder.h"

#include <string.h>
#include "lib/tables/hat_table.h"
#include "lib/tables/reader.h"

static bool no_memory(struct hat_builder *builder, struct place at)
{
    problem_error(builder->problems, at, "out of memory");
    return false;
}

/* Room for `more` behind `n`, growing by an eighth: realloc() moves a large
 * block without copying it. */
static bool grow(void **block, size_t size, size_t n, size_t more, size_t *room)
{
    if (*room - n >= more)
        return true;
    size_t wanted = n + more + n / 8 + 256;
    void *p = wanted < UINT32_MAX ? realloc(*block, wanted * size) : NULL;
    if (p == NULL)
        return false;
    *block = p;
    *room = wanted;
    return true;
}

static void shrink(void **block, size_t size, size_t n, size_t *room)
{
    void *p = n > 0 ? realloc(*block, n * size) : NULL;
    if (p == NULL)
        return;
    *block = p;
    *room = n;
}

/* --- keeping the text ------------------------------------------------------------------ */

/* Text and a NUL behind what the pool holds. */
static bool put_text(char **pool, size_t *n, size_t *room, struct slice text)
{
    void *block = *pool;
    bool good = grow(&block, 1, *n, text.n + 1, room);
    *pool = block;
    if (!good)
        return false;
    if (text.n > 0)
        memcpy(*pool + *n, text.p, text.n);
    (*pool)[*n + text.n] = '\0';
    *n += text.n + 1;
    return true;
}

static bool keep_text(struct hat *hat, struct slice text)
{
    size_t at = hat->pool_n;
    void *texts = hat->texts;
    bool good = hat->nentries < HAT_NONE - 1 &&
                put_text(&hat->pool, &hat->pool_n, &hat->pool_room, text) &&
                grow(&texts, sizeof *hat->texts, hat->nentries, 1, &hat->texts_room);
    hat->texts = texts;
    if (good)
        hat->texts[hat->nentries++] = (uint32_t)at;
    return good;
}

/* A name or comment, as UTF-8. */
static bool keep_word(struct hat_builder *builder, struct slice written, uint32_t *word_out)
{
    struct hat *hat = builder->hat;
    struct slice text;
    if (!scan_utf8(written, builder->scratch, &text))
        return false;
    *word_out = (uint32_t)hat->words_n;
    return put_text(&hat->words, &hat->words_n, &hat->words_room, text);
}

/* --- indexing --------------------------------------------------------------------------- */

static void lower_to(uint32_t *first, uint32_t entry)
{
    if (entry < *first)
        *first = entry;
}

static bool index_scores(struct hat *hat, const struct hat_form *form, uint32_t entry)
{
    if (hat->scores == NULL) {
        hat->scores = malloc(HAT_SCORE_SLOTS * sizeof *hat->scores);
        if (hat->scores == NULL)
            return false;
        for (size_t i = 0; i < HAT_SCORE_SLOTS; i++)
            hat->scores[i] = HAT_NONE;
    }
    size_t from = (size_t)(2 * (form->score_from + HAT_SCORE_MOST));
    size_t to = (size_t)(2 * (form->score_to + HAT_SCORE_MOST));
    for (size_t i = from; i <= to; i++)
        lower_to(&hat->scores[i], entry);
    return true;
}

static bool index_key(struct hat *hat, const char *sort, const char *value, uint32_t entry,
                      bool *was_there_out)
{
    char key[HAT_LOOKUP_KEY_MAX];
    int n = snprintf(key, sizeof key, "%s:%s", sort, value);
    CHECK(n > 0 && (size_t)n < sizeof key);
    return strmap_add(hat->lookups, (struct slice){key, (size_t)n}, entry, was_there_out);
}

/* The zone of that name, a new one where there is none yet; NULL: a problem. */
static struct hat_zone *take_zone(struct hat_builder *builder, const char *name, uint32_t entry,
                                  struct place at)
{
    struct hat *hat = builder->hat;
    size_t i = 0;
    while (i < hat->nzones && strcmp(hat->zones[i].name, name) != 0)
        i++;
    if (i == HAT_ZONES_MAX) {
        problem_error(builder->problems, at, "more than %d different DNS lists in one table",
                      HAT_ZONES_MAX);
        return NULL;
    }
    if (i < hat->nzones)
        return &hat->zones[i];
    struct hat_zone zone = {arena_dup(hat->arena, name), entry, ipmap_new()};
    if (zone.name == NULL || zone.answers == NULL ||
        !index_key(hat, "zone", name, (uint32_t)i, NULL)) {
        ipmap_free(zone.answers);
        no_memory(builder, at);
        return NULL;
    }
    hat->zones[hat->nzones++] = zone;
    return &hat->zones[i];
}

static bool index_zone(struct hat_builder *builder, const struct hat_form *form, uint32_t entry,
                       struct place at)
{
    const struct hat_zone *zone = take_zone(builder, form->name, entry, at);
    for (size_t i = 0; zone != NULL && i < form->nanswers; i++) {
        struct ip first = ip_from_v4(form->answers[i].first);
        struct ip last = ip_from_v4(form->answers[i].last);
        if (!ipmap_add(zone->answers, &first, &last, entry))
            return no_memory(builder, at);
    }
    return zone != NULL;
}

static bool index_lookup(struct hat_builder *builder, const struct hat_form *form, uint32_t entry,
                         struct place at)
{
    struct hat *hat = builder->hat;
    char number[16];
    bool good = true;
    switch (form->lookup) {
    case HAT_LOOKUP_SCORE:
        lower_to(&hat->first_score, entry);
        good = index_scores(hat, form, entry);
        break;
    case HAT_LOOKUP_NO_SCORE:
        lower_to(&hat->first_score, entry);
        good = index_key(hat, "sbrs", "none", entry, NULL);
        break;
    case HAT_LOOKUP_OWNER:
        lower_to(&hat->first_owner, entry);
        snprintf(number, sizeof number, "%u", (unsigned)form->owner);
        good = index_key(hat, "sbo", number, entry, NULL);
        break;
    case HAT_LOOKUP_COUNTRY:
        lower_to(&hat->first_country, entry);
        good = index_key(hat, "country", form->country, entry, NULL);
        break;
    case HAT_LOOKUP_ZONE:
        return index_zone(builder, form, entry, at);
    }
    return good || no_memory(builder, at);
}

static void index_classes(struct hat *hat, unsigned classes, uint32_t group)
{
    for (unsigned i = 0; i < HAT_CLASSES; i++) {
        if (classes & 1u << i)
            lower_to(&hat->class_group[i], group);
    }
}

/* Most names are written as they are compared, and need no second copy. */
static bool index_name(struct hat *hat, const char *name, uint32_t entry)
{
    bool same = strcmp(name, hat_entry_text(hat, entry)) == 0;
    return strmap_add(same ? hat->names : hat->spelled, slice_of(name), entry, NULL);
}

static bool index_form(struct hat_builder *builder, const struct hat_form *form, uint32_t entry,
                       struct place at)
{
    struct hat *hat = builder->hat;
    bool good = true;
    switch (form->kind) {
    case HAT_ENTRY_RANGE:
        good = ipmap_add(hat->addresses, &form->first, &form->last, entry);
        break;
    case HAT_ENTRY_GROUP_RANGE:
        good = ipmap_add_group_range(hat->addresses, &form->first, form->group, form->from,
                                     form->to, entry);
        break;
    case HAT_ENTRY_NAME:
    case HAT_ENTRY_SUFFIX:
        good = index_name(hat, form->name, entry);
        break;
    case HAT_ENTRY_LOOKUP:
        return index_lookup(builder, form, entry, at);
    case HAT_ENTRY_UNVERIFIED:
        index_classes(hat, form->class, (uint32_t)hat->ngroups - 1);
        break;
    case HAT_ENTRY_ALL:
        lower_to(&hat->all, entry);
        break;
    }
    return good || no_memory(builder, at);
}

/* Whether a group is passed over is known only when its target is read, which
 * stands behind the entries: they are parsed once more, now that they are known
 * to be right. */
static bool index_entries(struct hat_builder *builder, uint32_t first, struct place at)
{
    struct hat *hat = builder->hat;
    size_t n = hat->nentries - first;
    if (n == 1)
        return index_form(builder, &builder->last, first, at);
    for (uint32_t entry = first; entry < hat->nentries; entry++) {
        struct hat_form form;
        CHECK(hat_form_parse(slice_of(hat_entry_text(hat, entry)), &form, NULL));
        if (!index_form(builder, &form, entry, at))
            return false;
    }
    return true;
}

/* --- entries ----------------------------------------------------------------------------- */

static void warn_host_bits(struct hat_builder *builder, struct slice text, struct place at)
{
    char shown[READER_SHOWN_MAX], network[IP_TEXT_MAX];
    problem_warning(builder->problems, at, "%s has bits set after its prefix: %s/%u is used",
                    reader_shown(text, shown), ip_text(&builder->last.first, network),
                    builder->last.network_bits);
}

bool hat_builder_entry(struct hat_builder *builder, struct slice written, struct place at)
{
    struct hat_form form;
    struct err err;
    struct slice text;
    if (!scan_utf8(written, builder->scratch, &text))
        return no_memory(builder, at);
    if (!hat_form_parse(text, &form, &err)) {
        problem_error(builder->problems, at, "%s", err.text);
        return true;
    }
    builder->last = form; /* of a wrong entry nothing is kept */
    if (form.kind == HAT_ENTRY_RANGE && form.host_bits)
        warn_host_bits(builder, text, at);
    return (keep_text(builder->hat, text) && hat_places_add(&builder->places, at)) ||
           no_memory(builder, at);
}

static bool add_line(struct hat_builder *builder, struct reader *reader, struct scan *scan)
{
    struct place at = lines_place(reader->lines, 0);
    while (!scan_end(scan)) {
        at.column = scan_column(scan);
        struct slice word = scan_rest(scan);
        word.n = str_item(word, ", \t");
        scan->at += word.n;
        if (word.n > 0 && !hat_builder_entry(builder, word, at))
            return false;
        scan_take(scan, ',');
        scan_blanks(scan);
    }
    arena_reset(builder->scratch);
    return true;
}

bool hat_builder_file(struct hat_builder *builder, const char *path, struct place at)
{
    struct reader reader;
    struct scan scan;
    bool good = true;
    if (reader_open(&reader, path, at, builder->problems)) {
        while (good && reader_next(&reader, &scan))
            good = add_line(builder, &reader, &scan);
    }
    reader_close(&reader);
    return good;
}

/* --- targets and groups ------------------------------------------------------------------- */

struct arena *hat_builder_arena(const struct hat_builder *builder)
{
    return builder->hat->arena;
}

const char *hat_builder_path(const struct hat_builder *builder)
{
    return builder->hat->file;
}

const struct policy *hat_builder_policy(const struct hat_builder *builder, uint32_t target)
{
    return builder->hat->targets[target].policy;
}

bool hat_builder_target(struct hat_builder *builder, const struct policy *policy,
                        const struct hat_settings *written, uint32_t *target_out)
{
    struct hat *hat = builder->hat;
    void *targets = hat->targets;
    if (hat->ntargets > 0 && hat->targets[hat->ntargets - 1].policy == policy) {
        *target_out = (uint32_t)hat->ntargets - 1;
        return true;
    }
    bool good = grow(&targets, sizeof *hat->targets, hat->ntargets, 1, &hat->targets_room);
    hat->targets = targets;
    if (!good)
        return no_memory(builder, (struct place){0});
    hat->targets[hat->ntargets] = (struct hat_target){policy, written};
    *target_out = (uint32_t)hat->ntargets++;
    return true;
}

/* What the group could begin, or be a part of. */
static enum hat_run run_of(const struct hat_builder *builder, const struct hat_builder_group *group)
{
    if (builder->hat->nentries - builder->first != 1 || group->name.p != NULL ||
        group->comment.n > 0 || group->unverified != 0)
        return HAT_RUN_NONE;
    switch (builder->last.kind) {
    case HAT_ENTRY_RANGE:
    case HAT_ENTRY_GROUP_RANGE:
        return HAT_RUN_ADDRESSES;
    case HAT_ENTRY_NAME:
    case HAT_ENTRY_SUFFIX:
        return HAT_RUN_NAMES;
    case HAT_ENTRY_LOOKUP:
    case HAT_ENTRY_UNVERIFIED:
    case HAT_ENTRY_ALL:
        break;
    }
    return HAT_RUN_NONE;
}

/* Does it go on where the last group ends? Its line must follow from those
 * before. */
static bool continues(const struct hat_builder *builder, const struct hat_builder_group *group,
                      enum hat_run run)
{
    const struct hat *hat = builder->hat;
    if (run == HAT_RUN_NONE || run != builder->run)
        return false;
    struct hat_row *last = &hat->groups[hat->ngroups - 1];
    uint32_t lines = group->at.line - last->line, n = builder->first - last->first;
    if (last->policy != group->target || lines == 0)
        return false;
    if (n == 1 && lines <= UINT16_MAX)
        last->stride = (uint16_t)lines;
    return lines == (uint64_t)last->stride * n;
}

static bool add_row(struct hat_builder *builder, const struct hat_builder_group *group)
{
    struct hat *hat = builder->hat;
    struct hat_row row = {.name = HAT_NONE,
                          .comment = HAT_NONE,
                          .policy = group->target,
                          .first = builder->first,
                          .line = group->at.line,
                          .classes = (uint16_t)group->unverified};
    void *groups = hat->groups;
    bool good = grow(&groups, sizeof *hat->groups, hat->ngroups, 1, &hat->groups_room);
    hat->groups = groups;
    if (group->name.p != NULL)
        good = good && keep_word(builder, group->name, &row.name);
    if (group->comment.n > 0)
        good = good && keep_word(builder, group->comment, &row.comment);
    if (!good)
        return no_memory(builder, group->at);
    hat->groups[hat->ngroups++] = row;
    return true;
}

bool hat_builder_group(struct hat_builder *builder, const struct hat_builder_group *group)
{
    struct hat *hat = builder->hat;
    const struct policy *policy = hat_builder_policy(builder, group->target);
    enum hat_run run = run_of(builder, group);
    if (!continues(builder, group, run) && !add_row(builder, group))
        return false;
    builder->run = run;
    if (policy->keys.access != POLICY_CONTINUE) {
        index_classes(hat, group->unverified, (uint32_t)hat->ngroups - 1);
        if (!index_entries(builder, builder->first, group->at))
            return false;
    }
    builder->first = (uint32_t)hat->nentries;
    return true;
}

/* --- the whole ---------------------------------------------------------------------------- */

static struct slice text_of(const void *hat, uint32_t entry)
{
    return slice_of(hat_entry_text(hat, entry));
}

static bool make_parts(struct hat *hat)
{
    hat->arena = arena_new(0);
    hat->addresses = ipmap_new();
    hat->names = strmap_new_over(text_of, hat);
    hat->spelled = strmap_new();
    hat->lookups = strmap_new();
    hat->all = hat->first_score = hat->first_owner = hat->first_country = HAT_NONE;
    for (unsigned i = 0; i < HAT_CLASSES; i++)
        hat->class_group[i] = HAT_NONE;
    return hat->arena != NULL && hat->addresses != NULL && hat->names != NULL &&
           hat->spelled != NULL && hat->lookups != NULL;
}

bool hat_builder_start(struct hat_builder *builder, const char *file, struct problems *problems)
{
    *builder = (struct hat_builder){.problems = problems, .errors = problems_errors(problems)};
    builder->scratch = arena_new(0);
    builder->hat = calloc(1, sizeof *builder->hat);
    if (builder->scratch == NULL || builder->hat == NULL || !make_parts(builder->hat))
        return no_memory(builder, (struct place){.file = file});
    builder->hat->file = arena_dup(builder->hat->arena, file);
    return (builder->hat->file == NULL) == (file == NULL) ||
           no_memory(builder, (struct place){.file = file});
}

static void trim(struct hat *hat)
{
    void *pool = hat->pool, *texts = hat->texts, *words = hat->words, *groups = hat->groups;
    void *targets = hat->targets;
    shrink(&pool, 1, hat->pool_n, &hat->pool_room);
    shrink(&texts, sizeof *hat->texts, hat->nentries, &hat->texts_room);
    shrink(&words, 1, hat->words_n, &hat->words_room);
    shrink(&groups, sizeof *hat->groups, hat->ngroups, &hat->groups_room);
    shrink(&targets, sizeof *hat->targets, hat->ntargets, &hat->targets_room);
    hat->pool = pool;
    hat->texts = texts;
    hat->targets = targets;
    hat->words = words;
    hat->groups = groups;
}

static bool seal(struct hat *hat)
{
    bool good = ipmap_seal(hat->addresses);
    for (size_t i = 0; good && i < hat->nzones; i++)
        good = ipmap_seal(hat->zones[i].answers);
    return good;
}

struct hat *hat_builder_finish(struct hat_builder *builder, bool good)
{
    struct hat *hat = builder->hat;
    arena_free(builder->scratch);
    good = good && ((seal(hat) && hat_hidden_warn(hat, &builder->places, builder->sections,
                                                  builder->problems)) ||
                    no_memory(builder, (struct place){.file = hat->file}));
    hat_places_done(&builder->places);
    if (!good || problems_errors(builder->problems) > builder->errors) {
        hat_free(hat);
        return NULL;
    }
    trim(hat);
    return hat;
}
