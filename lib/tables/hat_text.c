/*
 * hat_text.c - statements of a HAT text file. Policies are hat_text_policy.c.
 */
#include "lib/tables/hat_text_inner.h"

#include <string.h>
#include "lib/tables/hat_address.h"
#include "lib/tables/reader.h"

#define NAME_MAX_BYTES 255 /* as names of sections */

/* --- shared steps ---------------------------------------------------------------------- */

bool hat_text_more(const struct hat_text *text)
{
    const struct hat_token *now = &text->tokens.now;
    switch (now->kind) {
    case HAT_TOKEN_END:
        return false;
    case HAT_TOKEN_WORD:
    case HAT_TOKEN_POLICY:
    case HAT_TOKEN_QUOTED:
    case HAT_TOKEN_WRONG:
        return text->comma || !now->first || now->at.column > text->start.column;
    case HAT_TOKEN_ACTION:
    case HAT_TOKEN_COMMENT:
    case HAT_TOKEN_COMMA:
    case HAT_TOKEN_EQUALS:
    case HAT_TOKEN_OPEN:
    case HAT_TOKEN_CLOSE:
        break;
    }
    return true;
}

void hat_text_step(struct hat_text *text)
{
    text->comma = text->tokens.now.kind == HAT_TOKEN_COMMA;
    hat_tokens_next(&text->tokens);
}

