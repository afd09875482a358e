/* Keys of policies that cannot have an effect as things stand. */
#include <string.h>

#include "lib/tables/hat_text.h"
#include "milter/snapshot_parts.h"

/* What a policy's keys depend on beside each other. */
struct look {
    const struct snapshot *snapshot;
    struct problems *problems;
    bool header, exceptions; /* [gatehouse] header, [exceptions] file are given */
    bool later;              /* some listener refuses later than at connect */
    bool refuses_partial;    /* some listener has allow_partial_domain = no */
};

/* --- when a key acts ----------------------------------------------------------------- */

static bool refuses(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->access == POLICY_REJECT;
}

static bool limits_hosts(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->max_recipients_per_hour != KEY_NO_LIMIT;
}

static bool limits_senders(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->max_sender_recipients != KEY_NO_LIMIT;
}

static bool knows_users(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->auth != POLICY_OFF;
}

static bool limits_users(const struct look *look, const struct policy_keys *keys)
{
    return keys->max_auth_recipients != KEY_NO_LIMIT && knows_users(look, keys);
}

static bool has_period(const struct look *look, const struct policy_keys *keys)
{
    return limits_senders(look, keys) || limits_users(look, keys);
}

static bool is_no_relay(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->access != POLICY_RELAY;
}

static bool stops_harvest(const struct look *look, const struct policy_keys *keys)
{
    return keys->max_invalid_recipients_per_hour != KEY_NO_LIMIT && is_no_relay(look, keys);
}

static bool counts_clients(const struct look *look, const struct policy_keys *keys)
{
    return limits_hosts(look, keys) || stops_harvest(look, keys);
}

static bool prefers_tls(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->tls == POLICY_PREFERRED;
}

static bool requires_tls(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->tls == POLICY_REQUIRED;
}

static bool protects_auth(const struct look *look, const struct policy_keys *keys)
{
    return keys->tls != POLICY_OFF && knows_users(look, keys);
}

static bool verifies(const struct look *look, const struct policy_keys *keys)
{
    (void)look;
    return keys->verify_sender;
}

static bool finds_malformed(const struct look *look, const struct policy_keys *keys)
{
    return keys->verify_sender || look->refuses_partial;
}

static bool has_exceptions(const struct look *look, const struct policy_keys *keys)
{
    (void)keys;
    return look->exceptions;
}

static bool has_header(const struct look *look, const struct policy_keys *keys)
{
    (void)keys;
    return look->header;
}

#define LIMITED " is not unlimited"

