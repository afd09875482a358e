#include "lib/gate/hatvars.h"

#include <string.h>

#include "lib/base/escape.h"
#include "lib/base/key.h"

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

/* What the values are taken from. */
struct source {
    const struct conn_facts *conn;
    const char *sender; /* NULL: $EnvelopeSender is no variable here */
};

static const char *value_group(const struct source *source, char *number)
{
    (void)number;
    return source->conn->match.group != NULL ? source->conn->match.group : "None";
}

static const char *value_hostname(const struct source *source, char *number)
{
    (void)number;
    return host_name(source->conn);
}

static const char *value_orgid(const struct source *source, char *number)
{
    if (source->conn->owner == 0)
        return "None";
    snprintf(number, NUMBER_MAX, "%u", (unsigned)source->conn->owner);
    return number;
}

static const char *value_remoteip(const struct source *source, char *number)
{
    return facts_client_text(source->conn, number);
}

static const char *value_hatentry(const struct source *source, char *number)
{
    (void)number;
    return source->conn->match.entry != NULL ? source->conn->match.entry : "None";
}

static const char *value_envelopesender(const struct source *source, char *number)
{
    (void)number;
    return source->sender;
}

static const struct variable {
    const char *name;
    const char *(*value)(const struct source *source, char *number); /* NULL: none here */
} variables[] = {
    {"Group", value_group},       {"Hostname", value_hostname},
    {"OrgID", value_orgid},       {"RemoteIP", value_remoteip},
    {"HATEntry", value_hatentry}, {"EnvelopeSender", value_envelopesender}, /* the last */
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

static const char *nearest(struct slice word, size_t nvariables)
{
    struct key_row rows[ARRAY_LEN(variables)] = {{.name = NULL}};
    for (size_t i = 0; i < nvariables; i++)
        rows[i].name = variables[i].name;
    return key_nearest(rows, nvariables, word);
}

bool hatvars_unknown(const char **at, bool sender, struct slice *word_out, const char **near_out)
{
    const char *dollar;

    while ((dollar = strchr(*at, '$')) != NULL) {
        const struct variable *variable = variable_at(dollar + 1);
        size_t n = 0;
        while (ascii_is_alnum(dollar[1 + n]))
            n++;
        *at = dollar + 1 + n;
        bool known = variable != NULL && (sender || variable->value != value_envelopesender);
        if (known || n == 0 || ascii_is_digit(dollar[1]))
            continue;
        *word_out = (struct slice){dollar + 1, n};
        *near_out = nearest(*word_out, ARRAY_LEN(variables) - !sender);
        return true;
    }
    return false;
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

static void expand_into(struct strbuf *out, const char *text, const struct source *source)
{
    for (const char *at = text; *at != '\0'; at++) {
        char number[NUMBER_MAX], clean[VALUE_MAX];
        const struct variable *variable = *at == '$' ? variable_at(at + 1) : NULL;
        const char *value = variable != NULL ? variable->value(source, number) : NULL;
        if (value == NULL) {
            strbuf_putc(out, *at);
            continue;
        }
        escape_reply(slice_of(value), clean, sizeof clean);
        strbuf_puts(out, clean);
        at += strlen(variable->name);
    }
}

static const char *expand(const char *text, const struct source *source, struct arena *arena)
{
    if (strchr(text, '$') == NULL)
        return text;
    struct strbuf out;
    strbuf_init(&out);
    expand_into(&out, text, source);
    const char *expanded = out.failed ? NULL : arena_dup(arena, strbuf_text(&out));
    strbuf_done(&out);
    return expanded;
}

const char *hatvars_expand(const char *text, const struct conn_facts *conn, struct arena *arena)
{
    return expand(text, &(struct source){.conn = conn}, arena);
}

const char *hatvars_expand_sender(const char *text, const struct conn_facts *conn,
                                  const char *sender, struct arena *arena)
{
    return expand(text, &(struct source){.conn = conn, .sender = sender}, arena);
}
