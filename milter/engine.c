#include "milter/engine.h"

#include <string.h>

#include "lib/base/domain.h"
#include "lib/base/log.h"
#include "lib/gate/facts.h"
#include "lib/net/host.h"
#include "lib/net/hostsfile.h"
#include "lib/net/lookups.h"
#include "lib/net/sender.h"
#include "milter/destination.h"

#define WRITE_EVERY MONO_SECONDS(60)

struct engine {
    struct dns *dns;
    struct dnslists *dnslists;
    struct callahead *callahead;
    struct ldappool *ldap;
};

/* The DNS lists of all listeners are watched. */
static bool watch_lists(struct engine *engine, const struct snapshot *snapshot, struct err *err)
{
    const struct listeners *listeners = &snapshot->listeners;
    const char **zones = calloc(listeners->n * HAT_ZONES_MAX + 1, sizeof *zones);
    size_t n = 0;

    for (size_t i = 0; zones != NULL && i < listeners->n; i++) {
        struct hat_wants asks;
        hat_asks(listeners->v[i]->hat, &asks);
        for (size_t k = 0; k < asks.nzones; k++)
            zones[n++] = asks.zones[k];
    }
    bool good = zones != NULL && dnslists_watch(engine->dnslists, zones, n);
    free(zones);
    return good || err_set(err, ERR_MEMORY, "out of memory");
}

void engine_setup(void)
{
    ldappool_setup();
}

struct engine *engine_new(const struct snapshot *snapshot, struct err *err)
{
    struct engine *engine = calloc(1, sizeof *engine);

    if (engine == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    engine->dns = dns_new(snapshot->dns, err);
    if (engine->dns != NULL && (engine->dnslists = dnslists_new(engine->dns)) == NULL)
        err_set(err, ERR_MEMORY, "out of memory");
    if (engine->dnslists != NULL && watch_lists(engine, snapshot, err))
        engine->callahead = callahead_new(engine->dns, snapshot->hostname, err);
    if (engine->callahead != NULL)
        engine->ldap = ldappool_new(&(struct dialer){engine->dns, HOSTSFILE_PATH}, err);
    if (engine->ldap == NULL) {
        engine_free(engine);
        return NULL;
    }
    return engine;
}

void engine_stop(struct engine *engine)
{
    ldappool_stop(engine->ldap);
    callahead_stop(engine->callahead);
    dns_stop(engine->dns);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL)
        return;
    ldappool_free(engine->ldap);
    callahead_free(engine->callahead);
    dnslists_free(engine->dnslists);
    dns_free(engine->dns);
    free(engine);
}

void engine_keep(struct engine *engine, const char *folder)
{
    struct err err = {0};

    if (!callahead_keep(engine->callahead, folder, WRITE_EVERY, &err))
        log_note(LOG_AT_WARNING, "state", "the cache of call-ahead will not outlive a restart: %s",
                 err.text);
}

bool engine_reconfigure(struct engine *engine, const struct snapshot *snapshot, struct err *err)
{
    bool good = dns_reconfigure(engine->dns, snapshot->dns, err);
    return watch_lists(engine, snapshot, err) && good;
}

void engine_tick(struct engine *engine)
{
    dnslists_tick(engine->dnslists);
}

struct dnslists *engine_dnslists(const struct engine *engine)
{
    return engine->dnslists;
}

struct callahead *engine_callahead(const struct engine *engine)
{
    return engine->callahead;
}

struct ldappool *engine_directories(const struct engine *engine)
{
    return engine->ldap;
}

/* --- host names -------------------------------------------------------------- */

/* {client_resolve}: what the MTA found out itself. */
static void host_by_mta(const struct conn_facts *conn, struct host_answer *answer_out)
{
    static const struct {
        const char *word;
        enum host_class class;
    } words[] = {
        {"OK", HOST_VERIFIED},
        {"FAIL", HOST_NO_PTR},
        {"TEMP", HOST_PTR_TEMPFAIL},
        {"FORGED", HOST_PTR_MISMATCH},
    };

    *answer_out = (struct host_answer){.class = HOST_UNKNOWN};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(conn->mta_resolve, words[i].word) == 0)
            answer_out->class = words[i].class;
    }
    if (answer_out->class == HOST_VERIFIED &&
        !domain_canon(slice_of(conn->mta_name), answer_out->name))
        *answer_out = (struct host_answer){.class = HOST_NO_PTR};
}

static void find_host(void *ctx, const struct conn_facts *conn, struct arena *arena,
                      mono_us deadline, struct host_answer *answer_out)
{
    const struct engine_view *view = ctx;
    const struct engine *engine = view->engine;

    switch ((enum dns_host_lookup)view->snapshot->dns->host_lookup) {
    case DNS_HOST_OWN:
        host_lookup(engine->dns, &conn->client, arena, deadline, view->about_to_wait, view->arg,
                    answer_out);
        return;
    case DNS_HOST_MTA:
        host_by_mta(conn, answer_out);
        return;
    case DNS_HOST_OFF:
        *answer_out = (struct host_answer){.class = HOST_UNKNOWN};
        return;
    }
}

