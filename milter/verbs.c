#include "milter/verbs.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "milter/form.h"
#include "milter/shortage.h"
#include "milter/tally.h"

enum wire_status verbs_usage(struct strbuf *reply)
{
    strbuf_puts(reply, "the running daemon does not know this request\n");
    return WIRE_USAGE;
}

bool verbs_only_word(const char *const *arguments, size_t n, const char *word, bool *given_out)
{
    *given_out = n == 1 && strcmp(arguments[0], word) == 0;
    return n == 0 || *given_out;
}

/* --- status ------------------------------------------------------------------------- */

static void put_listeners(struct form *form, const struct snapshot *snapshot)
{
    struct strbuf names;

    strbuf_init(&names);
    for (size_t i = 0; i < snapshot->listeners.n; i++)
        strbuf_printf(&names, "%s\n", snapshot->listeners.v[i]->name);
    form_lines(form, "listeners", strbuf_text(&names));
    strbuf_done(&names);
}

static void put_callahead(struct form *form, const struct house *house)
{
    struct callahead_stats stats;

    callahead_get_stats(engine_callahead(house->engine), &stats);
    form_number(form, "callahead_asked", stats.asked);
    form_number(form, "callahead_cached", stats.cached);
    form_number(form, "callahead_joined", stats.joined);
    form_number(form, "callahead_valid", stats.valid);
    form_number(form, "callahead_unknown", stats.unknown);
    form_number(form, "callahead_failed", stats.failed);
    form_number(form, "callahead_stale", stats.stale);
    form_number(form, "callahead_suspended", stats.suspended);
    form_number(form, "callahead_refreshed", stats.refreshed);
    form_number(form, "callahead_connections", stats.connections);
    form_number(form, "callahead_servers_paused", stats.servers_paused);
}

static void put_domain(const struct callahead_domain *domain, void *arg)
{
    strbuf_printf(arg, "%s %s%s%s\n", domain->domain, domain->profile,
                  domain->catch_all ? " catch_all" : "", domain->ill ? " ill" : "");
}

static void put_domains(struct form *form, const struct house *house)
{
    struct strbuf domains;

    strbuf_init(&domains);
    callahead_list_domains(engine_callahead(house->engine), put_domain, &domains);
    form_lines(form, "callahead_domains", strbuf_text(&domains));
    form->out->failed = form->out->failed || domains.failed;
    strbuf_done(&domains);
}

static void put_list(const char *zone, enum dnslist_health health, void *arg)
{
    strbuf_printf(arg, "%s %s\n", zone, dnslist_health_name(health));
}

static void put_dnslists(struct form *form, const struct house *house)
{
    struct strbuf lists;

    strbuf_init(&lists);
    dnslists_each(engine_dnslists(house->engine), put_list, &lists);
    form_lines(form, "dnslists", strbuf_text(&lists));
    form->out->failed = form->out->failed || lists.failed;
    strbuf_done(&lists);
}

static void put_server(const char *profile, const char *uri, int64_t paused, void *arg)
{
    if (paused > 0)
        strbuf_printf(arg, "%s %s not asked for %lld s\n", profile, uri, (long long)paused);
    else
        strbuf_printf(arg, "%s %s good\n", profile, uri);
}

static void put_directories(struct form *form, const struct house *house)
{
    struct strbuf servers;

    strbuf_init(&servers);
    ldappool_each(engine_directories(house->engine), put_server, &servers);
    form_lines(form, "directories", strbuf_text(&servers));
    form->out->failed = form->out->failed || servers.failed;
    strbuf_done(&servers);
}

static void put_reload(struct form *form, const struct verbs_world *world,
                       const struct running_state *state)
{
    struct strbuf maps;

    form_lines(form, "warnings", state->warnings);
    form_text(form, "reload", state->held ? "under way" : NULL);
    form_moment(form, "reload_refused", state->refused);
    form_lines(form, "reload_errors", state->refusal);
    strbuf_init(&maps);
    form_text(form, "maps", mapswatch_word(mapswatch_look(&world->running->maps, &maps)));
    form_lines(form, "maps_not_the_same", strbuf_text(&maps));
    form->out->failed = form->out->failed || maps.failed;
    strbuf_done(&maps);
}

static enum wire_status status(void *ctx, const char *const *arguments, size_t n,
                               struct strbuf *reply)
{
    const struct verbs_world *world = ctx;
    struct running_state state;
    struct form form;
    char digest[17];
    bool json; /* what is for people the tool makes of it */

    if (!verbs_only_word(arguments, n, "json", &json))
        return verbs_usage(reply);
    struct snapshot *snapshot = snapshot_current(&world->house->snapshots);
    running_copy(world->running, &state);
    form_begin(&form, true, reply);
    form_text(&form, "version", PACKAGE_VERSION);
    form_number(&form, "pid", (uint64_t)getpid());
    form_span(&form, "uptime", mono_wall_seconds() - state.started);
    form_text(&form, "configuration", world->running->path);
    form_moment(&form, "loaded", state.loaded);
    form_number(&form, "generation", state.generation);
    snprintf(digest, sizeof digest, "%016" PRIx64, snapshot->digest);
    form_text(&form, "digest", digest);
    form_text(&form, "mode",
              snapshot->settings.keys->mode == SETTINGS_MONITOR ? "monitor" : "enforce");
    put_listeners(&form, snapshot);
    form_number(&form, "sessions", atomic_load(&world->house->open));
    form_number(&form, "blocks", atomic_load(&world->house->blocks.count));
    form_number(&form, "log_dropped", log_dropped());
    form_number(&form, "thread_shortages", shortage_count(SHORT_OF_THREADS));
    form_number(&form, "descriptor_shortages", shortage_count(SHORT_OF_DESCRIPTORS));
    put_callahead(&form, world->house);
    put_domains(&form, world->house);
    put_dnslists(&form, world->house);
    put_directories(&form, world->house);
    verbs_put_paused(world->house, &form);
    put_reload(&form, world, &state);
    form_end(&form);
    running_state_done(&state);
    snapshot_drop(snapshot);
    return WIRE_YES;
}

