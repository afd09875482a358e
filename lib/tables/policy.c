/*
 * policy.c - mail flow policies: rows, inheritance, action words.
 */
#include "lib/tables/policy.h"

#include <string.h>
#include "lib/base/replytext.h"

static const char *const policy_access_words[] = {"accept", "reject",   "tcprefuse",
                                                  "relay",  "continue", NULL};
static const char *const policy_need_words[] = {"off", "preferred", "required", NULL};
static const char *const policy_no_mx_words[] = {"reject", "accept_a", NULL};

#define KEY_STRUCT struct policy_keys
const struct key_row policy_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/tables/policy.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t policy_nrows = ARRAY_LEN(policy_rows);

#define ACCESS_COUNT (ARRAY_LEN(policy_access_words) - 1)

const struct key_preset policy_presets[] = {
    {"ACCEPTED", "access", "accept"},
    {"TRUSTED", "access", "accept"},
    {"TRUSTED", "max_recipients_per_hour", "unlimited"},
    {"TRUSTED", "max_sender_recipients", "unlimited"},
    {"TRUSTED", "max_auth_recipients", "unlimited"},
    {"TRUSTED", "max_invalid_recipients_per_hour", "unlimited"},
    {"TRUSTED", "spam_scan", "no"},
    {"TRUSTED", "virus_scan", "no"},
    {"TRUSTED", "max_messages_per_connection", "1000"},
    {"TRUSTED", "max_recipients_per_message", "1000"},
    {"TRUSTED", "max_message_size", "100M"},
    {"TRUSTED", "max_connections_per_ip", "1000"},
    {"THROTTLED", "access", "accept"},
    {"THROTTLED", "max_messages_per_connection", "10"},
    {"THROTTLED", "max_recipients_per_message", "20"},
    {"THROTTLED", "max_message_size", "1M"},
    {"THROTTLED", "max_connections_per_ip", "10"},
    {"THROTTLED", "max_recipients_per_hour", "20"},
    {"BLOCKED", "access", "reject"},
    {"RELAYED", "access", "relay"},
    {"RELAYED", "max_recipients_per_hour", "unlimited"},
    {"RELAYED", "max_sender_recipients", "unlimited"},
    {"RELAYED", "max_auth_recipients", "unlimited"},
    {"RELAYED", "spam_scan", "no"},
    {"RELAYED", "virus_scan", "no"},
    {NULL, NULL, NULL},
};

#define NPRESETS (ARRAY_LEN(policy_presets) - 1)

struct policies {
    struct policy bare[ACCESS_COUNT];
    const struct policy_written *dflt; /* [policy DEFAULT] as written; NULL: not at all */
    struct place *places;              /* policy_nrows for each of list */
    size_t n;
    struct policy list[]; /* the first is DEFAULT */
};

bool policy_access_word(struct slice word, enum policy_access *access_out)
{
    for (size_t i = 0; i < ACCESS_COUNT; i++) {
        if (slice_is_nocase(word, policy_access_words[i])) {
            *access_out = (enum policy_access)i;
            return true;
        }
    }
    return false;
}

const char *policy_access_name(enum policy_access access)
{
    return policy_access_words[access];
}

bool policy_greets_as_mta(const struct policy_keys *keys)
{
    return slice_is_nocase(slice_of(keys->banner_hostname), "auto");
}

bool policies_is_predefined(const char *name)
{
    size_t i = 0;
    while (i < NPRESETS && strcmp(policy_presets[i].section, name) != 0)
        i++;
    return i < NPRESETS;
}

static size_t index_of(const struct policies *policies, const char *name)
{
    size_t i = 0;
    while (i < policies->n && strcmp(policies->list[i].name, name) != 0)
        i++;
    return i;
}

const struct policy *policies_find(const struct policies *policies, const char *name)
{
    size_t i = index_of(policies, name);
    return i < policies->n ? &policies->list[i] : NULL;
}

const struct policy *policies_next(const struct policies *policies, const struct policy *previous)
{
    const struct policy *last = &policies->list[policies->n - 1];
    if (previous == &policies->bare[ACCESS_COUNT - 1])
        return NULL;
    if (previous == last || (previous == NULL && policies->n == 1))
        return &policies->bare[0];
    return previous == NULL ? &policies->list[1] : previous + 1;
}

