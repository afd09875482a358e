/*
 * hat_text_export.c - the Host Access Table as a HAT text file.
 */
#include <string.h>
#include "lib/tables/hat_table.h"
#include "lib/tables/hat_text.h"
#include "lib/tables/policy_text.h"

#define LINE_MAX_BYTES 90 /* of senders; a longer list goes on in the next line */

/* --- policies ------------------------------------------------------------------------------ */

static void put_upper(const char *word, struct strbuf *out)
{
    for (; *word != '\0'; word++)
        strbuf_putc(out, *word >= 'a' && *word <= 'z' ? (char)(*word - 'a' + 'A') : *word);
}

static void put_action(const struct policy *policy, struct strbuf *out)
{
    put_upper(policy_access_name((enum policy_access)policy->keys.access), out);
}

static void put_comment(const char *comment, struct strbuf *out)
{
    if (comment != NULL && comment[0] != '\0')
        strbuf_printf(out, " (%s)", comment);
}

/* One a line, indented behind `indent`. */
static void put_settings(const struct hat_settings *settings, const char *indent,
                         struct strbuf *out)
{
    if (settings->n == 0)
        return;
    strbuf_puts(out, " {\n");
    for (size_t i = 0; i < settings->n; i++) {
        const struct hat_setting *setting = &settings->v[i];
        strbuf_printf(out, "%s    %s = ", indent, setting->key);
        if (setting->quoted)
            policy_text_quote(setting->value, out);
        else
            strbuf_puts(out, setting->value);
        strbuf_putc(out, '\n');
    }
    strbuf_printf(out, "%s}", indent);
}

/* What a policy of the configuration has other than DEFAULT. */
static void put_differences(const struct policy *policy, const struct policy *dflt,
                            struct strbuf *out)
{
    enum policy_access access = (enum policy_access)policy->keys.access;
    bool open = false;
    for (size_t row = 0; row < policy_nrows; row++) {
        bool action = strcmp(policy_rows[row].name, "access") == 0;
        if (action || key_same(&policy_rows[row], &policy->keys, &dflt->keys))
            continue;
        strbuf_printf(out, "%s        %s = ", open ? "" : " {\n", policy_text_key(access, row));
        policy_text_value(row, &policy->keys, out);
        strbuf_putc(out, '\n');
        open = true;
    }
    if (open)
        strbuf_puts(out, "    }");
}

static void put_policy(const struct hat_target *target, const struct policy *dflt,
                       struct strbuf *out)
{
    const struct policy *policy = target->policy;
    if (policy->name[0] == '\0' || (target->written == NULL && dflt == NULL))
        return;
    strbuf_printf(out, "$%s\n    ", policy->name);
    put_action(policy, out);
    if (target->written != NULL) {
        put_settings(target->written, "    ", out);
        put_comment(target->written->comment, out);
    } else {
        put_differences(policy, dflt, out);
    }
    strbuf_putc(out, '\n');
}

/* Is there the same policy ahead of it? Groups of a configuration name their
 * policies in any order. */
static bool is_again(const struct hat *hat, size_t index)
{
    const struct hat_target *target = &hat->targets[index];
    for (size_t i = 0; target->written == NULL && i < index; i++) {
        if (hat->targets[i].policy == target->policy)
            return true;
    }
    return false;
}

void hat_text_refuse_unknown(const struct hat *hat, struct problems *problems)
{
    for (size_t i = 0; i < hat->ntargets; i++) {
        const struct hat_settings *settings = hat->targets[i].written;
        for (size_t k = 0; settings != NULL && k < settings->n; k++) {
            const struct hat_setting *setting = &settings->v[k];
            if (setting->unknown && policy_text_restricts(slice_of(setting->key)))
                problem_error(problems, setting->at,
                              "%s restricts clients where it comes from, but not here: what it "
                              "meant would be allowed",
                              setting->key);
        }
    }
}