/* --- stats -------------------------------------------------------------------------- */

static void put_sample(struct strbuf *out, const char *name, const char *type, const char *help,
                       uint64_t value)
{
    strbuf_printf(out, "# HELP gatehouse_%s %s\n# TYPE gatehouse_%s %s\ngatehouse_%s %llu\n", name,
                  help, name, type, name, (unsigned long long)value);
}

/* Only where it is known. */
static void put_maps(const struct verbs_world *world, struct strbuf *out)
{
    struct strbuf lines;

    strbuf_init(&lines);
    enum mapswatch_state state = mapswatch_look(&world->running->maps, &lines);
    strbuf_done(&lines);
    if (state == MAPSWATCH_SAME || state == MAPSWATCH_DIFFER)
        put_sample(out, "maps_differ", "gauge",
                   "Whether maps of the MTA differ from the configuration in force.",
                   state == MAPSWATCH_DIFFER);
}

static void put_samples(const struct verbs_world *world, struct strbuf *out)
{
    struct running_state state;
    struct callahead_stats stats;

    running_copy(world->running, &state);
    callahead_get_stats(engine_callahead(world->house->engine), &stats);
    put_sample(out, "start_time_seconds", "gauge", "When the daemon started.",
               (uint64_t)state.started);
    put_sample(out, "config_load_time_seconds", "gauge",
               "When the configuration in force was loaded.", (uint64_t)state.loaded);
    put_sample(out, "config_generation", "gauge", "How many configurations were loaded.",
               state.generation);
    put_sample(out, "config_reload_refused", "gauge", "Whether the last reload was refused.",
               state.refused != 0);
    put_maps(world, out);
    put_sample(out, "sessions_open", "gauge", "Milter sessions open now.",
               atomic_load(&world->house->open));
    put_sample(out, "log_dropped_total", "counter",
               "Log lines dropped because their reader did not keep up.", log_dropped());
    put_sample(out, "thread_shortages_total", "counter",
               "Sessions for which the system had no thread.", shortage_count(SHORT_OF_THREADS));
    put_sample(out, "descriptor_shortages_total", "counter",
               "Sessions for which there was no descriptor.", shortage_count(SHORT_OF_DESCRIPTORS));
    put_sample(out, "callahead_asked_total", "counter", "Recipients asked about.", stats.asked);
    put_sample(out, "callahead_cached_total", "counter", "Of these, answered from the cache.",
               stats.cached);
    put_sample(out, "callahead_joined_total", "counter",
               "Of these, answered by a question already under way.", stats.joined);
    put_sample(out, "callahead_valid_total", "counter", "Answers: the recipient exists.",
               stats.valid);
    put_sample(out, "callahead_unknown_total", "counter", "Answers: no such user.", stats.unknown);
    put_sample(out, "callahead_failed_total", "counter", "Questions without a verdict.",
               stats.failed);
    put_sample(out, "callahead_stale_total", "counter",
               "Answered with an expired yes: no server could be asked.", stats.stale);
    put_sample(out, "callahead_suspended_total", "counter", "Refusals that were not believed.",
               stats.suspended);
    put_sample(out, "callahead_refreshed_total", "counter",
               "Recipients asked about again before their answers expired.", stats.refreshed);
    put_sample(out, "callahead_connections", "gauge", "Connections to mailbox hosts.",
               stats.connections);
    put_sample(out, "callahead_servers_paused", "gauge", "Mailbox hosts paused after failures.",
               stats.servers_paused);
    running_state_done(&state);
    verbs_put_paused_samples(world->house, out);
}

static enum wire_status statistics(void *ctx, const char *const *arguments, size_t n,
                                   struct strbuf *reply)
{
    const struct verbs_world *world = ctx;
    bool prometheus;

    if (!verbs_only_word(arguments, n, "prometheus", &prometheus))
        return verbs_usage(reply);
    tally_print(world->house->tally, prometheus, reply);
    if (prometheus)
        put_samples(world, reply);
    return WIRE_YES;
}

const struct control_verb verbs[] = {
    {.name = "reload",
     .most = 1,
     .in_main = true,
     .holds = true,
     .logged = true,
     .run = verbs_reload},
    {.name = "reload-take",
     .in_main = true,
     .of_holder = true,
     .logged = true,
     .run = verbs_reload_take},
    {.name = "reload-drop",
     .least = 1,
     .most = 1,
     .in_main = true,
     .of_holder = true, /* the log has the reason */
     .run = verbs_reload_drop},
    {.name = "status", .most = 1, .run = status},
    {.name = "stats", .most = 1, .run = statistics},
    {.name = "cache-list", .most = 1, .run = verbs_cache_list},
    {.name = "cache-flush", .least = 1, .most = 1, .logged = true, .run = verbs_cache_flush},
    {.name = "counter-show", .least = 1, .most = 2, .run = verbs_counter_show},
    {.name = "counter-reset", .least = 1, .most = 1, .logged = true, .run = verbs_counter_reset},
    {.name = "block", .least = 3, .most = 4, .in_main = true, .logged = true, .run = verbs_block},
    {.name = "unblock",
     .least = 1,
     .most = 1,
     .in_main = true,
     .logged = true,
     .run = verbs_unblock},
    {.name = "blocks", .most = 1, .in_main = true, .run = verbs_blocks},
};

const size_t verbs_count = ARRAY_LEN(verbs);