static const struct rule {
    const char *key;
    bool (*acts)(const struct look *look, const struct policy_keys *keys);
    const char *why;
    bool asks; /* but where the value is no, empty or unlimited */
} rules[] = {
    {"reject_code", refuses, "has an effect with access = reject only", false},
    {"reject_text", refuses, "has an effect with access = reject only", false},
    {"max_recipients_per_hour_code", limits_hosts,
     "has an effect where max_recipients_per_hour" LIMITED, false},
    {"max_recipients_per_hour_text", limits_hosts,
     "has an effect where max_recipients_per_hour" LIMITED, false},
    {"max_sender_recipients_code", limits_senders,
     "has an effect where max_sender_recipients" LIMITED, false},
    {"max_sender_recipients_text", limits_senders,
     "has an effect where max_sender_recipients" LIMITED, false},
    {"sender_rate_exempt", limits_senders, "has an effect where max_sender_recipients" LIMITED,
     true},
    {"sender_rate_period", has_period,
     "has an effect where max_sender_recipients or max_auth_recipients" LIMITED, false},
    {"max_auth_recipients", knows_users, "has an effect where auth is not off", true},
    {"max_auth_recipients_code", limits_users,
     "has an effect where max_auth_recipients" LIMITED " and auth is not off", false},
    {"max_auth_recipients_text", limits_users,
     "has an effect where max_auth_recipients" LIMITED " and auth is not off", false},
    {"use_reputation", counts_clients,
     "has an effect where max_recipients_per_hour or max_invalid_recipients_per_hour" LIMITED,
     false},
    {"significant_bits", counts_clients,
     "has an effect where max_recipients_per_hour or max_invalid_recipients_per_hour" LIMITED,
     false},
    {"significant_bits6", counts_clients,
     "has an effect where max_recipients_per_hour or max_invalid_recipients_per_hour" LIMITED,
     false},
    {"max_invalid_recipients_per_hour", is_no_relay,
     "has no effect with access = relay: clients that may relay are exempt", true},
    {"dhap_drop", stops_harvest,
     "has an effect where max_invalid_recipients_per_hour" LIMITED " and access is not relay",
     false},
    {"dhap_code", stops_harvest,
     "has an effect where max_invalid_recipients_per_hour" LIMITED " and access is not relay",
     false},
    {"dhap_text", stops_harvest,
     "has an effect where max_invalid_recipients_per_hour" LIMITED " and access is not relay",
     false},
    {"spam_scan", has_header, "has an effect with [gatehouse] header only", false},
    {"virus_scan", has_header, "has an effect with [gatehouse] header only", false},
    {"tls_required_senders", prefers_tls, "has an effect with tls = preferred only", true},
    {"tls_verify_client", requires_tls, "has an effect with tls = required only", true},
    {"auth_requires_tls", protects_auth, "has an effect where neither tls nor auth is off", false},
    {"malformed_sender_code", finds_malformed,
     "has an effect with verify_sender, or a listener's allow_partial_domain = no", false},
    {"malformed_sender_text", finds_malformed,
     "has an effect with verify_sender, or a listener's allow_partial_domain = no", false},
    {"nonexistent_sender_code", verifies, "has an effect with verify_sender only", false},
    {"nonexistent_sender_text", verifies, "has an effect with verify_sender only", false},
    {"unresolvable_sender_code", verifies, "has an effect with verify_sender only", false},
    {"unresolvable_sender_text", verifies, "has an effect with verify_sender only", false},
    {"no_mx", verifies, "has an effect with verify_sender only", false},
    {"use_exceptions", has_exceptions, "[exceptions] names no file: there are no exceptions", true},
};

static const struct rule *rule_of(size_t row)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (strcmp(rules[i].key, policy_rows[row].name) == 0)
            return &rules[i];
    }
    return NULL;
}

/* no, empty, unlimited. */
static bool asks_for_nothing(size_t row, const struct policy_keys *keys)
{
    struct strbuf value;
    strbuf_init(&value);
    key_print(&policy_rows[row], keys, &value);
    const char *text = strbuf_text(&value);
    bool nothing = text[0] == '\0' || strcmp(text, "no") == 0 || strcmp(text, "unlimited") == 0;
    strbuf_done(&value);
    return nothing;
}

/* --- by action ------------------------------------------------------------------------- */

static bool is_one_of(size_t row, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcmp(policy_rows[row].name, *names) == 0)
            return true;
    }
    return false;
}

/* Why nothing is left but the refusal itself, and the limit that comes before it; NULL:
 * more is. A client that is refused
 * later than at connect may authenticate, and then relays under the policy's limits.
 * The greeting is judged elsewhere. */
static const char *why_never(const struct look *look, size_t row, const struct policy_keys *keys)
{
    static const char *const always[] = {"access", "banner_code", "banner_text", "banner_hostname",
                                         NULL};
    static const char *const crowd[] = {"max_connections_per_ip", NULL};
    static const char *const refusal[] = {"reject_code", "reject_text", NULL};

    if (is_one_of(row, always))
        return NULL;
    switch ((enum policy_access)keys->access) {
    case POLICY_ACCEPT:
    case POLICY_RELAY:
        break;
    case POLICY_REJECT:
        return is_one_of(row, refusal) || is_one_of(row, crowd) || look->later
                   ? NULL
                   : "has no effect with access = reject, since listeners refuse at connect";
    case POLICY_TCPREFUSE:
        return is_one_of(row, crowd) ? NULL : "has no effect with access = tcprefuse";
    case POLICY_CONTINUE:
        return "has no effect with access = continue";
    }
    return NULL;
}

/* Why the key has no effect in a policy with these values; NULL: it has. */
static const char *why_not(const struct look *look, size_t row, const struct policy_keys *keys)
{
    const struct rule *rule = rule_of(row);
    const char *why = why_never(look, row, keys);

    if (why != NULL || rule == NULL || (rule->asks && asks_for_nothing(row, keys)))
        return why;
    return rule->acts(look, keys) ? NULL : rule->why;
}

/* --- the greeting ------------------------------------------------------------------------ */

