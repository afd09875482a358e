/* gatehousectl callahead: asks the mailbox host about a recipient now, with the
 * configuration's profile but nothing of the daemon's memory. */
#include "milter/command.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/escape.h"
#include "lib/gate/facts.h"
#include "lib/gate/stage.h"
#include "lib/net/smtp_class.h"
#include "milter/engine.h"
#include "milter/lookup.h"
#include "milter/plan.h"

#define LINE_MAX_SHOWN 512 /* bytes of a line of the dialogue */

struct asker {
    struct engine *engine; /* made for the first question */
    /* The dialogue, printed as it comes by the threads of connections. */
    pthread_mutex_t lock;
    bool shown;
    char line[LINE_MAX_SHOWN]; /* the one that is not yet complete */
    size_t n;
    enum callahead_event from; /* whose */
};

/* --- the dialogue -------------------------------------------------------------------- */

static void print_line(struct asker *asker, const char *mark)
{
    char text[LINE_MAX_SHOWN * ESCAPE_WORST + 1];

    if (asker->n > 0 && asker->line[asker->n - 1] == '\r')
        asker->n--;
    escape_line((struct slice){asker->line, asker->n}, text, sizeof text);
    printf("%s %s\n", mark, text);
    asker->n = 0;
}

static const char *mark_of(enum callahead_event event)
{
    switch (event) {
    case CALLAHEAD_EVENT_SENT:
        return "C:";
    case CALLAHEAD_EVENT_RECEIVED:
        return "S:";
    case CALLAHEAD_EVENT_NOTE:
        return "*";
    }
    return "*";
}

static void print_bytes(struct asker *asker, enum callahead_event event, struct slice bytes)
{
    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] == '\n')
            print_line(asker, mark_of(event));
        else if (asker->n < sizeof asker->line) /* what is longer is cut */
            asker->line[asker->n++] = bytes.p[i];
    }
}

static void show(enum callahead_event event, const char *server, struct slice bytes, void *arg)
{
    struct asker *asker = arg;

    pthread_mutex_lock(&asker->lock);
    if (asker->shown) {
        if (asker->n > 0 && event != asker->from)
            print_line(asker, mark_of(asker->from));
        asker->from = event;
        if (event == CALLAHEAD_EVENT_NOTE)
            printf("* %s: %.*s\n", server, (int)bytes.n, bytes.p);
        else
            print_bytes(asker, event, bytes);
        (void)fflush(stdout);
    }
    pthread_mutex_unlock(&asker->lock);
}

static void set_shown(struct asker *asker, bool shown)
{
    pthread_mutex_lock(&asker->lock);
    if (asker->n > 0)
        print_line(asker, mark_of(asker->from));
    asker->shown = shown;
    pthread_mutex_unlock(&asker->lock);
}

/* --- whom to ask ---------------------------------------------------------------------- */

/* Without a name: the one listener that has a profile. */
static bool choose(const struct lookup_question *from, const struct listener **listener_out,
                   struct err *err)
{
    const struct listeners *listeners = &from->snapshot->listeners;
    const struct listener *found = NULL;

    for (size_t i = 0; i < listeners->n; i++) {
        const struct listener *listener = listeners->v[i];
        if (from->listener != NULL && strcmp(listener->name, from->listener) != 0)
            continue;
        if (from->listener == NULL && listener->callahead == NULL)
            continue;
        if (found != NULL)
            return err_set(
                err, ERR_RANGE,
                "which --listener? [listener %s] and [listener %s] have call-ahead profiles",
                found->name, listener->name);
        found = listener;
    }
    *listener_out = found;
    if (found == NULL && from->listener != NULL)
        return err_set(err, ERR_RANGE, "there is no [listener %.100s]", from->listener);
    return (found != NULL && found->callahead != NULL) ||
           err_set(err, ERR_RANGE,
                   found != NULL ? "[listener %s] has no call-ahead profile"
                                 : "no listener has a call-ahead profile",
                   found != NULL ? found->name : "");
}

static bool parse(const struct lookup_question *from, const struct listener *listener,
                  struct rcpt_facts *rcpt, struct err *err)
{
    enum mailaddr_mode mode = (enum mailaddr_mode)listener->keys->address_parser;

