/* gatehousectl rat lookup, export, import: the recipients of a listener. */
#include "milter/command.h"

#include <stdio.h>
#include <string.h>

#include "lib/gate/verdict.h"
#include "milter/import.h"
#include "milter/lookup.h"

/* --- lookup -------------------------------------------------------------------------- */

static void put_flags(unsigned flags, struct form *form)
{
    struct strbuf lines;

    strbuf_init(&lines);
    for (unsigned i = 0; rat_flag_words[i] != NULL; i++) {
        if (flags & 1u << i)
            strbuf_printf(&lines, "%s\n", rat_flag_words[i]);
    }
    form_lines(form, "flags", strbuf_text(&lines));
    form->out->failed = form->out->failed || lines.failed;
    strbuf_done(&lines);
}

/* What an accepted recipient would be told, if a milter could. */
static void put_kept_reply(const struct rat_entry *entry, struct form *form)
{
    char status[REPLYTEXT_STATUS_MAX];
    const char *text;

    if (entry->code == 0) {
        lookup_put_reply(NULL, form);
        return;
    }
    replytext_split(entry->text, status, &text);
    form_number(form, "code", (uint64_t)entry->code);
    form_text(form, "status", status[0] != '\0' ? status : NULL);
    form_reply(form, "text", text);
}

/* implied: no line matches. */
static int put_entry(const struct rat_entry *entry, bool implied, struct form *form)
{
    struct verdict verdict;

    if (implied)
        form_note(form, "no line of the table matches");
    form_text(form, "entry", entry->address);
    form_text(form, "action", entry->accept ? "accept" : "reject");
    put_flags(entry->flags, form);
    if (entry->accept) {
        put_kept_reply(entry, form);
        return COMMAND_YES;
    }
    verdict_reply(&verdict, REASON_RAT_REJECTED, entry->code, entry->text);
    lookup_put_reply(&verdict, form);
    return COMMAND_NO;
}

/* As RCPT is answered: nothing is looked up then. */
static int put_syntax_error(struct form *form)
{
    struct verdict verdict;

    verdict_set(&verdict, REASON_RECIPIENT_SYNTAX);
    form_text(form, "entry", NULL);
    form_text(form, "action", "reject");
    put_flags(0, form);
    lookup_put_reply(&verdict, form);
    return COMMAND_NO;
}

static int answer_lookup(const struct lookup_question *question, struct form *form, struct err *err)
{
    static const struct rat_entry refuse_all = {.form = RAT_ALL, .address = "ALL"};
    const struct listener *listener;
    struct slice address = slice_of(question->words[1]);
    struct mailaddr addr, base;

    if (!lookup_listener(question, &listener, err))
        return COMMAND_USAGE;
    if (listener->keys->type == LISTENER_PRIVATE) {
        err_set(err, ERR_RANGE, "[listener %s] is private and has no recipient access table",
                listener->name);
        return COMMAND_USAGE;
    }
    enum mailaddr_mode mode = (enum mailaddr_mode)listener->keys->address_parser;
    form_slice(form, "address", address);
    if (!mailaddr_parse(address, mode, false, question->arena, &addr, err))
        return err->kind == ERR_MEMORY ? COMMAND_USAGE : put_syntax_error(form);
    if (!mailaddr_without_extension(&addr, listener->keys->recipient_delimiter, question->arena,
                                    &base)) {
        err_set(err, ERR_MEMORY, "out of memory");
        return COMMAND_USAGE;
    }
    const struct rat_entry *entry =
        listener->rat != NULL ? rat_lookup_either(listener->rat, &addr, &base) : &refuse_all;
    return put_entry(entry, entry->at.file == NULL, form);
}

int command_rat_lookup(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct lookup lookup = {.least = 2, .most = 2, .answer = answer_lookup};
    return lookup_run(&lookup, command, conf, argc, argv);
}

/* --- export, import -------------------------------------------------------------------- */

/* Without a name: the one listener that has a table. NULL: says why not. */
static const struct listener *choose(const struct snapshot *snapshot, const char *name)
{
    const struct listener *found = NULL;

    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        const struct listener *listener = snapshot->listeners.v[i];
        if (name != NULL ? strcmp(listener->name, name) != 0 : listener->rat == NULL)
            continue;
        if (found != NULL) {
            fprintf(
                stderr,
                "gatehousectl rat export: which one? [listener %s] and [listener %s] have tables\n",
                found->name, listener->name);
            return NULL;
        }
        found = listener;
    }
    if (found == NULL && name != NULL)
        fprintf(stderr, "gatehousectl rat export: there is no [listener %s]\n", name);
    else if (found == NULL || found->rat == NULL)
        fprintf(stderr, "gatehousectl rat export: there is no recipient access table\n");
    return found != NULL && found->rat != NULL ? found : NULL;
}

int command_rat_export(const struct command *command, const char *conf, int argc, char **argv)
{
    struct strbuf out;
    int status = COMMAND_NO;

    if (argc > 2)
        return command_usage(command, "wrong arguments");
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    const struct listener *listener = choose(snapshot, argc == 2 ? argv[1] : NULL);
    strbuf_init(&out);
    if (listener != NULL) {
        strbuf_printf(&out, "# Recipient access table of [listener %s]\n", listener->name);
        rat_export(listener->rat, &out);
        status = command_print(command, &out);
    }
    strbuf_done(&out);
    snapshot_drop(snapshot);
    return status;
}

int command_rat_import(const struct command *command, const char *conf, int argc, char **argv)
{
    if (argc != 3)
        return command_usage(command, "wrong arguments");
    struct import import = {.section = "listener", .name = argv[1], .key = "rat", .file = argv[2]};
    return import_table(&import, command, conf);
}
