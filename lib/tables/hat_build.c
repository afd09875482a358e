/*
 * hat_build.c - from sender groups as written to the table.
 */
#include <string.h>
#include "lib/tables/hat_table.h"
#include "lib/tables/reader.h"

struct builder {
    struct hat *hat;
    struct problems *problems;
    struct arena *scratch; /* for one entry */
    const char *file;      /* the last file name copied */
    bool indexed;          /* the group at hand is not passed over */
};

static bool no_memory(struct builder *builder, struct place at)
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

static bool keep_text(struct hat *hat, struct slice text)
{
    void *pool = hat->pool, *texts = hat->texts;
    bool good = grow(&pool, 1, hat->pool_n, text.n + 1, &hat->pool_room);
    hat->pool = pool;
    good = good && grow(&texts, sizeof *hat->texts, hat->nentries, 1, &hat->texts_room);
    hat->texts = texts;
    if (!good)
        return false;
    memcpy(hat->pool + hat->pool_n, text.p, text.n);
    hat->pool[hat->pool_n + text.n] = '\0';
    hat->texts[hat->nentries++] = (uint32_t)hat->pool_n;
    hat->pool_n += text.n + 1;
    return true;
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

static bool index_zone(struct builder *builder, const char *name, uint32_t entry, struct place at)
{
    struct hat *hat = builder->hat;
    bool was_there;
    if (!index_key(hat, "zone", name, entry, &was_there))
        return no_memory(builder, at);
    if (was_there)
        return true;
    if (hat->nzones == HAT_ZONES_MAX) {
        problem_error(builder->problems, at, "more than %d different DNS lists in one table",
                      HAT_ZONES_MAX);
        return false;
    }
    struct hat_zone zone = {arena_dup(hat->arena, name), entry};
    if (zone.name == NULL)
        return no_memory(builder, at);
    hat->zones[hat->nzones++] = zone;
    return true;
}

static bool index_lookup(struct builder *builder, const struct hat_form *form, uint32_t entry,
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
        return index_zone(builder, form->name, entry, at);
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

static bool index_entry(struct builder *builder, const struct hat_form *form, uint32_t entry,
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
        good = strmap_add(hat->names, slice_of(form->name), entry, NULL);
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

/* --- entries ----------------------------------------------------------------------------- */

static void warn_host_bits(struct builder *builder, struct slice text, const struct hat_form *form,
                           struct place at)
{
    char shown[READER_SHOWN_MAX], network[IP_TEXT_MAX];
    problem_warning(builder->problems, at, "%s has bits set behind its prefix: %s/%u is meant",
                    reader_shown(text, shown), ip_text(&form->first, network), form->network_bits);
}

/* false: the table cannot be used, and no more entries need be tried. */
static bool add_entry(struct builder *builder, struct slice written, struct place at)
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
    if (form.kind == HAT_ENTRY_RANGE && form.host_bits)
        warn_host_bits(builder, text, &form, at);
    uint32_t entry = (uint32_t)builder->hat->nentries;
    if (!keep_text(builder->hat, text))
        return no_memory(builder, at);
    return !builder->indexed || index_entry(builder, &form, entry, at);
}

static bool add_items(struct builder *builder, const struct key_list *senders)
{
    for (size_t i = 0; i < senders->n; i++) {
        if (!add_entry(builder, slice_of(senders->v[i].text), senders->v[i].at))
            return false;
        arena_reset(builder->scratch);
    }
    return true;
}

static bool add_line(struct builder *builder, struct reader *reader, struct scan *scan)
{
    struct place at = lines_place(reader->lines, 0);
    while (!scan_end(scan)) {
        at.column = scan_column(scan);
        struct slice word = scan_word(scan, ",");
        if (word.n > 0 && !add_entry(builder, word, at))
            return false;
        scan_take(scan, ',');
        scan_blanks(scan);
    }
    arena_reset(builder->scratch);
    return true;
}

static bool add_file(struct builder *builder, const char *path, struct place at)
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

/* --- groups ------------------------------------------------------------------------------ */

/* Places of groups outlive the configuration's: copy the file's name, once
 * for all groups of one file. */
static const char *keep_file(struct builder *builder, const char *file)
{
    if (file == NULL || (builder->file != NULL && strcmp(builder->file, file) == 0))
        return file == NULL ? NULL : builder->file;
    return builder->file = arena_dup(builder->hat->arena, file);
}

static bool add_row(struct builder *builder, const char *name, struct place at,
                    const struct policy *policy)
{
    struct hat *hat = builder->hat;
    struct hat_row row = {
        .name = arena_dup(hat->arena, name),
        .at = {.file = keep_file(builder, at.file), .line = at.line, .column = at.column},
        .policy = policy,
        .first = (uint32_t)hat->nentries};
    if ((row.name == NULL) != (name == NULL) || (row.at.file == NULL) != (at.file == NULL))
        return no_memory(builder, at);
    hat->groups[hat->ngroups++] = row;
    return true;
}

static bool add_group(struct builder *builder, const struct hat_group *group)
{
    struct hat *hat = builder->hat;
    if (!add_row(builder, group->name, group->at, group->policy))
        return false;
    builder->indexed = group->policy->keys.access != POLICY_CONTINUE;
    if (builder->indexed)
        index_classes(hat, group->unverified, (uint32_t)hat->ngroups - 1);
    if (!add_items(builder, &group->senders))
        return false;
    return group->senders_file == NULL || group->senders_file[0] == '\0' ||
           add_file(builder, group->senders_file, group->senders_file_at);
}

static void add_all(struct builder *builder, const struct hat_group *groups, size_t n,
                    const struct policy *fallback)
{
    struct hat *hat = builder->hat;
    for (size_t i = 0; i < n; i++) {
        if (!add_group(builder, &groups[i]))
            return;
    }
    if (!add_row(builder, NULL, (struct place){0}, fallback))
        return;
    if (!ipmap_seal(hat->addresses))
        no_memory(builder, (struct place){0});
}

static bool make_parts(struct hat *hat, size_t ngroups)
{
    hat->arena = arena_new(0);
    hat->addresses = ipmap_new();
    hat->names = strmap_new();
    hat->lookups = strmap_new();
    hat->groups = calloc(ngroups, sizeof *hat->groups);
    hat->all = hat->first_score = hat->first_owner = hat->first_country = HAT_NONE;
    for (unsigned i = 0; i < HAT_CLASSES; i++)
        hat->class_group[i] = HAT_NONE;
    return hat->arena != NULL && hat->addresses != NULL && hat->names != NULL &&
           hat->lookups != NULL && hat->groups != NULL;
}

static void trim(struct hat *hat)
{
    void *pool = hat->pool, *texts = hat->texts;
    shrink(&pool, 1, hat->pool_n, &hat->pool_room);
    shrink(&texts, sizeof *hat->texts, hat->nentries, &hat->texts_room);
    hat->pool = pool;
    hat->texts = texts;
}

struct hat *hat_build(const struct hat_group *groups, size_t n, const struct policy *fallback,
                      struct problems *problems)
{
    size_t errors = problems_errors(problems);
    struct builder builder = {.hat = calloc(1, sizeof *builder.hat), .problems = problems};
    CHECK(fallback->keys.access != POLICY_CONTINUE);
    builder.scratch = arena_new(0);
    if (builder.hat != NULL && builder.scratch != NULL && make_parts(builder.hat, n + 1)) {
        add_all(&builder, groups, n, fallback);
        trim(builder.hat);
    } else {
        no_memory(&builder, (struct place){0});
    }
    arena_free(builder.scratch);
    if (problems_errors(problems) > errors) {
        hat_free(builder.hat);
        return NULL;
    }
    return builder.hat;
}
