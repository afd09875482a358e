#include "lib/gate/hatvars.h"

#include <string.h>

#include "lib/base/escape.h"

#define VALUE_MAX 300 /* bytes of one value, at whole characters */

static const char *host_name(const struct conn_facts *conn)
{
    switch (conn->host.class) {
    case HOST_VERIFIED:
        return conn->host.name;
    case HOST_NO_PTR:
    case HOST_PTR_MISMATCH:
        return "None";
    case HOST_PTR_TEMPFAIL:
    case HOST_UNKNOWN:
        return "Unknown";
    }
    return "Unknown";
}

#define NUMBER_MAX IP_TEXT_MAX /* room for what is no string yet */

static const char *value_group(const struct conn_facts *conn, char *number)
{
    (void)number;
    return conn->match.group != NULL ? conn->match.group : "None";
}

static const char *value_hostname(const struct conn_facts *conn, char *number)
{
    (void)number;
    return host_name(conn);
}

static const char *value_orgid(const struct conn_facts *conn, char *number)
{
    if (conn->owner == 0)
        return "None";
    snprintf(number, NUMBER_MAX, "%u", (unsigned)conn->owner);
    return number;
}

static const char *value_remoteip(const struct conn_facts *conn, char *number)
{
    return ip_text(&conn->client, number);
}

static const char *value_hatentry(const struct conn_facts *conn, char *number)
{
    (void)number;
    return conn->match.entry != NULL ? conn->match.entry : "None";
}

static const struct variable {
    const char *name;
    const char *(*value)(const struct conn_facts *conn, char *number);
} variables[] = {
    {"Group", value_group},       {"Hostname", value_hostname}, {"OrgID", value_orgid},
    {"RemoteIP", value_remoteip}, {"HATEntry", value_hatentry},
};

/* The variable whose name is the whole word at `at` (after the '$'), or NULL. */
static const struct variable *variable_at(const char *at)
{
    size_t n = 0;

    while (ascii_is_alnum(at[n]))
        n++;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (slice_is_nocase((struct slice){at, n}, variables[i].name))
            return &variables[i];
    }
    return NULL;
}

bool hatvars_needs_owner(const char *text)
{
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$')) {
        const struct variable *variable = variable_at(at + 1);
        if (variable != NULL && variable->value == value_orgid)
            return true;
    }
    return false;
}

static void expand_into(struct strbuf *out, const char *text, const struct conn_facts *conn)
{
    for (const char *at = text; *at != '\0'; at++) {
        const struct variable *variable = *at == '$' ? variable_at(at + 1) : NULL;
        if (variable == NULL) {
            strbuf_putc(out, *at);
            continue;
        }
        char number[NUMBER_MAX], clean[VALUE_MAX];
        escape_reply(slice_of(variable->value(conn, number)), clean, sizeof clean);
        strbuf_puts(out, clean);
        at += strlen(variable->name);
    }
}

const char *hatvars_expand(const char *text, const struct conn_facts *conn, struct arena *arena)
{
    if (strchr(text, '$') == NULL)
        return text;
    struct strbuf out;
    strbuf_init(&out);
    expand_into(&out, text, conn);
    const char *expanded = out.failed ? NULL : arena_dup(arena, strbuf_text(&out));
    strbuf_done(&out);
    return expanded;
}
