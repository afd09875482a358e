#include "lib/gate/hatvars.h"

#include <string.h>

#include "lib/base/escape.h"

#define VALUE_MAX 300

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

static void value_group(const struct conn_facts *conn, char *out)
{
    snprintf(out, VALUE_MAX, "%s", conn->match.group != NULL ? conn->match.group : "None");
}

static void value_hostname(const struct conn_facts *conn, char *out)
{
    snprintf(out, VALUE_MAX, "%s", host_name(conn));
}

static void value_orgid(const struct conn_facts *conn, char *out)
{
    if (conn->owner == 0)
        snprintf(out, VALUE_MAX, "None");
    else
        snprintf(out, VALUE_MAX, "%u", (unsigned)conn->owner);
}

static void value_remoteip(const struct conn_facts *conn, char *out)
{
    char text[IP_TEXT_MAX];
    snprintf(out, VALUE_MAX, "%s", ip_text(&conn->client, text));
}

static void value_hatentry(const struct conn_facts *conn, char *out)
{
    snprintf(out, VALUE_MAX, "%s", conn->match.entry != NULL ? conn->match.entry : "None");
}

static const struct variable {
    const char *name;
    void (*value)(const struct conn_facts *conn, char *out);
} variables[] = {
    {"Group", value_group},       {"Hostname", value_hostname}, {"OrgID", value_orgid},
    {"RemoteIP", value_remoteip}, {"HATEntry", value_hatentry},
};

/* The variable whose name stands at `at` (after the '$'), or NULL. */
static const struct variable *variable_at(const char *at)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        size_t n = strlen(variables[i].name);
        if (strnlen(at, n) == n && slice_is_nocase((struct slice){at, n}, variables[i].name))
            return &variables[i];
    }
    return NULL;
}

static void expand_into(struct strbuf *out, const char *text, const struct conn_facts *conn)
{
    for (const char *at = text; *at != '\0'; at++) {
        const struct variable *variable = *at == '$' ? variable_at(at + 1) : NULL;
        if (variable == NULL) {
            strbuf_putc(out, *at);
            continue;
        }
        char value[VALUE_MAX], clean[VALUE_MAX];
        variable->value(conn, value);
        escape_reply(slice_of(value), clean, sizeof clean);
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
