/* gatehousectl trace: what the daemon would decide, and why. */
#include "milter/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "milter/lookup.h"
#include "milter/reply.h"
#include "milter/sheet.h"
#include "milter/trace.h"

struct trace_options {
    struct trace_query query;
    bool has_ip, offline, json, batch;
    bool has_facts; /* any of them */
};

/* --- options ---------------------------------------------------------------------- */

/* "a,b,c" into a list; addresses may hold a comma between double quotes. */
static bool split_list(const char *text, struct arena *arena, const char *const **list_out,
                       size_t *n_out)
{
    size_t room = 1, n = 0;
    for (const char *p = text; *p != '\0'; p++)
        room += *p == ',';
    const char **list = arena_alloc(arena, room * sizeof *list);
    if (list == NULL)
        return false;

    const char *start = text;
    bool quoted = false;
    for (const char *p = text;; p++) {
        if (*p == '"' && (p == text || p[-1] != '\\'))
            quoted = !quoted;
        if (*p != '\0' && (*p != ',' || quoted))
            continue;
        if (p > start && (list[n++] = arena_dup_slice(
                              arena, (struct slice){start, (size_t)(p - start)})) == NULL)
            return false;
        if (*p == '\0')
            break;
        start = p + 1;
    }
    *list_out = list;
    *n_out = n;
    return true;
}

static bool parse_number(const char *name, const char *text, uint64_t max, uint64_t *value_out,
                         struct err *err)
{
    return str_to_uint(slice_of(text), max, value_out) ||
           err_set(err, ERR_SYNTAX, "--%s: \"%s\" is not a number", name, text);
}

/* Facts that need more than keeping the string. */
static bool take_fact(struct trace_options *options, int option, const char *value,
                      struct arena *arena, struct err *err)
{
    struct trace_query *query = &options->query;
    const char *const *zones = NULL;
    uint64_t number = 0;
    size_t n = 0;

    switch (option) {
    case 'i':
        options->has_ip = trace_parse_ip(value, &query->no_address, &query->ip, err);
        return options->has_ip;
    case 'h':
        query->host_given = true;
        return trace_parse_host(value, arena, &query->host, err);
    case 't':
        return split_list(value, arena, &query->to, &query->nto);
    case 'd':
        return split_list(value, arena, &zones, &n) &&
               trace_parse_listed(zones, n, arena, query, err);
    case 'c':
        return trace_parse_country(value, query, err);
    case 's':
        query->size_known = true;
        return parse_number("size", value, UINT64_MAX, &query->size, err);
    case 'o':
        if (strcmp(value, "none") != 0 && !parse_number("owner", value, UINT32_MAX, &number, err))
            return false;
        query->owner_given = true;
        query->owner = (uint32_t)number;
        return true;
    case 'r':
        return trace_parse_score(value, query, err);
    case 'D':
        return trace_parse_sender(value, query, err);
    case 'L':
        return trace_parse_ldap(value, query, err);
    case 'A':
        return trace_parse_callahead(value, query, err);
    default:
        return err_set(err, ERR_SYNTAX, "unknown option");
    }
}

static bool take_option(struct trace_options *options, int option, const char *value,
                        struct arena *arena, struct err *err)
{
    struct trace_query *query = &options->query;

    switch (option) {
    case 'l':
        query->listener = value;
        return true;
    case 'e':
        query->helo = value;
        return true;
    case 'f':
        query->from = value;
        return true;
    case 'a':
        query->auth = value;
        return true;
    case 'S':
        query->tls = true;
        return true;
    case 'C':
        query->tls = query->cert = true;
        return true;
    case 'O':
        options->offline = true;
        return true;
    case 'j':
        options->json = true;
        return true;
    default:
        return take_fact(options, option, value, arena, err);
    }
}

static bool parse_options(const struct command *command, struct trace_options *options, int argc,
                          char **argv, struct arena *arena, struct err *err)
{
    int option;

    options->query = (struct trace_query){.helo = ""};
    while ((option = command_option(command, argc, argv)) != -1) {
        options->has_facts = options->has_facts || (option != 'O' && option != 'j');
        if (option == '?' || !take_option(options, option, optarg, arena, err))
            return false;
    }
    options->batch = argc - optind == 1 && strcmp(argv[optind], "-") == 0;
    if (options->batch)
        return !options->has_facts ||
               err_set(err, ERR_SYNTAX, "with - the facts are in the lines; allowed: --offline");
    if (optind != argc || !options->has_ip || options->query.from == NULL ||
        options->query.nto == 0)
        return err_set(err, ERR_SYNTAX, "--ip, --from and --to are needed");
    return true;
}

/* --- text ---------------------------------------------------------------------------- */

#define STAGE_COLUMNS 9 /* of the first column */
#define WHAT_COLUMNS 30

