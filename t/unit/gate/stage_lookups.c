/* stage_lookups.c - see stage_lookups.h. */
#include "t/unit/gate/stage_lookups.h"

#include <string.h>

#include "t/unit/gate/stage_case.h"

static void note(struct stage_lookups *lookups, const char *word)
{
    size_t n = strlen(lookups->wanted);
    snprintf(lookups->wanted + n, sizeof lookups->wanted - n, "%s%s", n > 0 ? " " : "", word);
}

/* none, failed, or a value: LOOKUP_FOUND. */
static enum lookup_outcome outcome_of(const char *value)
{
    if (strcmp(value, "failed") == 0)
        return LOOKUP_FAILED;
    return strcmp(value, "none") == 0 ? LOOKUP_NONE : LOOKUP_FOUND;
}

bool stage_lookups_told(struct conn_facts *conn, const char *word)
{
    const char *value;

    if ((value = case_value(word, "score")) != NULL) {
        conn->score_known = true;
        conn->score_none = strcmp(value, "none") == 0;
        conn->score = conn->score_none ? 0 : strtod(value, NULL);
    } else if ((value = case_value(word, "owner")) != NULL) {
        conn->owner_known = true;
        conn->owner = (uint32_t)strtoul(value, NULL, 10);
    } else if ((value = case_value(word, "country")) != NULL) {
        conn->country_known = true;
        snprintf(conn->country, sizeof conn->country, "%s", value);
    } else {
        return false;
    }
    return true;
}

bool stage_lookups_listing(const char *text, struct arena *arena, struct dnslisting *listing_out)
{
    size_t zone = strcspn(text, "="), room = 1;
    const char *at = text[zone] == '=' ? text + zone + 1 : "127.0.0.2";

    for (const char *p = at; *p != '\0'; p++)
        room += *p == ',';
    uint32_t *answers = arena_alloc(arena, room * sizeof *answers);
    *listing_out = (struct dnslisting){.zone = arena_dup_slice(arena, (struct slice){text, zone}),
                                       .answers = answers};
    while (answers != NULL && listing_out->n < room) {
        size_t n = strcspn(at, ",");
        struct ip ip;
        if (!ip_parse((struct slice){at, n}, &ip))
            return false;
        answers[listing_out->n++] = ip_v4(&ip);
        at += n + 1;
    }
    return answers != NULL && listing_out->zone != NULL;
}

bool stage_lookups_set(struct stage_lookups *lookups, struct arena *arena, const char *word)
{
    struct lookup_answer *known = &lookups->known;
    const char *value;

    if ((value = case_value(word, "score")) != NULL) {
        known->score = outcome_of(value);
        known->value = strtod(value, NULL);
    } else if ((value = case_value(word, "owner")) != NULL) {
        known->owner = outcome_of(value);
        known->owner_number = (uint32_t)strtoul(value, NULL, 10);
    } else if ((value = case_value(word, "country")) != NULL) {
        known->country = outcome_of(value);
        snprintf(known->country_code, sizeof known->country_code, "%.2s", value);
    } else if ((value = case_value(word, "listed")) != NULL &&
               lookups->nlisting < STAGE_LISTING_MAX) {
        return stage_lookups_listing(value, arena, &lookups->listing[lookups->nlisting++]);
    } else if ((value = case_value(word, "ms")) != NULL) {
        lookups->ms = (uint32_t)strtoul(value, NULL, 10);
    } else {
        return false;
    }
    return true;
}

static void list(const struct stage_lookups *lookups, const char *zone,
                 struct lookup_answer *answer_out)
{
    for (size_t i = 0; i < lookups->nlisting; i++) {
        if (strcmp(lookups->listing[i].zone, zone) == 0)
            answer_out->listed[answer_out->nlisted++] = lookups->listing[i];
    }
}

/* Answers to what was not wanted are there too: nobody may look at them. */
void stage_lookups_give(struct stage_lookups *lookups, const struct hat_wants *wants,
                        struct lookup_answer *answer_out)
{
    if (lookups->wanted[0] != '\0')
        note(lookups, "|");
    *answer_out = lookups->known;
    if (wants->score)
        note(lookups, "score");
    else
        answer_out->score = LOOKUP_NOT_ASKED;
    if (wants->owner)
        note(lookups, "owner");
    else
        answer_out->owner = LOOKUP_NOT_ASKED;
    if (wants->country)
        note(lookups, "country");
    else
        answer_out->country = LOOKUP_NOT_ASKED;
    for (size_t i = 0; i < wants->nzones; i++) {
        note(lookups, wants->zones[i]);
        list(lookups, wants->zones[i], answer_out);
    }
}