bool hat_text_setting(const struct hat *hat, size_t policy, size_t i, size_t *row_out,
                      const char **key_out, struct place *at_out)
{
    const struct hat_target *target = &hat->targets[policy];
    enum policy_access access = (enum policy_access)target->policy->keys.access;
    for (size_t k = 0; target->written != NULL && k < target->written->n; k++) {
        const struct hat_setting *setting = &target->written->v[k];
        *row_out = policy_text_row(access, slice_of(setting->key));
        if (*row_out == SIZE_MAX || i-- > 0)
            continue;
        *key_out = setting->key;
        *at_out = setting->at;
        return true;
    }
    return false;
}

/* --- groups ----------------------------------------------------------------------------------- */

struct senders {
    struct strbuf *out;
    size_t line; /* where the line began */
    bool any;
};

static void put_sender(struct senders *senders, const char *text, const char *indent)
{
    struct strbuf *out = senders->out;
    if (!senders->any) {
        senders->line = out->n;
        strbuf_puts(out, indent);
    } else if (out->n - senders->line + strlen(text) > LINE_MAX_BYTES) {
        strbuf_puts(out, ",\n    ");
        senders->line = out->n;
    } else {
        strbuf_puts(out, ", ");
    }
    strbuf_puts(out, text);
    senders->any = true;
}

/* A host called "relay" is told from the action by the comma behind it, and so
 * is ALL as a bare sender from the end of the table. */
static bool needs_comma(const char *last)
{
    enum policy_access access;
    struct slice word = slice_of(last);
    return policy_access_word(word, &access) || slice_is_nocase(word, "ALL");
}

static void put_senders(const struct hat *hat, size_t index, struct strbuf *out)
{
    const struct hat_row *row = &hat->groups[index];
    const char *indent = row->name != HAT_NONE ? "    " : "", *last = NULL;
    struct senders senders = {.out = out};
    for (uint32_t entry = row->first; entry < hat->groups[index + 1].first; entry++) {
        last = hat_entry_text(hat, entry);
        put_sender(&senders, last, indent);
    }
    for (unsigned i = 0; i < HAT_CLASSES; i++) {
        if (row->classes & 1u << i)
            put_sender(&senders, hat_class_word((enum hat_unverified)(1u << i)), indent);
    }
    if (last != NULL && needs_comma(last))
        strbuf_putc(out, ',');
    if (senders.any)
        strbuf_putc(out, '\n');
}

static void put_target(const struct hat *hat, const struct hat_row *row, struct strbuf *out)
{
    const struct hat_target *target = &hat->targets[row->policy];
    strbuf_puts(out, "        ");
    if (target->policy->name[0] != '\0') {
        strbuf_printf(out, "$%s", target->policy->name);
    } else {
        put_action(target->policy, out);
        if (target->written != NULL)
            put_settings(target->written, "        ", out);
    }
    put_comment(hat_word(hat, row->comment), out);
    strbuf_putc(out, '\n');
}

/* A run of bare entries: each with the target. */
static void put_run(const struct hat *hat, size_t index, struct strbuf *out)
{
    const struct hat_row *row = &hat->groups[index];
    for (uint32_t entry = row->first; entry < row[1].first; entry++) {
        const char *text = hat_entry_text(hat, entry);
        strbuf_puts(out, text);
        strbuf_puts(out, needs_comma(text) ? ",\n" : "\n");
        put_target(hat, row, out);
    }
}

static void put_group(const struct hat *hat, size_t index, struct strbuf *out)
{
    const struct hat_row *row = &hat->groups[index];
    if (row->stride > 0) {
        put_run(hat, index, out);
        return;
    }
    if (index + 1 == hat->ngroups) {
        strbuf_puts(out, "ALL\n");
    } else {
        if (row->name != HAT_NONE)
            strbuf_printf(out, "%s:\n", hat_word(hat, row->name));
        put_senders(hat, index, out);
    }
    put_target(hat, row, out);
}

void hat_text_export(const struct hat *hat, const struct policy *full, struct strbuf *out)
{
    for (size_t i = 0; i < hat->ntargets; i++) {
        if (!is_again(hat, i))
            put_policy(&hat->targets[i], full, out);
    }
    for (size_t i = 0; i < hat->ngroups; i++)
        put_group(hat, i, out);
}