/* What comes from outside, and so many columns of a terminal at least. */
static void put_padded(const char *text, size_t columns, struct strbuf *out)
{
    size_t at = out->n;

    sheet_escape(slice_of(text), out);
    for (size_t n = out->failed ? columns : sheet_width(strbuf_text(out) + at); n < columns; n++)
        strbuf_putc(out, ' ');
}

/* As the client reads it. */
static void put_reply(const struct verdict *verdict, struct strbuf *out)
{
    char text[REPLY_ALL_MAX], *line = text, *more;

    reply_said(verdict, text);
    do {
        more = strchr(line, '\n');
        if (more != NULL)
            *more++ = '\0';
        strbuf_printf(out, "%s%d%c%s ", line == text ? " " : "\n         ", verdict->code,
                      more != NULL ? '-' : ' ', verdict->status);
        sheet_escape(slice_of(line), out);
        line = more;
    } while (more != NULL);
}

static void put_action(enum verdict_action action, struct strbuf *out)
{
    const char *name = verdict_action_name(action);
    sheet_paint(name, sheet_tone("verdict", slice_of(name)), out);
}

static void put_verdict(const char *stage, const char *what, const struct verdict *verdict,
                        struct strbuf *out)
{
    char rule[VERDICT_RULE_MAX];

    put_padded(stage, STAGE_COLUMNS, out);
    put_padded(what, WHAT_COLUMNS, out);
    strbuf_putc(out, ' ');
    put_action(verdict->action, out);
    if (verdict->action != VERDICT_CONTINUE)
        put_reply(verdict, out);
    strbuf_printf(out, "\n         by %s (%s)", reason_rows[verdict->reason].by,
                  reason_rows[verdict->reason].token);
    if (verdict_rule_text(verdict, rule) != NULL)
        strbuf_printf(out, " at %s", rule);
    if (verdict->asked && verdict->server[0] != '\0') {
        strbuf_printf(out, ", asked %s: ", verdict->server);
        sheet_escape(slice_of(verdict->remote), out);
    }
    strbuf_putc(out, '\n');
}

static void put_listing(const struct dnslisting *listing, struct strbuf *out)
{
    char ip[IP_TEXT_MAX];

    strbuf_printf(out, " listed in %s", listing->zone);
    for (size_t i = 0; i < listing->n; i++) {
        struct ip answer = ip_from_v4(listing->answers[i]);
        strbuf_printf(out, "%s%s", i == 0 ? " as " : ",", ip_text(&answer, ip));
    }
}

/* What was given or found out about the client beside its name. */
static void put_known(const struct conn_facts *conn, struct strbuf *out)
{
    if (!conn->score_known && !conn->owner_known && !conn->country_known && conn->nlisted == 0)
        return;
    strbuf_puts(out, "known   ");
    if (conn->score_known && conn->score_none)
        strbuf_printf(out, " score none%s", conn->score_failed ? " (no answer)" : "");
    else if (conn->score_known)
        strbuf_printf(out, " score %.1f", conn->score);
    if (conn->owner_known && conn->owner == 0)
        strbuf_printf(out, " owner none%s", conn->owner_failed ? " (no answer)" : "");
    else if (conn->owner_known)
        strbuf_printf(out, " owner %u", (unsigned)conn->owner);
    if (conn->country_known)
        strbuf_printf(out, " country %s%s", conn->country[0] != '\0' ? conn->country : "none",
                      conn->country_failed ? " (no answer)" : "");
    for (size_t i = 0; i < conn->nlisted; i++)
        put_listing(&conn->listed[i], out);
    strbuf_putc(out, '\n');
}

/* The name that matched, or the first, then the others. */
static void put_host(const struct host_answer *host, struct strbuf *out)
{
    if (host->class != HOST_VERIFIED)
        return;
    strbuf_printf(out, "host     %s", host->name);
    for (size_t i = 0; i < host->n; i++) {
        if (strcmp(host->names[i], host->name) != 0)
            strbuf_printf(out, ", also %s", host->names[i]);
    }
    strbuf_puts(out, host->partial ? ", and names that gave no answer\n" : "\n");
}

static void put_group(const struct conn_facts *conn, struct strbuf *out)
{
    const char *policy = conn->policy->name;

    strbuf_puts(out, "group    ");
    sheet_escape(slice_of(conn->match.group != NULL ? conn->match.group : "None"), out);
    strbuf_puts(out, ", entry ");
    sheet_escape(slice_of(conn->match.entry), out);
    strbuf_printf(out, "\npolicy   %s, access ", policy[0] != '\0' ? policy : "DEFAULT");
    strbuf_puts(out, policy_access_name((enum policy_access)conn->policy->keys.access));
    strbuf_putc(out, '\n');
}

static void put_text(const struct trace_query *query, const struct trace_result *result,
                     struct strbuf *out)
{
    const struct conn_facts *conn = &result->conn;
    char ip[IP_TEXT_MAX];

