/*
 * hat_text_policy.c - policies and targets of a HAT text file.
 */
#include "lib/tables/hat_text_inner.h"

#include <string.h>
#include "lib/tables/policy_text.h"
#include "lib/tables/reader.h"

/* What stands in one pair of braces. */
struct braces {
    enum policy_access access;
    const char *title;        /* "$NAME" or the action, for messages */
    struct policy_keys *keys; /* scratch */
    struct place *origins;    /* scratch, by row */
    bool *wrong;              /* scratch, by row: its value is, which is told */
    bool any_wrong;           /* a setting was */
};

static bool no_target(struct hat_text *text, struct place at)
{
    return hat_text_refuse(text, at,
                           "a target is missing; allowed: $POLICY, ACCEPT, RELAY, REJECT, "
                           "TCPREFUSE or CONTINUE");
}

/* --- one setting --------------------------------------------------------------------------- */

static bool is_given(const struct hat_text *text, const char *key)
{
    for (size_t i = 0; i < text->nsettings; i++) {
        if (ascii_casecmp(text->settings[i].key, key) == 0)
            return true;
    }
    return false;
}

static bool keep_setting(struct hat_text *text, const struct hat_setting *setting)
{
    if (text->nsettings == text->room) {
        size_t room = text->room + text->room / 2 + 16;
        struct hat_setting *list = realloc(text->settings, room * sizeof *list);
        if (list == NULL)
            return hat_text_stop(text);
        text->settings = list;
        text->room = room;
    }
    text->settings[text->nsettings++] = *setting;
    return true;
}

static bool set_row(struct hat_text *text, struct braces *braces, size_t row, const char *key,
                    const char *value, struct place at)
{
    struct key_source source = {.value = slice_of(value), .at = at, .folder = ""};
    struct err err = {0};
    if (!key_set(&policy_rows[row], braces->keys, &source, hat_builder_arena(&text->builder),
                 &err)) {
        braces->wrong[row] = true;
        return hat_text_refuse(text, at, "%s: %s", key, err.text);
    }
    braces->origins[row] = at;
    braces->origins[row].key = arena_printf(text->builder.scratch, "%s %s", braces->title, key);
    return true;
}

/* Kept, in the hope that whoever exports the table knows it. */
static bool keep_unknown(struct hat_text *text, struct hat_setting *setting)
{
    setting->unknown = true;
    problem_warning(text->builder.problems, setting->at,
                    "%s is unknown: kept, but without effect%s", setting->key,
                    policy_text_restricts(slice_of(setting->key))
                        ? ", though its name is like that of a restriction"
                        : "");
    return keep_setting(text, setting);
}

static bool apply_setting(struct hat_text *text, struct braces *braces, struct hat_setting *setting)
{
    struct slice key = slice_of(setting->key);
    size_t row = policy_text_row(braces->access, key);
    bool on;
    if (is_given(text, setting->key) || (row != SIZE_MAX && braces->origins[row].line != 0))
        return hat_text_refuse(text, setting->at, "%s is given twice", setting->key);
    if (row != SIZE_MAX)
        return set_row(text, braces, row, setting->key, policy_text_word(key, setting->value),
                       setting->at) &&
               keep_setting(text, setting);
    if (policy_text_switch(key) == NULL)
        return keep_unknown(text, setting);
    if (!key_parse_bool(slice_of(setting->value), &on))
        return hat_text_refuse(text, setting->at, "%s is wrong; allowed: on or off", setting->key);
    return keep_setting(text, setting);
}

/* A switch acts on keys that may stand ahead of it or behind it. */
static bool throw_switch(struct hat_text *text, struct braces *braces,
                         const struct hat_setting *setting)
{
    const struct policy_text_switch *what = policy_text_switch(slice_of(setting->key));
    bool on = false;
    if (what == NULL || !key_parse_bool(slice_of(setting->value), &on))
        return true;
    size_t row = key_find(policy_rows, policy_nrows, slice_of(what->key));
    if (!on)
        return set_row(text, braces, row, setting->key, what->off, setting->at);
    if (what->excludes == NULL)
        return true;
    row = key_find(policy_rows, policy_nrows, slice_of(what->excludes));
    return braces->origins[row].line != 0 ||
           set_row(text, braces, row, setting->key, "off", setting->at);
}

static bool throw_switches(struct hat_text *text, struct braces *braces)
{
    bool good = true;
    for (size_t i = 0; i < text->nsettings; i++)
        good = throw_switch(text, braces, &text->settings[i]) && good;
    return good;
}

/* The text of the token at hand, as UTF-8 in the table. */
static const char *keep_token(struct hat_text *text)
{
    struct slice utf8;
    const char *copy = NULL;
    if (scan_utf8(text->tokens.now.text, text->builder.scratch, &utf8))
        copy = arena_dup_slice(hat_builder_arena(&text->builder), utf8);
    if (copy == NULL)
        hat_text_stop(text);
    return copy;
}

static bool is_value(enum hat_token_kind kind)
{
    return kind == HAT_TOKEN_WORD || kind == HAT_TOKEN_ACTION || kind == HAT_TOKEN_QUOTED;
}

