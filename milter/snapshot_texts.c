/* Words of reply texts that look like HAT variables, and are none: a client would read
 * them as they stand. */
#include <string.h>

#include "lib/gate/hatvars.h"
#include "lib/tables/hat_text.h"
#include "milter/snapshot_parts.h"

/* $EnvelopeSender is a variable where the sender is what is wrong. */
static bool is_about_sender(size_t row)
{
    static const char *const keys[] = {"malformed_sender_text", "nonexistent_sender_text",
                                       "unresolvable_sender_text", "no_mx_text"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (strcmp(policy_rows[row].name, keys[i]) == 0)
            return true;
    }
    return false;
}

/* at: with the name of the key. */
static void look_at_text(size_t row, const struct policy_keys *keys, struct place at,
                         struct problems *problems)
{
    bool sender = is_about_sender(row);
    const char *near = NULL, *text;
    struct slice word;

    memcpy(&text, (const char *)keys + policy_rows[row].offset, sizeof text);
    while (hatvars_unknown(&text, sender, &word, &near)) {
        int n = word.n < 80 ? (int)word.n : 80;
        if (near != NULL)
            problem_warning(
                problems, at,
                "$%.*s is not a variable, and stays as it stands there; did you mean $%s?", n,
                word.p, near);
        else
            problem_warning(
                problems, at,
                "$%.*s is not a variable, and stays as it stands there; known are $Group, "
                "$Hostname, $OrgID, $RemoteIP, $HATEntry%s",
                n, word.p, sender ? ", $EnvelopeSender" : "");
    }
}

static void look_at_file(const struct hat *hat, struct problems *problems)
{
    for (size_t i = 0; i < hat_policies(hat); i++) {
        struct place at;
        size_t row;
        bool own;
        const struct policy *policy = hat_policy_get(hat, i, &own);
        const char *key;
        for (size_t k = 0; own && hat_text_setting(hat, i, k, &row, &key, &at); k++) {
            at.key = key;
            if (policy_rows[row].type == KEY_TEXT)
                look_at_text(row, &policy->keys, at, problems);
        }
    }
}

void snapshot_check_texts(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(snapshot->conf, "policy", section)) != NULL) {
        for (size_t row = 0; row < policy_nrows; row++) {
            if (policy_rows[row].type == KEY_TEXT && section->origins[row].line > 0)
                look_at_text(row, section->values, section->origins[row], problems);
        }
    }
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        if (snapshot->listeners.v[i]->hat != NULL)
            look_at_file(snapshot->listeners.v[i]->hat, problems);
    }
}