const struct policy *policies_bare(const struct policies *policies, enum policy_access access)
{
    return &policies->bare[access];
}

const struct policy *policies_target(const struct policies *policies, const char *target)
{
    enum policy_access access;
    const struct policy *policy = policies_find(policies, target);
    if (policy == NULL && policy_access_word(slice_of(target), &access))
        policy = policies_bare(policies, access);
    return policy;
}

static const struct policy_written *find_written(const struct policy_written *written, size_t n,
                                                 const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(written[i].name, name) == 0)
            return &written[i];
    }
    return NULL;
}

static bool is_written(const struct policy_written *written, size_t row)
{
    return written != NULL && written->origins[row].line != 0;
}

static bool is_wrong(const struct policy_written *written, size_t row)
{
    return written != NULL && written->wrong != NULL && written->wrong[row];
}

/* places: those of the policy. */
static void overlay(struct policy *policy, const struct policy_written *written,
                    struct place *places)
{
    policy->at = written->at;
    for (size_t row = 0; row < policy_nrows; row++) {
        if (!is_written(written, row))
            continue;
        key_copy(&policy_rows[row], &policy->keys, written->keys);
        places[row] = written->origins[row];
        places[row].key = NULL; /* of a HAT text file it is gone once that is read */
    }
}

static struct place *places_of(const struct policies *policies, const struct policy *policy)
{
    return &policies->places[(size_t)(policy - policies->list) * policy_nrows];
}

static void make_default(struct policies *policies, const struct policy_written *written,
                         bool private_listener, struct arena *arena)
{
    struct policy *policy = &policies->list[0];

    policy->name = "DEFAULT";
    policy->origins = places_of(policies, policy);
    for (size_t row = 0; row < policy_nrows; row++)
        key_set_default(&policy_rows[row], &policy->keys, "", arena);
    if (private_listener)
        policy->keys.max_invalid_recipients_per_hour = KEY_NO_LIMIT;
    if (written != NULL)
        overlay(policy, written, places_of(policies, policy));
}

/* As in DEFAULT, to begin with. */
static void inherit(const struct policies *policies, struct policy *policy, struct place *places)
{
    policy->keys = policies->list[0].keys;
    memcpy(places, policies->places, policy_nrows * sizeof *places);
    policy->origins = places;
}

/* The policy of that name, made from DEFAULT if it is new. The list was
 * allocated for all there can be. */
static struct policy *obtain(struct policies *policies, const char *name)
{
    struct policy *policy = &policies->list[index_of(policies, name)];
    if (policy == &policies->list[policies->n]) {
        policies->n++;
        inherit(policies, policy, places_of(policies, policy));
        policy->name = name;
    }
    return policy;
}

static void add_predefined(struct policies *policies, struct arena *arena)
{
    for (size_t i = 0; i < NPRESETS; i++) {
        const struct key_preset *preset = &policy_presets[i];
        struct policy *policy = obtain(policies, preset->section);
        size_t row = key_find(policy_rows, policy_nrows, slice_of(preset->key));
        CHECK(row < policy_nrows);
        struct key_source source = {.value = slice_of(preset->value), .folder = ""};
        CHECK(key_set(&policy_rows[row], &policy->keys, &source, arena, NULL));
        places_of(policies, policy)[row] = (struct place){.line = 0};
    }
}

static void add_bare(struct policies *policies)
{
    for (size_t i = 0; i < ACCESS_COUNT; i++) {
        policies->bare[i] = policies->list[0];
        policies->bare[i].name = "";
        policies->bare[i].keys.access = (int)i;
    }
}

