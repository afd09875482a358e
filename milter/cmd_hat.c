/* gatehousectl hat match, export, import: the sender groups of a listener. */
#include "milter/command.h"

#include <getopt.h>
#include <stdio.h>

#include "lib/tables/hat_text.h"
#include "milter/blocks.h"
#include "milter/import.h"
#include "milter/lookup.h"
#include "milter/trace.h"

/* --- match --------------------------------------------------------------------------- */

/* Entries made at run time, read with the first question. */
struct at_run_time {
    const struct command *command;
    bool read;
    struct blocks_table *blocks; /* NULL: none */
};

/* In the text only. */
static void put_run_time(const struct at_run_time *more, enum listener_type type, bool matched,
                         struct form *form)
{
    size_t n = more->blocks != NULL ? hat_groups(more->blocks->by_type[type]) - 1 : 0;

    if (matched)
        form_note(form, "the entry was made at run time (gatehousectl hat blocks), one of %zu", n);
    else if (n > 0)
        form_note(form, "of %zu made at run time (gatehousectl hat blocks) no entry matches", n);
}

/* Did an entry made at run time match? */
static bool match_client(const struct lookup_question *question, const struct listener *listener,
                         const struct hat_client *client, struct hat_match *match_out)
{
    struct at_run_time *more = question->ctx;

    if (!more->read)
        more->blocks = command_blocks(more->command, question->snapshot);
    more->read = true;
    *match_out = (struct hat_match){.fallback = true};
    if (more->blocks != NULL)
        hat_decide(more->blocks->by_type[listener->keys->type], client, match_out);
    if (!match_out->fallback)
        return true;
    hat_decide(listener->hat, client, match_out);
    return false;
}

static void put_match(const struct hat_match *match, struct form *form)
{
    const char *policy = match->policy->name;
    enum policy_access access = (enum policy_access)match->policy->keys.access;

    form_text(form, "group", match->group);
    form_text(form, "entry", match->entry);
    form_text(form, "policy", policy[0] != '\0' ? policy : NULL);
    form_text(form, "access", policy_access_name(access));
}

/* The name that matched, or else the first; what is no name as it was given. */
static const char *shown_host(const char *given, const struct host_answer *host,
                              const struct hat_match *match)
{
    if (given == NULL || host->class != HOST_VERIFIED)
        return given;
    return match->host != NULL ? match->host : host->name;
}

static int answer_match(const struct lookup_question *question, struct form *form, struct err *err)
{
    const struct listener *listener;
    const char *ip = question->words[1], *name = question->words[2];
    struct hat_client client = {.score_known = false};
    struct host_answer host;
    struct hat_match match;
    char text[IP_TEXT_MAX];

    if (!lookup_listener(question, &listener, err))
        return COMMAND_USAGE;
    if (!trace_parse_ip(ip, &client.no_address, &client.ip, err))
        return COMMAND_USAGE;
    if (name != NULL && !trace_parse_host(name, question->arena, &host, err))
        return COMMAND_USAGE;
    client.host = name != NULL ? &host : NULL;
    bool by_block = match_client(question, listener, &client, &match);
    form_text(form, "ip", client.no_address ? FACTS_NO_ADDRESS : ip_text(&client.ip, text));
    form_text(form, "host", shown_host(name, &host, &match));
    put_match(&match, form);
    if (by_block) {
        form_bool(form, "block", true);
        form_text(form, "comment", match.comment);
    }
    put_run_time(question->ctx, (enum listener_type)listener->keys->type, by_block, form);
    return COMMAND_YES;
}

int command_hat_match(const struct command *command, const char *conf, int argc, char **argv)
{
    struct at_run_time more = {.command = command};
    struct lookup lookup = {.least = 2, .most = 3, .answer = answer_match, .ctx = &more};
    int status = lookup_run(&lookup, command, conf, argc, argv);
    blocks_drop(more.blocks);
    return status;
}

/* --- export, import -------------------------------------------------------------------- */

int command_hat_export(const struct command *command, const char *conf, int argc, char **argv)
{
    struct strbuf out;
    int status = COMMAND_USAGE;

    if (argc != 2)
        return command_usage(command, "wrong arguments");
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    const struct listener *listener = listener_named(&snapshot->listeners, argv[1]);
    strbuf_init(&out);
    if (listener == NULL) {
        fprintf(stderr, "gatehousectl hat export: there is no [listener %s]\n", argv[1]);
    } else {
        bool private = listener->keys->type == LISTENER_PRIVATE;
        const struct policies *policies = private ? snapshot->private_policies : snapshot->policies;
        bool written = listener->keys->hat[0] != '\0';
        strbuf_printf(&out, "# Host Access Table of [listener %s]\n", listener->name);
        hat_text_export(listener->hat, written ? NULL : policies_find(policies, "DEFAULT"), &out);
        status = command_print(command, &out);
    }
    strbuf_done(&out);
    snapshot_drop(snapshot);
    return status;
}

int command_hat_import(const struct command *command, const char *conf, int argc, char **argv)
{
    struct import import = {.section = "listener", .key = "hat"};
    int option;

    while ((option = command_option(command, argc, argv)) != -1) {
        if (option != 'f')
            return command_usage(command, NULL);
        import.force = true;
    }
    if (argc - optind != 2)
        return command_usage(command, "wrong arguments");
    import.name = argv[optind];
    import.file = argv[optind + 1];
    return import_table(&import, command, conf);
}
