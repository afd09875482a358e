/* Facts of `trace -` from JSON, and results to JSON (SPEC 14). */
#include "milter/trace.h"

#include <string.h>

#include "milter/form.h"
#include "milter/jsonread.h"
#include "milter/reply.h"

/* --- results ------------------------------------------------------------------- */

/* code, status and text mean something in refusals only. */
static void put_verdict(struct form *form, const struct verdict *verdict)
{
    bool refused = verdict->action != VERDICT_CONTINUE;
    char text[REPLY_ALL_MAX], rule[VERDICT_RULE_MAX];

    if (refused)
        reply_said(verdict, text);
    form_text(form, "verdict", verdict_action_name(verdict->action));
    if (refused)
        form_number(form, "code", (uint64_t)verdict->code);
    else
        form_text(form, "code", NULL);
    form_text(form, "status", refused ? verdict->status : NULL);
    form_text(form, "text", refused ? text : NULL);
    form_text(form, "by", reason_rows[verdict->reason].by);
    form_text(form, "detail", reason_rows[verdict->reason].token);
    form_text(form, "rule", verdict_rule_text(verdict, rule));
}

/* One more object of a list: its first key and value, and the verdict. */
static void put_one(struct strbuf *list, const char *key, const char *value,
                    const struct verdict *verdict)
{
    struct form form;

    if (list->n > 0)
        strbuf_putc(list, ',');
    form_begin(&form, true, list);
    form_text(&form, key, value);
    put_verdict(&form, verdict);
    form_close(&form);
}

static void end_list(struct form *form, const char *key, struct strbuf *list)
{
    form_list(form, key, strbuf_text(list));
    form->out->failed = form->out->failed || list->failed;
    strbuf_done(list);
}

static void put_stages(const struct trace_result *result, struct form *form)
{
    struct strbuf list;

    strbuf_init(&list);
    put_one(&list, "stage", "connect", &result->connect);
    if (result->has_mail)
        put_one(&list, "stage", "mail", &result->mail);
    for (size_t i = 0; result->has_rcpt && i < result->nrecipients; i++)
        put_one(&list, "stage", "rcpt", &result->recipients[i].verdict);
    end_list(form, "stages", &list);
}

static void put_recipients(const struct trace_result *result, struct form *form)
{
    struct strbuf list;

    strbuf_init(&list);
    for (size_t i = 0; i < result->nrecipients; i++)
        put_one(&list, "address", result->recipients[i].address, &result->recipients[i].verdict);
    end_list(form, "recipients", &list);
}

static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

void trace_to_json(const struct trace_result *result, struct strbuf *out)
{
    const struct conn_facts *conn = &result->conn;
    struct form form;

    form_begin(&form, true, out);
    form_text(&form, "listener", conn->listener != NULL ? conn->listener->name : NULL);
    form_text(&form, "group", text_or_null(conn->match.group));
    form_text(&form, "entry", text_or_null(conn->match.entry));
    form_text(&form, "policy", conn->policy != NULL ? text_or_null(conn->policy->name) : NULL);
    if (conn->by_block) {
        form_bool(&form, "block", true);
        form_text(&form, "comment", text_or_null(conn->match.comment));
    }
    put_stages(result, &form);
    put_recipients(result, &form);
    form_text(&form, "verdict", verdict_action_name(result->overall));
    form_end(&form);
}

/* --- facts ------------------------------------------------------------------------ */

struct reading {
    struct arena *arena;
    struct trace_query *query;
    struct err *err;
};

static const char *text_of(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *text = NULL;

    if (jsonread_kind(value) != JSONREAD_STRING)
        err_set(r->err, ERR_SYNTAX, "%s: must be a string", key);
    else if ((text = arena_dup(r->arena, jsonread_string(value))) == NULL)
        err_set(r->err, ERR_MEMORY, "out of memory");
    return text;
}

static bool read_list(const struct reading *r, const char *key, const struct json_t *value,
                      const char *const **list_out, size_t *n_out)
{
    size_t n = jsonread_count(value);
    const char **list = arena_alloc(r->arena, (n + 1) * sizeof *list);

    if (jsonread_kind(value) != JSONREAD_LIST)
        return err_set(r->err, ERR_SYNTAX, "%s: must be a list of strings", key);
    if (list == NULL)
        return err_set(r->err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        list[i] = text_of(r, key, jsonread_item(value, i));
        if (list[i] == NULL)
            return false;
    }
    *list_out = list;
    *n_out = n;
    return true;
}

static bool read_ip(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_ip(text, &r->query->no_address, &r->query->ip, r->err);
}

static bool read_listener(const struct reading *r, const char *key, const struct json_t *value)
{
    return (r->query->listener = text_of(r, key, value)) != NULL;
}

static bool read_host(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *text = text_of(r, key, value);
    r->query->host_given = true;
    return text != NULL && trace_parse_host(text, r->arena, &r->query->host, r->err);
}

static bool read_helo(const struct reading *r, const char *key, const struct json_t *value)
{
    return (r->query->helo = text_of(r, key, value)) != NULL;
}

