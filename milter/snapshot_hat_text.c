/* A listener's sender groups from a HAT text file. */
#include "lib/tables/hat_text.h"
#include "milter/snapshot_parts.h"

/* What conf_read() does for policies of the configuration. */
static void check_references(const struct snapshot *snapshot, const struct hat *hat, size_t policy,
                             struct problems *problems)
{
    bool own;
    const struct policy_keys *keys = &hat_policy_get(hat, policy, &own)->keys;
    const char *key;
    struct place at;
    size_t index;

    for (size_t i = 0; own && hat_text_setting(hat, policy, i, &index, &key, &at); i++) {
        const struct key_row *row = &policy_rows[index];
        if (row->type != KEY_REF)
            continue;
        const char *name = *(const char *const *)((const char *)keys + row->offset);
        if (name[0] != '\0' && conf_find(snapshot->conf, row->refers, name) == NULL &&
            !conf_is_lost(snapshot->conf, row->refers, name))
            problem_error(problems, at,
                          "%s: there is no section [%s %s]; allowed: the name of a [%s] section",
                          key, row->refers, name, row->refers);
    }
}

static void check_rest(const struct conf_section *listener, const struct hat *hat,
                       struct problems *problems)
{
    struct hat_match all;

    hat_group_get(hat, hat_groups(hat) - 1, &all);
    if (all.at.file != NULL && conf_is_set(listener, "default_policy"))
        conf_warning(problems, listener, "default_policy", "not used: the file of hat has ALL");
}

struct hat *snapshot_hat_text(struct snapshot *snapshot, const struct conf_section *listener,
                              const struct policies *policies, const struct policy *fallback,
                              struct problems *problems)
{
    const struct listener_keys *keys = listener->values;

    if (keys->groups.n > 0)
        conf_error(problems, listener, "groups",
                   "not possible together with hat; allowed: one of the two");
    struct hat *hat =
        hat_text_load(keys->hat, conf_place(listener, "hat"), policies, fallback, problems);
    if (hat == NULL)
        return NULL;
    for (size_t i = 0; i < hat_policies(hat); i++)
        check_references(snapshot, hat, i, problems);
    check_rest(listener, hat, problems);
    return hat;
}