const struct policies *policies_build(const struct policy_written *written, size_t n,
                                      bool private_listener, struct arena *arena)
{
    size_t most = 1 + NPRESETS + n;
    struct policies *policies =
        arena_alloc(arena, sizeof *policies + most * sizeof policies->list[0]);
    struct place *places = arena_alloc(arena, most * policy_nrows * sizeof *places);
    if (policies == NULL || places == NULL)
        return NULL;
    policies->n = 1;
    policies->places = places;
    policies->dflt = find_written(written, n, "DEFAULT");
    make_default(policies, policies->dflt, private_listener, arena);
    add_predefined(policies, arena);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(written[i].name, "DEFAULT") == 0)
            continue;
        struct policy *policy = obtain(policies, written[i].name);
        overlay(policy, &written[i], places_of(policies, policy));
    }
    add_bare(policies);
    return policies;
}

/* --- rules across keys -------------------------------------------------------- */

/* Every reply text with its code, by name: X_code goes with X_text. no_mx_text says
 * in other words what nonexistent_sender_text says, with that one's code. */
static size_t code_of(size_t text_row)
{
    const char *name = policy_rows[text_row].name;
    if (strcmp(name, "no_mx_text") == 0)
        name = "nonexistent_sender_text";
    size_t stem = strlen(name) - strlen("_text");
    char code_name[64];
    int length = snprintf(code_name, sizeof code_name, "%.*s_code", (int)stem, name);
    CHECK(length > 0 && (size_t)length < sizeof code_name);
    size_t row = key_find(policy_rows, policy_nrows, slice_of(code_name));
    CHECK(row < policy_nrows);
    return row;
}

static const void *member(const struct policy *policy, size_t row)
{
    return (const char *)&policy->keys + policy_rows[row].offset;
}

/* Only a status the administrator wrote can be wrong: one from a default takes
 * the class of the code. A text may be written in DEFAULT and its code in
 * another policy, so every policy is judged by what is in effect there. */
static void check_text(const struct policy *policy, const struct policy_written *own,
                       const struct policy_written *dflt, size_t text_row,
                       struct problems *problems)
{
    size_t code_row = code_of(text_row);
    bool text_own = is_written(own, text_row), code_own = is_written(own, code_row);
    if (!text_own && !(code_own && is_written(dflt, text_row)))
        return;
    if (is_wrong(own, text_row) || is_wrong(own, code_row) ||
        (!text_own && is_wrong(dflt, text_row)) || (!code_own && is_wrong(dflt, code_row)))
        return;
    int code = *(const int *)member(policy, code_row);
    const char *text = *(const char *const *)member(policy, text_row);
    struct err err = {0};
    if (replytext_fits(text, code, &err))
        return;
    size_t row = text_own ? text_row : code_row;
    problem_error(problems, own->origins[row], "%s", err.text);
}

static void check_policy(const struct policies *policies, const struct policy *policy,
                         const struct policy_written *written, struct problems *problems)
{
    size_t period = key_find(policy_rows, policy_nrows, slice_of("sender_rate_period"));
    for (size_t row = 0; row < policy_nrows; row++) {
        if (policy_rows[row].type == KEY_TEXT)
            check_text(policy, written, policies->dflt, row, problems);
    }
    if (written != policies->dflt && is_written(written, period) && !is_wrong(written, period))
        problem_error(problems, written->origins[period],
                      "allowed in [policy DEFAULT] only, because all policies share its "
                      "counters");
}

void policies_check(const struct policies *policies, const struct policy_written *written, size_t n,
                    struct problems *problems)
{
    enum policy_access access;

    for (size_t i = 0; i < n; i++) {
        if (policy_access_word(slice_of(written[i].name), &access))
            problem_error(problems, written[i].at,
                          "[policy %s] \"%s\" is an action, and a group that names it would mean "
                          "one or the other; allowed: any other name",
                          written[i].name, written[i].name);
        check_policy(policies, policies_find(policies, written[i].name), &written[i], problems);
    }
}

const struct policy *policies_derive(const struct policies *policies,
                                     const struct policy_written *written, struct arena *arena,
                                     struct problems *problems)
{
    struct policy *policy = arena_alloc(arena, sizeof *policy);
    struct place *places = arena_alloc(arena, policy_nrows * sizeof *places);
    if (policy == NULL || places == NULL) {
        problem_error(problems, written->at, "out of memory");
        return NULL;
    }
    policy->name = written->name;
    inherit(policies, policy, places);
    overlay(policy, written, places);
    check_policy(policies, policy, written, problems);
    return policy;
}