static bool read_from(const struct reading *r, const char *key, const struct json_t *value)
{
    return (r->query->from = text_of(r, key, value)) != NULL;
}

static bool read_to(const struct reading *r, const char *key, const struct json_t *value)
{
    return read_list(r, key, value, &r->query->to, &r->query->nto);
}

static bool read_size(const struct reading *r, const char *key, const struct json_t *value)
{
    if (jsonread_kind(value) != JSONREAD_INTEGER || jsonread_integer(value) < 0)
        return err_set(r->err, ERR_SYNTAX, "%s: must be a number of bytes", key);
    r->query->size_known = true;
    r->query->size = (uint64_t)jsonread_integer(value);
    return true;
}

static bool read_bool(const struct reading *r, const char *key, const struct json_t *value,
                      bool *out)
{
    *out = jsonread_bool(value);
    return jsonread_kind(value) == JSONREAD_BOOL ||
           err_set(r->err, ERR_SYNTAX, "%s: must be true or false", key);
}

static bool read_tls(const struct reading *r, const char *key, const struct json_t *value)
{
    return read_bool(r, key, value, &r->query->tls);
}

static bool read_cert(const struct reading *r, const char *key, const struct json_t *value)
{
    return read_bool(r, key, value, &r->query->cert);
}

static bool read_auth(const struct reading *r, const char *key, const struct json_t *value)
{
    return (r->query->auth = text_of(r, key, value)) != NULL;
}

static bool read_score(const struct reading *r, const char *key, const struct json_t *value)
{
    char text[32];

    if (jsonread_kind(value) == JSONREAD_STRING)
        return trace_parse_score(jsonread_string(value), r->query, r->err);
    if (jsonread_kind(value) != JSONREAD_INTEGER && jsonread_kind(value) != JSONREAD_REAL)
        return err_set(r->err, ERR_SYNTAX, "%s: must be a number or \"none\"", key);
    snprintf(text, sizeof text, "%.3f", jsonread_number(value));
    return trace_parse_score(text, r->query, r->err);
}

static bool read_owner(const struct reading *r, const char *key, const struct json_t *value)
{
    bool none =
        jsonread_kind(value) == JSONREAD_STRING && strcmp(jsonread_string(value), "none") == 0;
    if (!none && (jsonread_kind(value) != JSONREAD_INTEGER || jsonread_integer(value) < 0 ||
                  jsonread_integer(value) > UINT32_MAX))
        return err_set(r->err, ERR_SYNTAX, "%s: must be a number or \"none\"", key);
    r->query->owner_given = true;
    r->query->owner = none ? 0 : (uint32_t)jsonread_integer(value);
    return true;
}

static bool read_country(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_country(text, r->query, r->err);
}

static bool read_listed(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *const *zones = NULL;
    size_t n = 0;
    return read_list(r, key, value, &zones, &n) &&
           trace_parse_listed(zones, n, r->arena, r->query, r->err);
}

static bool read_callahead(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_callahead(text, r->query, r->err);
}

static bool read_sender(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_sender(text, r->query, r->err);
}

static bool read_ldap(const struct reading *r, const char *key, const struct json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_ldap(text, r->query, r->err);
}

static const struct field {
    const char *key;
    bool (*read)(const struct reading *r, const char *key, const struct json_t *value);
} fields[] = {
    {"listener", read_listener}, {"ip", read_ip},
    {"host", read_host},         {"helo", read_helo},
    {"from", read_from},         {"to", read_to},
    {"size", read_size},         {"tls", read_tls},
    {"auth", read_auth},         {"score", read_score},
    {"owner", read_owner},       {"country", read_country},
    {"listed", read_listed},     {"callahead", read_callahead},
    {"ldap", read_ldap},         {"sender_dns", read_sender},
    {"cert", read_cert},
};

static bool read_field(void *arg, const char *key, const struct json_t *value)
{
    const struct reading *r = arg;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].key, key) == 0) /* null: as if it were not there */
            return jsonread_kind(value) == JSONREAD_NULL || fields[i].read(r, key, value);
    }
    return err_set(r->err, ERR_SYNTAX, "there is no fact \"%.60s\"", key);
}

static bool read_object(struct reading *r, const struct json_t *object)
{
    if (jsonread_kind(object) != JSONREAD_OBJECT)
        return err_set(r->err, ERR_SYNTAX, "must be a JSON object");
    if (!jsonread_each(object, read_field, r))
        return false;
    if (jsonread_member(object, "ip") == NULL || r->query->from == NULL || r->query->nto == 0)
        return err_set(r->err, ERR_SYNTAX, "ip, from and to are needed");
    return true;
}

bool trace_from_json(struct slice line, struct arena *arena, struct trace_query *query_out,
                     struct err *err)
{
    struct reading reading = {.arena = arena, .query = query_out, .err = err};

    *query_out = (struct trace_query){.helo = ""};
    struct json_t *object = jsonread_one(line, err);
    bool good = object != NULL && read_object(&reading, object);
    jsonread_drop(object);
    return good;
}