bool hat_text_refuse(struct hat_text *text, struct place at, const char *fmt, ...)
{
    char line[PROBLEM_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    problem_error(text->builder.problems, at, "%s", line);
    return false;
}

bool hat_text_stop(struct hat_text *text)
{
    text->stopped = true;
    return hat_text_refuse(text, text->start, "out of memory");
}

bool hat_text_is_name(struct slice name)
{
    size_t n = 0;
    while (n < name.n && (ascii_is_alnum(name.p[n]) || memchr("_.-", name.p[n], 3) != NULL))
        n++;
    return n > 0 && n == name.n && n <= NAME_MAX_BYTES;
}

bool hat_text_comment(struct hat_text *text, struct slice *comment_out)
{
    const struct hat_token *now = &text->tokens.now;
    if (now->kind == HAT_TOKEN_WRONG && hat_text_more(text))
        return false;
    if (now->kind != HAT_TOKEN_COMMENT)
        return true;
    comment_out->p = arena_dup_slice(text->builder.scratch, now->text);
    comment_out->n = now->text.n;
    if (comment_out->p == NULL)
        return hat_text_stop(text);
    hat_text_step(text);
    return true;
}

/* --- groups and senders ------------------------------------------------------------------ */

static bool is_all(struct slice word)
{
    return slice_is_nocase(word, "ALL");
}

/* "NAME:", unlike 2001:db8:: */
static bool group_name(struct slice word, struct slice *name_out)
{
    *name_out = (struct slice){word.p, word.n - 1};
    return word.n > 1 && word.p[word.n - 1] == ':' && hat_text_is_name(*name_out);
}

static bool add_sender(struct hat_text *text, struct slice word, struct place at)
{
    text->stopped = !hat_builder_entry(&text->builder, word, at);
    return !text->stopped;
}

/* Up to the target. */
static bool read_senders(struct hat_text *text)
{
    const struct hat_token *now = &text->tokens.now;
    while (hat_text_more(text)) {
        if (now->kind == HAT_TOKEN_WORD) {
            if (!add_sender(text, now->text, now->at))
                return false;
        } else if (now->kind != HAT_TOKEN_COMMA) {
            return true;
        }
        hat_text_step(text);
    }
    return true;
}

static bool read_target(struct hat_text *text, struct hat_builder_group *group)
{
    return hat_text_target(text, &group->target) && hat_text_comment(text, &group->comment);
}

static bool add_group(struct hat_text *text, const struct hat_builder_group *group)
{
    text->stopped = !hat_builder_group(&text->builder, group);
    return !text->stopped;
}

static bool read_all(struct hat_text *text)
{
    struct hat_builder_group all = {.at = text->start};
    struct place at = text->tokens.now.at;
    if (text->all.line == 0)
        text->all = text->start;
    if (!read_target(text, &all))
        return false;
    if (hat_builder_policy(&text->builder, all.target)->keys.access == POLICY_CONTINUE)
        return hat_text_refuse(text, at, "continue is not possible here: nothing comes after ALL");
    return add_group(text, &all);
}

/* Names of groups are looked for in a map: there may be many. */
static bool take_name(struct hat_text *text, struct slice name, struct hat_builder_group *group)
{
    bool was_there;
    group->name = (struct slice){arena_dup_slice(text->builder.scratch, name), name.n};
    if (group->name.p == NULL || !strmap_add(text->groups, name, text->start.line, &was_there))
        return hat_text_stop(text);
    return !was_there || hat_text_refuse(text, text->start, "the group %s is in line %u already",
                                         group->name.p, (unsigned)strmap_get(text->groups, name));
}

/* "spamdomain.com: REJECT" names no sender. */
static void warn_if_sender(struct hat_text *text, struct slice name, bool empty)
{
    if (empty && (memchr(name.p, '.', name.n) != NULL || hat_address_is(name)))
        problem_warning(text->builder.problems, text->start,
                        "%.*s: is the name of a group without senders; a sender alone is written "
                        "without the colon",
                        (int)name.n, name.p);
}

static bool read_group(struct hat_text *text, struct slice name)
{
    struct hat_builder_group group = {.at = text->start};
    bool good = take_name(text, name, &group);
    if (text->stopped)
        return false;
    hat_text_step(text);
    bool empty = text->tokens.now.kind != HAT_TOKEN_WORD || !hat_text_more(text);
    if (!read_senders(text) || !read_target(text, &group))
        return false;
    warn_if_sender(text, group.name, empty);
    return good && add_group(text, &group);
}

/* One sender or more without a group. ALL is the end of the table where a
 * target follows at once, else a sender. */
static bool read_bare(struct hat_text *text)
{
    struct hat_builder_group group = {.at = text->start};
    const struct hat_token *now = &text->tokens.now;
    char all[] = "ALL";
    bool is_all_word = is_all(now->text);
    if (is_all_word)
        memcpy(all, now->text.p, now->text.n);
    else if (!add_sender(text, now->text, now->at))
        return false;
    hat_text_step(text);
    if (is_all_word && (now->kind == HAT_TOKEN_ACTION || now->kind == HAT_TOKEN_POLICY))
        return read_all(text);
    if (is_all_word && !add_sender(text, slice_of(all), text->start))
        return false;
    return read_senders(text) && read_target(text, &group) && add_group(text, &group);
}

static bool read_entries(struct hat_text *text)
{
    struct slice name, word = text->tokens.now.text;
    bool named = group_name(word, &name);
    if (text->entry.line == 0)
        text->entry = text->start;
    if (!named)
        return read_bare(text);
    if (!is_all(name))
        return read_group(text, name);
    hat_text_step(text);
    return read_all(text);
}

/* --- the file ------------------------------------------------------------------------------ */

static bool read_statement(struct hat_text *text)
{
    const struct hat_token *now = &text->tokens.now;
    text->start = now->at;
    text->comma = false;
    arena_reset(text->builder.scratch);
    if (now->kind == HAT_TOKEN_WRONG)
        return false;
    if (!now->first)
        return hat_text_refuse(text, now->at,
                               "only a comment in parentheses may follow in this line");
    if (text->all.line != 0 && !text->behind) {
        text->behind = true;
        hat_text_refuse(text, now->at, "nothing may follow ALL, which is in line %u",
                        text->all.line);
    }
    if (now->kind == HAT_TOKEN_POLICY)
        return hat_text_policy(text);
    if (now->kind == HAT_TOKEN_WORD)
        return read_entries(text);
    return hat_text_refuse(text, now->at,
                           "a line that is not indented begins with $POLICY, with GROUP: or with "
                           "a sender");
}

/* To where the next statement seems to begin. */
static void skip_statement(struct hat_text *text)
{
    const struct hat_token *now = &text->tokens.now;
    unsigned column = text->start.column;
    while (now->kind != HAT_TOKEN_END) {
        bool word = now->kind == HAT_TOKEN_WORD || now->kind == HAT_TOKEN_POLICY;
        bool own = now->at.line == text->start.line && now->at.column == column;
        if (word && now->first && now->at.column <= column && !own)
            return;
        hat_tokens_next(&text->tokens);
    }
}

static bool read_statements(struct hat_text *text, const struct policy *fallback)
{
    struct hat_builder_group all = {.at = {0}};
    while (text->tokens.now.kind != HAT_TOKEN_END) {
        if (read_statement(text))
            continue;
        if (text->stopped)
            return false;
        skip_statement(text);
    }
    if (text->all.line != 0)
        return true;
    return hat_builder_target(&text->builder, fallback, NULL, &all.target) &&
           hat_builder_group(&text->builder, &all);
}

static bool make_parts(struct hat_text *text)
{
    text->targets = strmap_new();
    text->groups = strmap_new();
    for (size_t i = 0; i < ARRAY_LEN(text->bare); i++)
        text->bare[i] = HAT_TEXT_NONE;
    if (text->targets != NULL && text->groups != NULL)
        return true;
    text->start = (struct place){.file = hat_builder_path(&text->builder)};
    return hat_text_stop(text);
}

struct hat *hat_text_load(const char *path, struct place at, const struct policies *policies,
                          const struct policy *fallback, struct problems *problems)
{
    struct hat_text text = {.policies = policies};
    CHECK(fallback->keys.access != POLICY_CONTINUE);
    bool good = hat_builder_start(&text.builder, path, problems) && make_parts(&text) &&
                hat_tokens_open(&text.tokens, hat_builder_path(&text.builder), at,
                                text.builder.scratch, problems) &&
                read_statements(&text, fallback);
    hat_tokens_close(&text.tokens);
    strmap_free(text.targets);
    strmap_free(text.groups);
    free(text.settings);
    return hat_builder_finish(&text.builder, good);
}