/* The MTA greets before the client's group is known. */
static bool greets(const struct look *look, const struct policy *policy, bool by_name)
{
    const struct listeners *listeners = &look->snapshot->listeners;
    struct hat_match all;

    for (size_t i = 0; i < listeners->n; i++) {
        const struct hat *hat = listeners->v[i]->hat;
        if (hat == NULL)
            return true; /* it is wrong, and reported */
        hat_group_get(hat, hat_groups(hat) - 1, &all);
        if (all.policy == policy || (by_name && strcmp(all.policy->name, policy->name) == 0))
            return true;
    }
    return false;
}

static bool is_greeting(size_t row)
{
    static const char *const keys[] = {"banner_code", "banner_text", "banner_hostname", NULL};
    return is_one_of(row, keys);
}

static const char greeting_why[] =
    "has an effect in the policy of ALL only: the MTA greets before the client's group is known";

/* --- policies of the configuration --------------------------------------------------------- */

static bool acts_in(const struct look *look, size_t row, const struct policy *policy)
{
    return is_greeting(row) ? greets(look, policy, true)
                            : why_not(look, row, &policy->keys) == NULL;
}

/* Does any policy that has DEFAULT's value act on it? */
static bool acts_below(const struct look *look, size_t row, const struct policies *policies)
{
    const struct policy *policy = NULL, *dflt = policies_find(policies, "DEFAULT");

    while ((policy = policies_next(policies, policy)) != NULL) {
        if (key_same(&policy_rows[row], &policy->keys, &dflt->keys) && acts_in(look, row, policy))
            return true;
    }
    return false;
}

static void look_at_key(const struct look *look, const struct conf_section *section, size_t row)
{
    const struct policies *public = look->snapshot->policies;
    const struct policies *private = look->snapshot->private_policies;
    const struct policy *policy = policies_find(public, section->name);
    const char *why = is_greeting(row) ? greeting_why : why_not(look, row, &policy->keys);
    bool acts = strcmp(section->name, "DEFAULT") == 0
                    ? acts_below(look, row, public) || acts_below(look, row, private)
                    : acts_in(look, row, policy) ||
                          acts_in(look, row, policies_find(private, section->name));

    if (!acts && why != NULL)
        conf_warning(look->problems, section, policy_rows[row].name, "%s", why);
}

static void look_at_sections(const struct look *look)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(look->snapshot->conf, "policy", section)) != NULL) {
        for (size_t row = 0; row < policy_nrows; row++) {
            if (section->origins[row].line > 0 && !section->wrong[row])
                look_at_key(look, section, row);
        }
    }
}

/* --- policies of HAT text files -------------------------------------------------------------- */

static void look_at_file(const struct look *look, const struct hat *hat)
{
    for (size_t i = 0; i < hat_policies(hat); i++) {
        struct place at;
        size_t row;
        const char *key;
        bool own;
        const struct policy *policy = hat_policy_get(hat, i, &own);
        for (size_t k = 0; own && hat_text_setting(hat, i, k, &row, &key, &at); k++) {
            const char *why = why_not(look, row, &policy->keys);
            const char *sign = policy->name[0] != '\0' ? "$" : "";
            const char *blank = policy->name[0] != '\0' ? " " : "";
            if (is_greeting(row))
                why = greets(look, policy, false) ? NULL : greeting_why;
            if (why != NULL)
                problem_warning(look->problems, at, "%s%s%s%s: %s", sign, policy->name, blank, key,
                                why);
        }
    }
}

void snapshot_check_policy_effects(const struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *table = conf_find(snapshot->conf, "exceptions", "");
    const struct exceptions_keys *exceptions = table->values;
    struct look look = {.snapshot = snapshot,
                        .problems = problems,
                        .header = snapshot->settings.keys->header[0] != '\0',
                        .exceptions = exceptions->file[0] != '\0'};

    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        const struct listener_keys *keys = snapshot->listeners.v[i]->keys;
        look.later = look.later || keys->reject_at != REJECT_AT_CONNECT;
        look.refuses_partial = look.refuses_partial || !keys->allow_partial_domain;
    }
    look_at_sections(&look);
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        if (snapshot->listeners.v[i]->hat != NULL)
            look_at_file(&look, snapshot->listeners.v[i]->hat);
    }
}
