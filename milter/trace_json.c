/* Facts of `trace -` from JSON, and results to JSON (SPEC 14). */
#include "milter/trace.h"

#include <jansson.h>
#include <string.h>

#include "lib/base/replytext.h"
#include "lib/net/smtp_class.h"
#include "milter/reply.h"

/* --- results ------------------------------------------------------------------- */

/* code, status and text mean something in refusals only. */
static void put_verdict(json_t *object, const struct verdict *verdict)
{
    bool refused = verdict->action != VERDICT_CONTINUE;
    char text[REPLY_ALL_MAX];

    if (refused)
        reply_said(verdict, text);
    json_object_set_new(object, "verdict", json_string(verdict_action_name(verdict->action)));
    json_object_set_new(object, "code", refused ? json_integer(verdict->code) : json_null());
    json_object_set_new(object, "status", refused ? json_string(verdict->status) : json_null());
    json_object_set_new(object, "text", refused ? json_string(text) : json_null());
    json_object_set_new(object, "by", json_string(reason_rows[verdict->reason].by));
}

static json_t *stage(const char *name, const struct verdict *verdict)
{
    json_t *object = json_object();
    json_object_set_new(object, "stage", json_string(name));
    put_verdict(object, verdict);
    return object;
}

static json_t *stages(const struct trace_result *result)
{
    json_t *list = json_array();

    json_array_append_new(list, stage("connect", &result->connect));
    if (result->has_mail)
        json_array_append_new(list, stage("mail", &result->mail));
    for (size_t i = 0; result->has_rcpt && i < result->nrecipients; i++)
        json_array_append_new(list, stage("rcpt", &result->recipients[i].verdict));
    return list;
}

