/*
 * policy_text.c - the names of policy keys in HAT text files.
 */
#include "lib/tables/policy_text.h"

#include <string.h>

enum who { EVERY, REFUSING, SERVING };

static const struct name {
    const char *text, *key;
    enum who who;
} names[] = {
    {"max_concurrency", "max_connections_per_ip", EVERY},
    {"max_msgs_per_session", "max_messages_per_connection", EVERY},
    {"max_rcpts_per_msg", "max_recipients_per_message", EVERY},
    {"max_rcpts_per_hour", "max_recipients_per_hour", EVERY},
    {"max_rcpts_per_hour_code", "max_recipients_per_hour_code", EVERY},
    {"max_rcpts_per_hour_text", "max_recipients_per_hour_text", EVERY},
    {"smtp_banner_code", "reject_code", REFUSING},
    {"smtp_banner_text", "reject_text", REFUSING},
    {"smtp_banner_code", "banner_code", SERVING},
    {"smtp_banner_text", "banner_text", SERVING},
    {"use_sb", "use_reputation", EVERY},
    {"dhap_limit", "max_invalid_recipients_per_hour", EVERY},
    {"spam_check", "spam_scan", EVERY},
    {"virus_check", "virus_scan", EVERY},
};

/* What the vendor's form calls its fields. */
static const struct alias {
    const char *text, *key;
    const char *words[3][2]; /* what the form says, what gatehouse.conf says; ended by NULL */
} aliases[] = {
    {"reject_banner_code", "reject_code", {{NULL}}},
    {"reject_banner_text", "reject_text", {{NULL}}},
    {"override_hostname", "banner_hostname", {{NULL}}},
    {"env_sender_rate_limit", "max_sender_recipients", {{NULL}}},
    {"env_sender_rate_limit_code", "max_sender_recipients_code", {{NULL}}},
    {"env_sender_rate_limit_text", "max_sender_recipients_text", {{NULL}}},
    {"env_sender_rate_limit_exceptions", "sender_rate_exempt", {{NULL}}},
    {"dhap_action", "dhap_drop", {{"drop", "yes"}, {"code", "no"}}},
    {"dhap_message", "dhap_text", {{NULL}}},
    {"tls_exceptions", "tls_required_senders", {{NULL}}},
    {"tls_verify", "tls_verify_client", {{NULL}}},
    {"smtpauth_allow", "auth", {{"on", "preferred"}, {"yes", "preferred"}, {"no", "off"}}},
    {"smtpauth_requiretls", "auth_requires_tls", {{NULL}}},
    {"sender_vrfy", "verify_sender", {{NULL}}},
    {"sender_vrfy_bad_domain_smtp_code", "malformed_sender_code", {{NULL}}},
    {"sender_vrfy_bad_domain_smtp_text", "malformed_sender_text", {{NULL}}},
    {"sender_vrfy_nxdomain_smtp_code", "nonexistent_sender_code", {{NULL}}},
    {"sender_vrfy_nxdomain_smtp_text", "nonexistent_sender_text", {{NULL}}},
    {"sender_vrfy_servfail_smtp_code", "unresolvable_sender_code", {{NULL}}},
    {"sender_vrfy_servfail_smtp_text", "unresolvable_sender_text", {{NULL}}},
    {"domain_exception", "use_exceptions", {{NULL}}},
};

static const struct policy_text_switch switches[] = {
    {"use_significant_bits", "significant_bits", "32", "use_reputation"},
    {"use_override_hostname", "banner_hostname", "auto", NULL},
};

static const char *const restrictions[] = {"tls",  "smtpauth", "auth",      "sender_vrfy",
                                           "dhap", "max_",     "env_sender"};

static bool is_for(const struct name *name, enum policy_access access)
{
    bool refuses = access == POLICY_REJECT || access == POLICY_TCPREFUSE;
    return name->who == EVERY || (name->who == REFUSING) == refuses;
}

static const struct alias *find_alias(struct slice key)
{
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
        if (slice_is_nocase(key, aliases[i].text))
            return &aliases[i];
    }
    return NULL;
}

static size_t find_row(struct slice key)
{
    for (size_t i = 0; i < policy_nrows; i++) {
        if (slice_is_nocase(key, policy_rows[i].name))
            return i;
    }
    return SIZE_MAX;
}

size_t policy_text_row(enum policy_access access, struct slice key)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (is_for(&names[i], access) && slice_is_nocase(key, names[i].text))
            return key_find(policy_rows, policy_nrows, slice_of(names[i].key));
    }
    const struct alias *alias = find_alias(key);
    if (alias != NULL)
        return key_find(policy_rows, policy_nrows, slice_of(alias->key));
    /* The action stands before the braces. */
    return slice_is_nocase(key, "access") ? SIZE_MAX : find_row(key);
}

const char *policy_text_word(struct slice key, const char *value)
{
    const struct alias *alias = find_alias(key);
    for (size_t i = 0; alias != NULL && i < ARRAY_LEN(alias->words); i++) {
        if (alias->words[i][0] != NULL && slice_is_nocase(slice_of(value), alias->words[i][0]))
            return alias->words[i][1];
    }
    return value;
}

const struct policy_text_switch *policy_text_switch(struct slice key)
{
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        if (slice_is_nocase(key, switches[i].text))
            return &switches[i];
    }
    return NULL;
}

bool policy_text_restricts(struct slice key)
{
    for (size_t i = 0; i < ARRAY_LEN(restrictions); i++) {
        size_t n = strlen(restrictions[i]);
        if (key.n >= n && slice_is_nocase((struct slice){key.p, n}, restrictions[i]))
            return true;
    }
    return false;
}

const char *policy_text_key(enum policy_access access, size_t row)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (is_for(&names[i], access) && strcmp(names[i].key, policy_rows[row].name) == 0)
            return names[i].text;
    }
    return policy_rows[row].name;
}

void policy_text_quote(const char *text, struct strbuf *out)
{
    strbuf_putc(out, '"');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || (*p == '\\' && p[1] != 'n'))
            strbuf_putc(out, '\\');
        strbuf_putc(out, *p);
    }
    strbuf_putc(out, '"');
}

static void put_number(const struct key_row *row, int64_t number, struct strbuf *out)
{
    if (number == KEY_NO_LIMIT)
        strbuf_puts(out, row->flags & KEY_ZERO_UNLIMITED ? "0" : "-1");
    else
        strbuf_printf(out, "%lld", (long long)number);
}

/* Numbers stand bare, as bytes or -1; everything else in quotes. */
void policy_text_value(size_t index, const struct policy_keys *keys, struct strbuf *out)
{
    const struct key_row *row = &policy_rows[index];
    const void *member = (const char *)keys + row->offset;
    struct strbuf text;
    switch (row->type) {
    case KEY_COUNT:
    case KEY_SIZE:
        put_number(row, *(const int64_t *)member, out);
        return;
    case KEY_CODE:
        strbuf_printf(out, "%d", *(const int *)member);
        return;
    case KEY_BOOL:
        strbuf_puts(out, *(const bool *)member ? "\"on\"" : "\"off\"");
        return;
    case KEY_DURATION:
    case KEY_STRING:
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_LIST:
    case KEY_WORD:
    case KEY_SET:
    case KEY_REF:
        break;
    }
    strbuf_init(&text);
    key_print(row, keys, &text);
    policy_text_quote(strbuf_text(&text), out);
    out->failed = out->failed || text.failed;
    strbuf_done(&text);
}