    *rcpt = (struct rcpt_facts){.sent = slice_of(from->words[0]),
                                .delimiters = listener->keys->recipient_delimiter};
    return mailaddr_parse(rcpt->sent, mode, false, from->arena, &rcpt->to, err) &&
           (mailaddr_without_extension(&rcpt->to, rcpt->delimiters, from->arena, &rcpt->base) ||
            err_set(err, ERR_MEMORY, "out of memory"));
}

/* May its address literal be asked wherever it points? Only if the RAT has it. */
static bool is_literal_named(const struct listener *listener, const struct rcpt_facts *rcpt)
{
    const struct rat_entry *entry =
        listener->rat != NULL ? rat_lookup_either(listener->rat, &rcpt->to, &rcpt->base) : NULL;

    return rcpt->to.kind == MAILADDR_LITERAL && entry != NULL &&
           (entry->form == RAT_LITERAL || entry->form == RAT_ADDRESS);
}

/* --- the answer ------------------------------------------------------------------------- */

/* In the text only: whether the daemon would keep the answer, and under what name. */
static void put_life(const struct listener *listener, const char *known_as,
                     const struct callahead_answer *answer, struct form *form)
{
    const struct callahead_profile *profile = &listener->callahead->plan->profile;
    int64_t life = answer->server[0] != '\0' ? callahead_life(profile->keys, answer->class) : 0;
    char span[SHEET_TEXT_MAX];
    struct strbuf text;

    if (form->json)
        return;
    form_text(form, "profile", profile->name);
    if (life == 0) {
        form_text(form, "remembered", "no");
        return;
    }
    strbuf_init(&text);
    strbuf_printf(&text, "for %s, as %s", sheet_span(life / 1000, span), known_as);
    form_text(form, "remembered", strbuf_text(&text));
    form->out->failed = form->out->failed || text.failed;
    strbuf_done(&text);
}

static int put(const struct lookup_question *from, const struct listener *listener,
               const struct rcpt_facts *rcpt, const char *known_as,
               const struct callahead_answer *answer, struct form *form)
{
    bool asked = answer->server[0] != '\0', said = answer->code != 0;
    struct verdict verdict;

    gate_judge_callahead(listener->callahead, answer, from->arena, &verdict);
    form_text(form, "address", rcpt->to.text);
    form_text(form, "server", asked ? answer->server : NULL);
    form_text(form, "verdict", verdict_action_name(verdict.action));
    form_text(form, "class", smtp_class_name(answer->class));
    if (said)
        form_number(form, "code", (uint64_t)answer->code);
    else
        form_text(form, "code", NULL);
    form_text(form, "status", answer->status[0] != '\0' ? answer->status : NULL);
    form_text(form, "text", answer->text);
    form_bool(form, "cached", answer->cached);
    form_ms(form, "ms", answer->ms);
    put_life(listener, known_as, answer, form);
    return verdict.action == VERDICT_CONTINUE ? COMMAND_YES : COMMAND_NO;
}

static int answer(const struct lookup_question *from, struct form *form, struct err *err)
{
    struct asker *asker = from->ctx;
    const struct listener *listener = NULL;
    struct rcpt_facts rcpt;
    struct destination to;
    struct callahead_answer said;

    if (!choose(from, &listener, err) || !parse(from, listener, &rcpt, err))
        return COMMAND_USAGE;
    if (asker->engine == NULL) {
        asker->engine = engine_new(from->snapshot, err);
        if (asker->engine == NULL)
            return COMMAND_USAGE;
        callahead_watch(engine_callahead(asker->engine), show, asker);
    }
    const struct destination_wanted wanted = {.plan = listener->callahead->plan,
                                              .rcpt = &rcpt,
                                              .literal_named = is_literal_named(listener, &rcpt)};
    mono_us deadline = mono_now() + MONO_MS(from->snapshot->settings.keys->command_deadline);
    set_shown(asker, !from->json);
    engine_ask_callahead(&(struct engine_view){.engine = asker->engine}, &wanted, deadline,
                         from->arena, &to, &said);
    set_shown(asker, false);
    const struct mailaddr *known_as = said.class == CALLAHEAD_VALID ? &to.base : &to.to;
    return put(from, listener, &rcpt, known_as->key, &said, form);
}

int command_callahead(const struct command *command, const char *conf, int argc, char **argv)
{
    struct asker asker = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct lookup lookup = {.least = 1, .most = 1, .answer = answer, .ctx = &asker};

    int status = lookup_run(&lookup, command, conf, argc, argv);
    engine_free(asker.engine);
    return status;
}