/* KEY = VALUE. false: it is not of that form. */
static bool read_setting(struct hat_text *text, struct braces *braces)
{
    const struct hat_token *now = &text->tokens.now;
    char shown[READER_SHOWN_MAX];
    struct hat_setting setting = {.key = NULL};
    struct place at = now->at;
    if (!is_value(now->kind) || now->kind == HAT_TOKEN_QUOTED || !hat_text_is_name(now->text))
        return hat_text_refuse(text, at,
                               "KEY = VALUE is missing in the braces, or the closing \"}\"");
    if ((setting.key = keep_token(text)) == NULL)
        return false;
    hat_text_step(text);
    if (now->kind != HAT_TOKEN_EQUALS)
        return hat_text_refuse(text, at, "\"=\" and a value are missing after %s",
                               reader_shown(slice_of(setting.key), shown));
    hat_text_step(text);
    if (now->kind == HAT_TOKEN_WRONG)
        return false;
    if (!is_value(now->kind))
        return hat_text_refuse(text, now->at, "a value is missing after %s =",
                               reader_shown(slice_of(setting.key), shown));
    setting.at = now->at;
    setting.quoted = now->kind == HAT_TOKEN_QUOTED;
    if ((setting.value = keep_token(text)) == NULL)
        return false;
    hat_text_step(text);
    if (!apply_setting(text, braces, &setting))
        braces->any_wrong = true;
    return !text->stopped;
}

/* --- braces ---------------------------------------------------------------------------------- */

/* Go on in the next line, or at the end of the braces. */
static void skip_line(struct hat_text *text, unsigned line)
{
    const struct hat_token *now = &text->tokens.now;
    while (now->kind != HAT_TOKEN_END && now->kind != HAT_TOKEN_CLOSE && now->at.line == line)
        hat_text_step(text);
}

/* Has the next statement begun before the braces were closed? */
static bool is_unclosed(const struct hat_text *text)
{
    const struct hat_token *now = &text->tokens.now;
    if (now->kind == HAT_TOKEN_END || now->kind == HAT_TOKEN_POLICY)
        return true;
    bool colon = now->kind == HAT_TOKEN_WORD && now->text.p[now->text.n - 1] == ':';
    return colon && now->first;
}

static bool read_braces(struct hat_text *text, struct braces *braces)
{
    const struct hat_token *now = &text->tokens.now;
    struct place opened = now->at;
    bool good = true;
    hat_text_step(text);
    while (now->kind != HAT_TOKEN_CLOSE) {
        struct place at = now->at;
        if (is_unclosed(text))
            return hat_text_refuse(text, opened, "the closing \"}\" is missing");
        if (now->kind == HAT_TOKEN_COMMA) {
            hat_text_step(text);
        } else if (now->kind == HAT_TOKEN_WRONG || !read_setting(text, braces)) {
            if (text->stopped)
                return false;
            good = false;
            skip_line(text, at.line);
        }
    }
    hat_text_step(text);
    return good && !braces->any_wrong && throw_switches(text, braces);
}

/* Nothing written yet but the action. */
static bool start_braces(struct hat_text *text, struct braces *braces, const char *title,
                         enum policy_access access)
{
    size_t row = key_find(policy_rows, policy_nrows, slice_of("access"));
    struct arena *scratch = text->builder.scratch;
    *braces = (struct braces){
        .access = access,
        .title = title,
        .keys = arena_alloc(scratch, sizeof *braces->keys),
        .origins = arena_alloc(scratch, policy_nrows * sizeof *braces->origins),
        .wrong = arena_alloc(scratch, policy_nrows * sizeof *braces->wrong),
    };
    text->nsettings = 0;
    if (title == NULL || braces->keys == NULL || braces->origins == NULL || braces->wrong == NULL)
        return hat_text_stop(text);
    braces->keys->access = (int)access;
    braces->origins[row] = text->start;
    return true;
}

/* --- policies ------------------------------------------------------------------------------ */

static const struct hat_settings *keep_settings(struct hat_text *text, struct slice comment)
{
    struct arena *arena = hat_builder_arena(&text->builder);
    size_t bytes = text->nsettings * sizeof *text->settings;
    struct hat_settings *settings = arena_alloc(arena, sizeof *settings);
    struct hat_setting *list = arena_alloc(arena, bytes + 1);
    struct slice utf8;
    if (settings == NULL || list == NULL || !scan_utf8(comment, text->builder.scratch, &utf8))
        return NULL;
    if (bytes > 0)
        memcpy(list, text->settings, bytes);
    *settings = (struct hat_settings){.v = list, .n = text->nsettings};
    if (utf8.n > 0 && (settings->comment = arena_dup_slice(arena, utf8)) == NULL)
        return NULL;
    return settings;
}

