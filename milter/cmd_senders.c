/* gatehousectl exceptions lookup, addresslist lookup: tables of envelope senders. */
#include "milter/command.h"

#include "milter/lookup.h"

/* The address as a client would send it; the null sender is none of a table. */
static bool parse(const char *text, const struct lookup_question *question,
                  struct mailaddr *addr_out, struct err *err)
{
    return mailaddr_parse(slice_of(text), MAILADDR_LOOSE, true, question->arena, addr_out, err);
}

/* --- exceptions ---------------------------------------------------------------------- */

static int put_exception(const char *entry, const struct verdict *verdict, struct form *form)
{
    bool accept = verdict != NULL && verdict->action == VERDICT_CONTINUE;

    form_text(form, "entry", entry);
    form_text(form, "action", verdict == NULL ? NULL : accept ? "accept" : "reject");
    form_lines(form, "flags", NULL); /* as a RAT has them: there are none here */
    lookup_put_reply(accept ? NULL : verdict, form);
    return accept ? COMMAND_YES : COMMAND_NO;
}

static int answer_exception(const struct lookup_question *question, struct form *form,
                            struct err *err)
{
    const struct exceptions *exceptions = question->snapshot->exceptions;
    const struct exceptions_entry *entry = NULL;
    struct verdict verdict;
    struct mailaddr addr;

    form_text(form, "address", question->words[0]);
    if (!parse(question->words[0], question, &addr, err)) {
        if (err->kind == ERR_MEMORY)
            return COMMAND_USAGE;
        verdict_set(&verdict, REASON_SENDER_SYNTAX); /* as MAIL is answered */
        return put_exception(NULL, &verdict, form);
    }
    if (exceptions != NULL)
        entry = exceptions_lookup(exceptions, &addr);
    if (entry == NULL) {
        form_note(form,
                  exceptions != NULL ? "no line of the table matches %s"
                                     : "there is no table of [exceptions] to look %s up in",
                  question->words[0]);
        return put_exception(NULL, NULL, form);
    }
    if (entry->allow)
        verdict_set(&verdict, REASON_SENDER_ALLOWED);
    else
        verdict_reply(&verdict, REASON_SENDER_REJECTED, entry->code, entry->text);
    return put_exception(entry->address, &verdict, form);
}

int command_exceptions_lookup(const struct command *command, const char *conf, int argc,
                              char **argv)
{
    static const struct lookup lookup = {.least = 1, .most = 1, .answer = answer_exception};
    return lookup_run(&lookup, command, conf, argc, argv);
}

/* --- address lists --------------------------------------------------------------------- */

static int answer_list(const struct lookup_question *question, struct form *form, struct err *err)
{
    const struct snapshot *snapshot = question->snapshot;
    const char *name = question->words[0];
    struct mailaddr addr;

    if (conf_find(snapshot->conf, "addresslist", name) == NULL) {
        err_set(err, ERR_RANGE, "there is no [addresslist %.100s]", name);
        return COMMAND_USAGE;
    }
    if (!parse(question->words[1], question, &addr, err))
        return COMMAND_USAGE;
    const char *entry = lists_lookup(snapshot->lists, name, &addr);
    form_text(form, "list", name);
    form_text(form, "address", question->words[1]);
    form_text(form, "entry", entry);
    form_text(form, "action", entry != NULL ? "match" : "nomatch");
    if (entry == NULL)
        form_note(form, "no entry of [addresslist %s] matches %s", name, question->words[1]);
    return entry != NULL ? COMMAND_YES : COMMAND_NO;
}

int command_addresslist_lookup(const struct command *command, const char *conf, int argc,
                               char **argv)
{
    static const struct lookup lookup = {.least = 2, .most = 2, .answer = answer_list};
    return lookup_run(&lookup, command, conf, argc, argv);
}
