/* gatehousectl routes lookup, export, import: SMTP routes. */
#include "milter/command.h"

#include <stdio.h>
#include <string.h>

#include "milter/import.h"
#include "milter/lookup.h"

/* --- lookup -------------------------------------------------------------------------- */

static const char *kind_name(enum route_kind kind)
{
    switch (kind) {
    case ROUTE_HOSTS:
        return "hosts";
    case ROUTE_USEDNS:
        return "usedns";
    case ROUTE_DISCARD:
        return "discard";
    case ROUTE_NONE:
        break;
    }
    return "none";
}

static void put_host_json(const struct nexthop *hop, bool first, struct strbuf *out)
{
    strbuf_puts(out, first ? "{\"host\":" : ",{\"host\":");
    form_quote(slice_of(hop->host), out);
    strbuf_printf(out, ",\"port\":%u,\"priority\":%u,\"mx\":%s}", (unsigned)hop->port,
                  (unsigned)hop->priority, hop->mx ? "true" : "false");
}

static void put_hosts(const struct nexthop *hosts, size_t n, struct form *form)
{
    struct strbuf json, lines;

    strbuf_init(&json);
    strbuf_init(&lines);
    for (size_t i = 0; i < n; i++) {
        char host[320];
        put_host_json(&hosts[i], i == 0, &json);
        strbuf_printf(&lines, "%s, priority %u%s\n", nexthop_text(&hosts[i], host, sizeof host),
                      (unsigned)hosts[i].priority, hosts[i].mx ? ", by MX" : "");
    }
    form_list(form, "hosts", strbuf_text(&json));
    if (!form->json)
        form_lines(form, "hosts", strbuf_text(&lines));
    form->out->failed = form->out->failed || json.failed || lines.failed;
    strbuf_done(&json);
    strbuf_done(&lines);
}

static int answer_lookup(const struct lookup_question *question, struct form *form, struct err *err)
{
    char domain[DOMAIN_MAX];
    const char *word = question->words[0];

    if (!domain_canon(slice_of(word), domain)) {
        err_set(err, ERR_SYNTAX, "\"%.80s\" is not a domain", word);
        return COMMAND_USAGE;
    }
    const struct route *route = routes_lookup(question->snapshot->routes, domain);
    form_text(form, "domain", domain);
    form_text(form, "key", route != NULL ? route->key : NULL);
    form_text(form, "kind", kind_name(route != NULL ? route->kind : ROUTE_NONE));
    put_hosts(route != NULL ? route->hosts : NULL, route != NULL ? route->nhosts : 0, form);
    if (route == NULL)
        form_note(form, "no route leads to %s, and there is none for ALL", domain);
    return route != NULL ? COMMAND_YES : COMMAND_NO;
}

int command_routes_lookup(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct lookup lookup = {.least = 1, .most = 1, .answer = answer_lookup};
    return lookup_run(&lookup, command, conf, argc, argv);
}

/* --- export, import -------------------------------------------------------------------- */

int command_routes_export(const struct command *command, const char *conf, int argc, char **argv)
{
    struct strbuf out;

    (void)argv;
    if (argc != 1)
        return command_usage(command, "takes no arguments");
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    strbuf_init(&out);
    strbuf_puts(&out, "# SMTP routes\n");
    routes_export(snapshot->routes, &out);
    int status = command_print(command, &out);
    strbuf_done(&out);
    snapshot_drop(snapshot);
    return status;
}

int command_routes_import(const struct command *command, const char *conf, int argc, char **argv)
{
    if (argc != 2)
        return command_usage(command, "wrong arguments");
    struct import import = {.section = "routes", .name = "", .key = "file", .file = argv[1]};
    return import_table(&import, command, conf);
}