static json_t *recipients(const struct trace_result *result)
{
    json_t *list = json_array();

    for (size_t i = 0; i < result->nrecipients; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "address", json_string(result->recipients[i].address));
        put_verdict(object, &result->recipients[i].verdict);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *string_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

char *trace_to_json(const struct trace_result *result)
{
    const struct conn_facts *conn = &result->conn;
    json_t *object = json_object();

    json_object_set_new(object, "listener",
                        string_or_null(conn->listener != NULL ? conn->listener->name : NULL));
    json_object_set_new(object, "group", string_or_null(conn->match.group));
    json_object_set_new(object, "entry", string_or_null(conn->match.entry));
    json_object_set_new(object, "policy",
                        string_or_null(conn->policy != NULL ? conn->policy->name : NULL));
    if (conn->by_block) {
        json_object_set_new(object, "block", json_true());
        json_object_set_new(object, "comment", string_or_null(conn->match.comment));
    }
    json_object_set_new(object, "stages", stages(result));
    json_object_set_new(object, "recipients", recipients(result));
    json_object_set_new(object, "verdict", json_string(verdict_action_name(result->overall)));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

/* --- facts ------------------------------------------------------------------------ */

struct reading {
    struct arena *arena;
    struct trace_query *query;
    struct err *err;
};

static const char *text_of(const struct reading *r, const char *key, const json_t *value)
{
    const char *text = NULL;

    if (!json_is_string(value))
        err_set(r->err, ERR_SYNTAX, "%s: must be a string", key);
    else if ((text = arena_dup(r->arena, json_string_value(value))) == NULL)
        err_set(r->err, ERR_MEMORY, "out of memory");
    return text;
}

static bool read_list(const struct reading *r, const char *key, const json_t *value,
                      const char *const **list_out, size_t *n_out)
{
    size_t n = json_array_size(value);
    const char **list = arena_alloc(r->arena, (n + 1) * sizeof *list);

    if (!json_is_array(value))
        return err_set(r->err, ERR_SYNTAX, "%s: must be a list of strings", key);
    if (list == NULL)
        return err_set(r->err, ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        list[i] = text_of(r, key, json_array_get(value, i));
        if (list[i] == NULL)
            return false;
    }
    *list_out = list;
    *n_out = n;
    return true;
}

static bool read_ip(const struct reading *r, const char *key, const json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_ip(text, &r->query->no_address, &r->query->ip, r->err);
}

static bool read_listener(const struct reading *r, const char *key, const json_t *value)
{
    return (r->query->listener = text_of(r, key, value)) != NULL;
}

static bool read_host(const struct reading *r, const char *key, const json_t *value)
{
    const char *text = text_of(r, key, value);
    r->query->host_given = true;
    return text != NULL && trace_parse_host(text, r->arena, &r->query->host, r->err);
}

static bool read_helo(const struct reading *r, const char *key, const json_t *value)
{
    return (r->query->helo = text_of(r, key, value)) != NULL;
}

static bool read_from(const struct reading *r, const char *key, const json_t *value)
{
    return (r->query->from = text_of(r, key, value)) != NULL;
}

static bool read_to(const struct reading *r, const char *key, const json_t *value)
{
    return read_list(r, key, value, &r->query->to, &r->query->nto);
}

static bool read_size(const struct reading *r, const char *key, const json_t *value)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return err_set(r->err, ERR_SYNTAX, "%s: must be a number of bytes", key);
    r->query->size_known = true;
    r->query->size = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_bool(const struct reading *r, const char *key, const json_t *value, bool *out)
{
    *out = json_is_true(value);
    return json_is_boolean(value) || err_set(r->err, ERR_SYNTAX, "%s: must be true or false", key);
}

static bool read_tls(const struct reading *r, const char *key, const json_t *value)
{
    return read_bool(r, key, value, &r->query->tls);
}

static bool read_cert(const struct reading *r, const char *key, const json_t *value)
{
    return read_bool(r, key, value, &r->query->cert);
}

static bool read_auth(const struct reading *r, const char *key, const json_t *value)
{
    return (r->query->auth = text_of(r, key, value)) != NULL;
}

static bool read_score(const struct reading *r, const char *key, const json_t *value)
{
    char text[32];

    if (json_is_string(value))
        return trace_parse_score(json_string_value(value), r->query, r->err);
    if (!json_is_number(value))
        return err_set(r->err, ERR_SYNTAX, "%s: must be a number or \"none\"", key);
    snprintf(text, sizeof text, "%.3f", json_number_value(value));
    return trace_parse_score(text, r->query, r->err);
}

static bool read_owner(const struct reading *r, const char *key, const json_t *value)
{
    bool none = json_is_string(value) && strcmp(json_string_value(value), "none") == 0;
    if (!none && (!json_is_integer(value) || json_integer_value(value) < 0 ||
                  json_integer_value(value) > UINT32_MAX))
        return err_set(r->err, ERR_SYNTAX, "%s: must be a number or \"none\"", key);
    r->query->owner_given = true;
    r->query->owner = none ? 0 : (uint32_t)json_integer_value(value);
    return true;
}

static bool read_country(const struct reading *r, const char *key, const json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_country(text, r->query, r->err);
}

static bool read_listed(const struct reading *r, const char *key, const json_t *value)
{
    const char *const *zones = NULL;
    size_t n = 0;
    return read_list(r, key, value, &zones, &n) &&
           trace_parse_listed(zones, n, r->arena, r->query, r->err);
}

static bool read_callahead(const struct reading *r, const char *key, const json_t *value)
{
    const char *text = text_of(r, key, value);
    r->query->callahead_given = true;
    return text != NULL && (smtp_class_by_name(slice_of(text), &r->query->callahead) ||
                            err_set(r->err, ERR_SYNTAX, "callahead: \"%s\" is unknown", text));
}

static bool read_sender(const struct reading *r, const char *key, const json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_sender(text, r->query, r->err);
}

static bool read_ldap(const struct reading *r, const char *key, const json_t *value)
{
    const char *text = text_of(r, key, value);
    return text != NULL && trace_parse_ldap(text, r->query, r->err);
}

static const struct field {
    const char *key;
    bool (*read)(const struct reading *r, const char *key, const json_t *value);
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

static bool read_field(const struct reading *r, const char *key, const json_t *value)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strcmp(fields[i].key, key) == 0) /* null: as if it were not there */
            return json_is_null(value) || fields[i].read(r, key, value);
    }
    return err_set(r->err, ERR_SYNTAX, "there is no fact \"%.60s\"", key);
}

static bool read_object(const struct reading *r, json_t *object)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return err_set(r->err, ERR_SYNTAX, "must be a JSON object");
    json_object_foreach(object, key, value)
    {
        if (!read_field(r, key, value))
            return false;
    }
    if (json_object_get(object, "ip") == NULL || r->query->from == NULL || r->query->nto == 0)
        return err_set(r->err, ERR_SYNTAX, "ip, from and to are needed");
    return true;
}

bool trace_from_json(struct slice line, struct arena *arena, struct trace_query *query_out,
                     struct err *err)
{
    json_error_t wrong;
    json_t *object = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &wrong);
    struct reading reading = {.arena = arena, .query = query_out, .err = err};

    *query_out = (struct trace_query){.helo = ""};
    if (object == NULL)
        return err_set(err, ERR_SYNTAX, "no JSON: %s", wrong.text);
    bool good = read_object(&reading, object);
    json_decref(object);
    return good;
}
