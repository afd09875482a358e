/* gatehousectl ldap test: what a directory says about a recipient. */
#include "milter/command.h"

#include <string.h>

#include "lib/net/ldapfilter.h"
#include "milter/engine.h"
#include "milter/lookup.h"

/* Made for the first question. */
struct asker {
    struct engine *engine;
};

struct question {
    struct engine *engine;
    const struct directory_plan *plan;
    struct mailaddr address;
    mono_us deadline;
};

static bool prepare(const struct lookup_question *from, struct question *question, struct err *err)
{
    const char *profile = from->words[0];
    struct asker *asker = from->ctx;

    question->deadline = mono_now() + MONO_MS(from->snapshot->settings.keys->command_deadline);
    question->plan = snapshot_directory(from->snapshot, profile);
    if (question->plan == NULL)
        return err_set(err, ERR_RANGE, "there is no [ldap %.100s]", profile);
    const struct ldap_keys *keys = question->plan->profile.keys;
    if (keys->accept_query[0] == '\0' && keys->routing_query[0] == '\0')
        return err_set(err, ERR_RANGE, "[ldap %.100s] has neither accept_query nor routing_query",
                       profile);
    if (!mailaddr_parse(slice_of(from->words[1]), MAILADDR_LOOSE, false, from->arena,
                        &question->address, err))
        return false;
    if (asker->engine == NULL)
        asker->engine = engine_new(from->snapshot, err);
    question->engine = asker->engine;
    return question->engine != NULL;
}

struct texts {
    const char *answer, *filter, *server, *text, *ms;
};

/* Values with newlines and more separators between them. */
static void put_values(const char *key, const char *values, const char *separators,
                       struct form *form)
{
    struct strbuf lines;

    strbuf_init(&lines);
    while (*values != '\0') {
        size_t n = strcspn(values, separators);
        struct slice value = slice_trim((struct slice){values, n});
        strbuf_add(&lines, value.p, value.n);
        strbuf_puts(&lines, value.n > 0 ? "\n" : "");
        values += n + (values[n] != '\0');
    }
    form_lines(form, key, strbuf_text(&lines));
    form->out->failed = form->out->failed || lines.failed;
    strbuf_done(&lines);
}

/* One query, where the profile has it. Did an entry match? */
static bool ask(const struct question *question, enum ldap_query query, const char *filter,
                const struct texts *keys, struct form *form)
{
    struct ldap_answer answer;
    struct strbuf filled;

    if (filter[0] == '\0')
        return false;
    strbuf_init(&filled);
    ldapfilter_fill(filter, &question->address, NULL, &filled);
    engine_ask_directory(&(struct engine_view){.engine = question->engine}, question->plan, query,
                         &question->address, NULL, question->deadline, &answer);
    form_text(form, keys->answer, ldap_class_name(answer.said.class));
    form_text(form, keys->filter, strbuf_text(&filled));
    form_text(form, keys->server, answer.said.server[0] != '\0' ? answer.said.server : NULL);
    form_text(form, keys->text, answer.said.text[0] != '\0' ? answer.said.text : NULL);
    form_ms(form, keys->ms, answer.said.ms);
    if (query == LDAP_ROUTING_QUERY) {
        put_values("routing_hosts", answer.hosts, ",\n", form);
        put_values("routing_addresses", answer.addresses, "\n", form);
    }
    form->out->failed = form->out->failed || filled.failed;
    strbuf_done(&filled);
    return answer.said.class == DIRECTORY_MATCH;
}

/* The accept query decides where there is one. */
static int answer_test(const struct lookup_question *from, struct form *form, struct err *err)
{
    static const struct texts accept = {"accept", "accept_filter", "accept_server", "accept_text",
                                        "accept_ms"};
    static const struct texts routing = {"routing", "routing_filter", "routing_server",
                                         "routing_text", "routing_ms"};
    struct question question;

    if (!prepare(from, &question, err))
        return COMMAND_USAGE;
    const struct ldap_keys *keys = question.plan->profile.keys;
    form_text(form, "profile", question.plan->profile.name);
    form_text(form, "address", question.address.text);
    bool accepted = ask(&question, LDAP_ACCEPT_QUERY, keys->accept_query, &accept, form);
    bool routed = ask(&question, LDAP_ROUTING_QUERY, keys->routing_query, &routing, form);
    return (keys->accept_query[0] != '\0' ? accepted : routed) ? COMMAND_YES : COMMAND_NO;
}

int command_ldap(const struct command *command, const char *conf, int argc, char **argv)
{
    struct asker asker = {.engine = NULL};
    const struct lookup lookup = {.least = 2, .most = 2, .answer = answer_test, .ctx = &asker};

    int status = lookup_run(&lookup, command, conf, argc, argv);
    engine_free(asker.engine);
    return status;
}
