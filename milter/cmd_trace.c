/* gatehousectl trace: what the daemon would decide, and why. */
#include "milter/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/net/smtp_class.h"
#include "milter/lookup.h"
#include "milter/reply.h"
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
           err_set(err, ERR_SYNTAX, "--%s: \"%s\" is no number", name, text);
}

static const struct option known_options[] = {
    {"ip", required_argument, NULL, 'i'},
    {"listener", required_argument, NULL, 'l'},
    {"host", required_argument, NULL, 'h'},
    {"helo", required_argument, NULL, 'e'},
    {"from", required_argument, NULL, 'f'},
    {"to", required_argument, NULL, 't'},
    {"size", required_argument, NULL, 's'},
    {"tls", no_argument, NULL, 'S'},
    {"cert", no_argument, NULL, 'C'},
    {"auth", required_argument, NULL, 'a'},
    {"score", required_argument, NULL, 'r'},
    {"owner", required_argument, NULL, 'o'},
    {"country", required_argument, NULL, 'c'},
    {"listed", required_argument, NULL, 'd'},
    {"sender-dns", required_argument, NULL, 'D'},
    {"ldap", required_argument, NULL, 'L'},
    {"callahead", required_argument, NULL, 'A'},
    {"offline", no_argument, NULL, 'O'},
    {"json", no_argument, NULL, 'j'},
    {NULL, 0, NULL, 0},
};

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
        query->callahead_given = true;
        return smtp_class_by_name(slice_of(value), &query->callahead) ||
               err_set(err, ERR_SYNTAX, "--callahead: \"%s\" is unknown", value);
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

static bool parse_options(struct trace_options *options, int argc, char **argv, struct arena *arena,
                          struct err *err)
{
    int option;

    options->query = (struct trace_query){.helo = ""};
    while ((option = getopt_long(argc, argv, "", known_options, NULL)) != -1) {
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

/* As the client reads it. */
static void print_reply(const struct verdict *verdict)
{
    char text[REPLY_ALL_MAX], *line = text, *more;

    reply_said(verdict, text);
    do {
        more = strchr(line, '\n');
        if (more != NULL)
            *more++ = '\0';
        printf("%s%d%c%s %s", line == text ? " " : "\n         ", verdict->code,
               more != NULL ? '-' : ' ', verdict->status, line);
        line = more;
    } while (more != NULL);
}

static void print_verdict(const char *stage, const char *what, const struct verdict *verdict)
{
    char text[VERDICT_RULE_MAX];
    const char *rule = verdict_rule_text(verdict, text);

    printf("%-8s %-30s %s", stage, what, verdict_action_name(verdict->action));
    if (verdict->action != VERDICT_CONTINUE) {
        print_reply(verdict);
    }
    printf("\n         by %s (%s)", reason_rows[verdict->reason].by,
           reason_rows[verdict->reason].token);
    if (rule != NULL)
        printf(" at %s", rule);
    if (verdict->asked && verdict->server[0] != '\0')
        printf(", asked %s: %s", verdict->server, verdict->remote);
    printf("\n");
}

static void print_listing(const struct dnslisting *listing)
{
    char ip[IP_TEXT_MAX];

    printf(" listed in %s", listing->zone);
    for (size_t i = 0; i < listing->n; i++) {
        struct ip answer = ip_from_v4(listing->answers[i]);
        printf("%s%s", i == 0 ? " as " : ",", ip_text(&answer, ip));
    }
}

/* What was given or found out about the client beside its name. */
static void print_known(const struct conn_facts *conn)
{
    if (!conn->score_known && !conn->owner_known && !conn->country_known && conn->nlisted == 0)
        return;
    printf("known   ");
    if (conn->score_known && conn->score_none)
        printf(" score none%s", conn->score_failed ? " (no answer)" : "");
    else if (conn->score_known)
        printf(" score %.1f", conn->score);
    if (conn->owner_known && conn->owner == 0)
        printf(" owner none%s", conn->owner_failed ? " (no answer)" : "");
    else if (conn->owner_known)
        printf(" owner %u", (unsigned)conn->owner);
    if (conn->country_known)
        printf(" country %s%s", conn->country[0] != '\0' ? conn->country : "none",
               conn->country_failed ? " (no answer)" : "");
    for (size_t i = 0; i < conn->nlisted; i++)
        print_listing(&conn->listed[i]);
    printf("\n");
}

/* The name that matched, or the first, then the others. */
static void print_host(const struct host_answer *host)
{
    if (host->class != HOST_VERIFIED)
        return;
    printf("host     %s", host->name);
    for (size_t i = 0; i < host->n; i++) {
        if (strcmp(host->names[i], host->name) != 0)
            printf(", also %s", host->names[i]);
    }
    printf("%s\n", host->partial ? ", and names that gave no answer" : "");
}

static void print_text(const struct trace_query *query, const struct trace_result *result)
{
    const struct conn_facts *conn = &result->conn;
    char ip[IP_TEXT_MAX];

    printf("listener %s\n", conn->listener != NULL ? conn->listener->name : "none");
    print_host(&conn->host);
    print_known(conn);
    if (conn->by_block)
        printf("block    %s, made at run time%s%s\n", conn->match.entry,
               conn->match.comment != NULL ? ": " : "",
               conn->match.comment != NULL ? conn->match.comment : "");
    if (conn->policy != NULL)
        printf("group    %s, entry %s\npolicy   %s, access %s\n",
               conn->match.group != NULL ? conn->match.group : "None", conn->match.entry,
               conn->policy->name[0] != '\0' ? conn->policy->name : "DEFAULT",
               policy_access_name((enum policy_access)conn->policy->keys.access));
    print_verdict("connect", facts_client_text(conn, ip), &result->connect);
    if (result->has_mail)
        print_verdict("mail", query->from, &result->mail);
    for (size_t i = 0; i < result->nrecipients; i++)
        print_verdict("rcpt", result->recipients[i].address, &result->recipients[i].verdict);
    printf("verdict  %s\n", verdict_action_name(result->overall));
}

/* --- running ---------------------------------------------------------------------------- */

static bool print_json(const struct trace_result *result)
{
    char *text = trace_to_json(result);
    bool printed = text != NULL && printf("%s\n", text) > 0;
    free(text);
    return printed;
}

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

static int run_one(const struct trace_options *options, const struct trace_setting *setting,
                   struct arena *arena)
{
    struct trace_result result;
    struct err err = {0};

    if (!trace_run(&options->query, setting, arena, &result, &err)) {
        fprintf(stderr, "gatehousectl trace: %s\n", err.text);
        return COMMAND_USAGE;
    }
    warn_of_zones(&options->query, setting, result.conn.listener);
    if (!options->json)
        print_text(&options->query, &result);
    else if (!print_json(&result))
        return COMMAND_NO;
    return result.overall == VERDICT_CONTINUE ? COMMAND_YES : COMMAND_NO;
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
    char *text = trace_to_json(&result);
    strbuf_reset(out);
    strbuf_puts(out, text != NULL ? text : "");
    strbuf_putc(out, '\n');
    out->failed = out->failed || text == NULL;
    free(text);
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
                                : run_one(options, &setting, arena);
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

    if (arena != NULL && parse_options(&options, argc, argv, arena, &err))
        status = run(command, &options, conf, arena);
    else
        status = command_usage(command, err.text[0] != '\0' ? err.text : NULL);
    arena_free(arena);
    return status;
}