    strbuf_printf(out, "listener %s\n", conn->listener != NULL ? conn->listener->name : "none");
    put_host(&conn->host, out);
    put_known(conn, out);
    if (conn->by_block)
        strbuf_printf(out, "block    %s, made at run time%s%s\n", conn->match.entry,
                      conn->match.comment != NULL ? ": " : "",
                      conn->match.comment != NULL ? conn->match.comment : "");
    if (conn->policy != NULL)
        put_group(conn, out);
    put_verdict("connect", facts_client_text(conn, ip), &result->connect, out);
    if (result->has_mail)
        put_verdict("mail", query->from, &result->mail, out);
    for (size_t i = 0; i < result->nrecipients; i++)
        put_verdict("rcpt", result->recipients[i].address, &result->recipients[i].verdict, out);
    strbuf_puts(out, "verdict  ");
    put_action(result->overall, out);
    strbuf_putc(out, '\n');
}

/* --- running ---------------------------------------------------------------------------- */

/* A zone that is misspelled would say nothing about anybody. */
static void warn_of_zones(const struct trace_query *query, const struct trace_setting *setting,
                          const struct listener *listener)
{
    const char *zone;

    for (size_t i = 0; i < query->nlisted && listener != NULL; i++) {
        zone = query->listed[i].zone;
        if (!trace_is_zone(setting, listener, zone))
            fprintf(stderr,
                    "gatehousectl trace: warning: --listed %s: no dnslist[] entry of [listener %s] "
                    "names this zone\n",
                    zone, listener->name);
    }
}

static int run_one(const struct command *command, const struct trace_options *options,
                   const struct trace_setting *setting, struct arena *arena)
{
    struct trace_result result;
    struct strbuf out;
    struct err err = {0};

    if (!trace_run(&options->query, setting, arena, &result, &err)) {
        fprintf(stderr, "gatehousectl trace: %s\n", err.text);
        return COMMAND_USAGE;
    }
    warn_of_zones(&options->query, setting, result.conn.listener);
    strbuf_init(&out);
    if (options->json)
        trace_to_json(&result, &out);
    else
        put_text(&options->query, &result, &out);
    bool printed = command_print(command, &out) == COMMAND_YES;
    strbuf_done(&out);
    return printed && result.overall == VERDICT_CONTINUE ? COMMAND_YES : COMMAND_NO;
}

/* One line of JSON, whatever comes: a line that is no question has its error. */
static void answer_line(struct slice line, const struct trace_setting *setting, struct arena *arena,
                        struct strbuf *out)
{
    struct trace_query query;
    struct trace_result result;
    struct err err = {0};

    if (!trace_from_json(line, arena, &query, &err) ||
        !trace_run(&query, setting, arena, &result, &err)) {
        lookup_explain(line, &err, out);
        return;
    }
    strbuf_reset(out);
    trace_to_json(&result, out);
}

static int run_batch(const struct command *command, const struct trace_setting *setting,
                     struct arena *arena)
{
    struct problems problems;
    struct strbuf out;
    struct slice line;
    int status = COMMAND_YES;

    problems_init(&problems);
    strbuf_init(&out);
    struct lines *lines = lookup_open_batch(&problems);
    while (status == COMMAND_YES && lines != NULL && lines_next_any(lines, &line)) {
        arena_reset(arena);
        if (slice_trim(line).n == 0)
            continue;
        answer_line(line, setting, arena, &out);
        status = command_print(command, &out);
    }
    problems_print(&problems, stderr);
    if (problems_errors(&problems) > 0)
        status = COMMAND_NO;
    problems_done(&problems);
    strbuf_done(&out);
    lines_close(lines);
    return status;
}

static int run(const struct command *command, const struct trace_options *options, const char *conf,
               struct arena *arena)
{
    struct snapshot *snapshot = command_snapshot(conf, true);
    struct engine *engine = NULL;
    struct err err = {0};
    int status = COMMAND_NO;

    if (snapshot == NULL)
        return COMMAND_NO;
    struct blocks_table *blocks = command_blocks(command, snapshot);
    if (!options->offline && (engine = engine_new(snapshot, &err)) == NULL) {
        fprintf(stderr, "gatehousectl trace: %s\n", err.text);
    } else {
        struct trace_setting setting = {snapshot, blocks, engine};
        status = options->batch ? run_batch(command, &setting, arena)
                                : run_one(command, options, &setting, arena);
    }
    engine_free(engine);
    blocks_drop(blocks);
    snapshot_drop(snapshot);
    return status;
}

int command_trace(const struct command *command, const char *conf, int argc, char **argv)
{
    struct trace_options options = {0};
    struct arena *arena = arena_new(0);
    struct err err = {.text = "out of memory"};
    int status;

    if (arena != NULL && parse_options(command, &options, argc, argv, arena, &err))
        status = run(command, &options, conf, arena);
    else
        status = command_usage(command, err.text[0] != '\0' ? err.text : NULL);
    arena_free(arena);
    return status;
}