static bool make_policy(struct hat_text *text, const struct braces *braces, const char *name,
                        struct slice comment, uint32_t *target_out)
{
    struct policy_written written = {.name = name,
                                     .at = text->start,
                                     .keys = braces->keys,
                                     .origins = braces->origins,
                                     .wrong = braces->wrong};
    const struct policy *policy = policies_derive(
        text->policies, &written, hat_builder_arena(&text->builder), text->builder.problems);
    const struct hat_settings *settings = keep_settings(text, comment);
    if (policy == NULL || settings == NULL ||
        !hat_builder_target(&text->builder, policy, settings, target_out))
        return hat_text_stop(text);
    return true;
}

static bool define(struct hat_text *text, const char *name, uint32_t target)
{
    bool was_there;
    if (!strmap_add(text->targets, slice_of(name), target, &was_there))
        return hat_text_stop(text);
    if (!was_there)
        return true;
    uint32_t first = strmap_get(text->targets, slice_of(name));
    return hat_text_refuse(text, text->start, "$%s is in line %u already", name,
                           hat_builder_policy(&text->builder, first)->at.line);
}

/* What follows $NAME. */
static bool read_definition(struct hat_text *text, const char *name, struct braces *braces,
                            struct slice *comment)
{
    const struct hat_token *now = &text->tokens.now;
    bool action = now->kind == HAT_TOKEN_ACTION;
    const char *title = arena_printf(text->builder.scratch, "$%s", name);
    if (!start_braces(text, braces, title, action ? now->access : POLICY_ACCEPT))
        return false;
    if (!action)
        return hat_text_refuse(text, text->start,
                               "an action is missing after $%s; allowed: ACCEPT, RELAY, REJECT, "
                               "TCPREFUSE or CONTINUE",
                               name);
    hat_text_step(text);
    if (now->kind == HAT_TOKEN_OPEN && !read_braces(text, braces))
        return false;
    return hat_text_comment(text, comment);
}

bool hat_text_policy(struct hat_text *text)
{
    struct braces braces;
    struct slice comment = {NULL, 0};
    uint32_t target;
    char shown[READER_SHOWN_MAX];
    if (!hat_text_is_name(text->tokens.now.text))
        return hat_text_refuse(
            text, text->start,
            "\"$%s\" is not the name of a policy; allowed: letters, digits, \"_\", "
            "\".\", \"-\"",
            reader_shown(text->tokens.now.text, shown));
    const char *name = keep_token(text);
    if (name == NULL)
        return false;
    hat_text_step(text);
    bool good = read_definition(text, name, &braces, &comment);
    if (good && text->entry.line != 0)
        hat_text_refuse(text, text->start,
                        "policies must come before groups and senders, which begin in line %u",
                        text->entry.line);
    /* Known from now on even where it is wrong, so that those who name it are
     * not wrong as well. */
    if (text->stopped || !make_policy(text, &braces, name, comment, &target))
        return false;
    return define(text, name, target) && good;
}

/* --- targets --------------------------------------------------------------------------------- */

static bool named_target(struct hat_text *text, uint32_t *target_out)
{
    const struct hat_token *now = &text->tokens.now;
    char shown[READER_SHOWN_MAX];
    *target_out = strmap_get(text->targets, now->text);
    if (*target_out == STRMAP_NONE) {
        const char *name = arena_dup_slice(text->builder.scratch, now->text);
        if (name == NULL)
            return hat_text_stop(text);
        const struct policy *policy = policies_find(text->policies, name);
        if (policy == NULL)
            return hat_text_refuse(text, now->at,
                                   "there is no policy $%s, neither in this file nor in the "
                                   "configuration",
                                   reader_shown(now->text, shown));
        if (!hat_builder_target(&text->builder, policy, NULL, target_out) ||
            !strmap_add(text->targets, now->text, *target_out, NULL))
            return hat_text_stop(text);
    }
    hat_text_step(text);
    return true;
}

static bool bare_target(struct hat_text *text, enum policy_access access, uint32_t *target_out)
{
    uint32_t *target = &text->bare[access];
    const struct policy *policy = policies_bare(text->policies, access);
    if (*target == HAT_TEXT_NONE && !hat_builder_target(&text->builder, policy, NULL, target))
        return hat_text_stop(text);
    *target_out = *target;
    return true;
}

static bool action_target(struct hat_text *text, uint32_t *target_out)
{
    const struct hat_token *now = &text->tokens.now;
    enum policy_access access = now->access;
    struct braces braces;
    struct slice none = {NULL, 0};
    hat_text_step(text);
    if (now->kind != HAT_TOKEN_OPEN)
        return bare_target(text, access, target_out);
    if (!start_braces(text, &braces, policy_access_name(access), access) ||
        !read_braces(text, &braces))
        return false;
    if (text->nsettings == 0)
        return bare_target(text, access, target_out);
    return make_policy(text, &braces, "", none, target_out);
}

bool hat_text_target(struct hat_text *text, uint32_t *target_out)
{
    const struct hat_token *now = &text->tokens.now;
    if (now->kind == HAT_TOKEN_ACTION)
        return action_target(text, target_out);
    if (now->kind == HAT_TOKEN_POLICY && hat_text_more(text))
        return named_target(text, target_out);
    if (now->kind == HAT_TOKEN_WRONG)
        return false;
    return no_target(text, hat_text_more(text) ? now->at : text->start);
}