/* --- score, owner, country, DNS lists ----------------------------------------- */

static void find_lookups(void *ctx, const struct conn_facts *conn, const struct hat_wants *wants,
                         struct arena *arena, mono_us deadline, struct lookup_answer *answer_out)
{
    const struct engine_view *view = ctx;
    const struct engine *engine = view->engine;
    struct lookups lookups = {.dns = engine->dns,
                              .lists = engine->dnslists,
                              .reputation = &view->snapshot->reputation,
                              .about_to_wait = view->about_to_wait,
                              .arg = view->arg};
    struct lookups_wanted wanted = {.score = wants->score,
                                    .owner = wants->owner,
                                    .country = wants->country,
                                    .zones = wants->zones,
                                    .nzones = wants->nzones};

    lookups_ask(&lookups, &conn->client, &wanted, arena, deadline, answer_out);
}

/* --- the domain of an envelope sender ------------------------------------------ */

static void find_sender(void *ctx, const char *domain, bool accept_a, mono_us deadline,
                        enum sender_class *answer_out)
{
    const struct engine_view *view = ctx;
    struct sender_question question = {.domain = domain,
                                       .accept_a = accept_a,
                                       .deadline = deadline,
                                       .about_to_wait = view->about_to_wait,
                                       .arg = view->arg};

    *answer_out = sender_lookup(view->engine->dns, &question);
}

/* --- directories ----------------------------------------------------------------- */

void engine_ask_directory(const struct engine_view *view, const struct directory_plan *plan,
                          enum ldap_query query, const struct mailaddr *recipient,
                          const struct mailaddr *sender, mono_us deadline,
                          struct ldap_answer *answer_out)
{
    ldappool_ask(view->engine->ldap, &plan->profile, query, recipient,
                 sender != NULL && sender->text != NULL ? sender : NULL, deadline,
                 view->about_to_wait, view->arg, answer_out);
}

static void ask_directory(void *ctx, const struct directory_plan *plan,
                          const struct mailaddr *recipient, const struct mailaddr *sender,
                          mono_us deadline, struct directory_answer *answer_out)
{
    struct ldap_answer answer;

    engine_ask_directory(ctx, plan, LDAP_ACCEPT_QUERY, recipient, sender, deadline, &answer);
    *answer_out = answer.said;
}

/* --- call-ahead ---------------------------------------------------------------- */

static void answer_without_asking(enum callahead_class class, const char *text,
                                  struct callahead_answer *answer_out)
{
    *answer_out = (struct callahead_answer){.class = class, .stage = CALLAHEAD_AT_RESOLVE};
    snprintf(answer_out->text, sizeof answer_out->text, "%s", text);
}

struct routing {
    const struct engine_view *view;
    const struct directory_plan *plan;
    mono_us deadline;
};

static void ask_routing(void *ctx, const struct mailaddr *recipient, struct ldap_answer *answer_out)
{
    const struct routing *routing = ctx;

    engine_ask_directory(routing->view, routing->plan, LDAP_ROUTING_QUERY, recipient, NULL,
                         routing->deadline, answer_out);
}

void engine_ask_callahead(const struct engine_view *view, const struct destination_wanted *wanted,
                          mono_us deadline, struct arena *arena, struct destination *to_out,
                          struct callahead_answer *answer_out)
{
    const struct callahead_plan *plan = wanted->plan;
    struct routing routing = {view, plan->routing, deadline};

    destination_find(wanted, ask_routing, &routing, arena, to_out);
    switch (to_out->kind) {
    case PLAN_ASK:
        callahead_ask(view->engine->callahead, &plan->profile, &to_out->where, &to_out->to,
                      deadline, view->about_to_wait, view->arg, answer_out);
        break;
    case PLAN_DISCARD:
        answer_without_asking(CALLAHEAD_VALID, "the route is /dev/null", answer_out);
        break;
    case PLAN_LIST:
        answer_without_asking(CALLAHEAD_VALID, "the directory lists several addresses", answer_out);
        break;
    case PLAN_NOWHERE:
        answer_without_asking(CALLAHEAD_SERVER_ILL, to_out->err.text, answer_out);
        break;
    }
}

static void ask_callahead(void *ctx, const struct callahead_plan *plan,
                          const struct rcpt_facts *rcpt, bool literal_named, mono_us deadline,
                          struct callahead_answer *answer_out)
{
    const struct destination_wanted wanted = {plan, rcpt, literal_named};
    bool by_directory = destination_is_in_directory(plan, &rcpt->to);
    struct arena *arena = by_directory ? arena_new(0) : NULL;
    struct destination to;

    if (by_directory && arena == NULL)
        answer_without_asking(CALLAHEAD_SERVER_ILL, "out of memory", answer_out);
    else
        engine_ask_callahead(ctx, &wanted, deadline, arena, &to, answer_out);
    arena_free(arena);
}

struct services engine_services(struct engine_view *view)
{
    return (struct services){.ctx = view,
                             .host = find_host,
                             .lookups = find_lookups,
                             .sender = find_sender,
                             .directory = ask_directory,
                             .callahead = ask_callahead};
}
