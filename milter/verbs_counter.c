/* Verbs about what is counted of a client, a sender, an account or a listener. */
#include "milter/verbs.h"

#include <string.h>

#include "lib/base/mailaddr.h"
#include "lib/gate/ratekey.h"
#include "milter/form.h"

#define NAME_MAX_BYTES 128 /* "SBO:4294967295/" and a network */

/* One request: what it is about, and what was found. */
struct search {
    struct limits *limits;
    struct strbuf *reply;
    bool reset;
    mono_us now, rate_period, sender_period;
    size_t found;
};

static void put(struct search *search, const char *kind, const char *name, uint64_t count,
                const uint64_t *asked, mono_us ends)
{
    struct form form;
    mono_us left = ends > search->now ? (ends - search->now + 999999) / 1000000 : 0;

    search->found++;
    form_begin(&form, true, search->reply);
    form_text(&form, "kind", kind);
    form_text(&form, "key", name);
    form_number(&form, "count", count);
    if (asked != NULL) {
        form_number(&form, "asked", *asked);
        form_number(&form, "left", (uint64_t)left);
    }
    form_end(&form);
}

/* --- one key of one table ------------------------------------------------------------ */

static void at_rate(struct search *search, enum rate rate, struct slice key, const char *name)
{
    static const char *const kinds[] = {
        [RATE_HOST] = "host", [RATE_SENDER] = "sender", [RATE_ACCOUNT] = "account"};
    struct counter_table *table = search->limits->rates[rate];
    mono_us window = rate == RATE_HOST ? search->rate_period : search->sender_period;
    struct counter_value value;

    if (!counter_get(table, key, window, search->now, &value))
        return;
    uint64_t asked = value.total;
    if (search->reset)
        search->found += counter_reset(table, key);
    else
        put(search, kinds[rate], name, value.count, &asked, value.began + window);
}

static void at_harvest(struct search *search, struct slice key, const char *name)
{
    struct harvest_value value;

    if (!harvest_get(search->limits->harvest, key, search->rate_period, search->now, &value))
        return;
    uint64_t asked = value.total;
    if (search->reset)
        search->found += harvest_reset(search->limits->harvest, key);
    else
        put(search, "invalid", name, value.different, &asked, value.began + search->rate_period);
}

/* Never reset: connections are there or they are not. */
static void at_crowd(struct search *search, enum crowd crowd, struct slice key, const char *name)
{
    static const char *const kinds[] = {[CROWD_LISTENER] = "listener",
                                        [CROWD_ADDRESS] = "connections",
                                        [CROWD_PENDING] = "pending"};
    uint64_t count = search->reset ? 0 : lease_count(search->limits->crowds[crowd], key);

    if (count > 0)
        put(search, kinds[crowd], name, count, NULL, 0);
}

/* --- what a KEY may mean --------------------------------------------------------------- */

static void at_client(struct search *search, const struct ratekey *key, const char *name)
{
    at_rate(search, RATE_HOST, ratekey_slice(key), name);
    at_harvest(search, ratekey_slice(key), name);
}

static void at_network(struct search *search, const struct ip *ip, unsigned bits)
{
    struct ratekey key = ratekey_network(ip, bits);
    struct ip network = ip_masked(ip, bits);
    char text[IP_TEXT_MAX], name[NAME_MAX_BYTES];

    snprintf(name, sizeof name, "%s/%u", ip_text(&network, text), bits);
    at_client(search, &key, name);
}

static void at_connections(struct search *search, const struct ip *ip, const char *name)
{
    struct ratekey whole = ratekey_network(ip, RATEKEY_WHOLE), site = ratekey_site(ip);

    at_crowd(search, CROWD_ADDRESS, ratekey_slice(&whole), name);
    at_crowd(search, CROWD_PENDING, ratekey_slice(&site), name);
}

/* "unknown": the clients without an address, all of them as one. */
static void at_no_address(struct search *search)
{
    struct ratekey key = ratekey_no_address();

    at_crowd(search, CROWD_ADDRESS, ratekey_slice(&key), FACTS_NO_ADDRESS);
    at_client(search, &key, FACTS_NO_ADDRESS);
}

/* "192.0.2.7": the address, and every network around it that is counted;
 * "192.0.2.0/24": this one. */
static bool is_address(struct search *search, const char *text)
{
    const char *slash = strchr(text, '/');
    struct slice address = slice_of(text);
    struct ip ip;
    uint64_t bits = 0;

    if (slash != NULL)
        address.n = (size_t)(slash - text);
    if (!ip_parse(address, &ip))
        return false;
    unsigned most = ip_is_v4(&ip) ? 32 : 128;
    if (slash != NULL && !str_to_uint(slice_of(slash + 1), most, &bits))
        return false;
    if (slash == NULL)
        at_connections(search, &ip, text);
    for (unsigned i = most + 1; slash == NULL && i-- > 0;)
        at_network(search, &ip, i);
    if (slash != NULL)
        at_network(search, &ip, (unsigned)bits);
    return true;
}

/* "SBO:64500/192.0.2.7": the owner's /24 (IPv6: /64) with this address. */
static bool is_owner(struct search *search, const char *text)
{
    const char *slash = strchr(text, '/');
    uint64_t owner = 0;
    struct ip ip;

    if (slash == NULL || slash - text < 5 || !slice_is_nocase((struct slice){text, 4}, "SBO:") ||
        !str_to_uint((struct slice){text + 4, (size_t)(slash - text) - 4}, UINT32_MAX, &owner) ||
        !ip_parse(slice_of(slash + 1), &ip))
        return false;
    struct ratekey key = ratekey_owner((uint32_t)owner, &ip);
    at_client(search, &key, text);
    return true;
}

/* Anything else may be a sender, an account and a listener; false: out of memory. */
static bool at_names(struct search *search, const char *text, struct arena *arena)
{
    char *lower = arena_dup(arena, text);
    struct mailaddr address;
    struct err unused;

    if (lower == NULL)
        return false;
    ascii_lower_in_place(lower);
    bool parsed = mailaddr_parse(slice_of(text), MAILADDR_LOOSE, false, arena, &address, &unused);
    at_rate(search, RATE_SENDER, slice_of(parsed ? address.key : lower), text);
    at_rate(search, RATE_ACCOUNT, slice_of(lower), text);
    at_crowd(search, CROWD_LISTENER, slice_of(text), text);
    return true;
}

/* --- the verbs ---------------------------------------------------------------------------- */

static void begin(struct search *search, const struct verbs_world *world, struct strbuf *reply)
{
    struct snapshot *snapshot = snapshot_current(&world->house->snapshots);
    const struct policy *dflt = policies_find(snapshot->policies, "DEFAULT");

    *search = (struct search){
        .limits = world->house->limits,
        .reply = reply,
        .now = mono_now(),
        .rate_period = MONO_MS(snapshot->settings.keys->rate_period),
        .sender_period = MONO_MS(dflt->keys.sender_rate_period),
    };
    snapshot_drop(snapshot);
}

static bool run(struct search *search, const char *key)
{
    if (is_address(search, key) || is_owner(search, key))
        return true;
    if (strcmp(key, FACTS_NO_ADDRESS) == 0)
        at_no_address(search);
    struct arena *arena = arena_new(0);
    bool done = arena != NULL && at_names(search, key, arena);
    arena_free(arena);
    return done;
}

static enum wire_status outcome(const struct search *search, bool done, const char *key)
{
    if (!done)
        strbuf_puts(search->reply, "out of memory\n");
    else if (search->found == 0)
        strbuf_printf(search->reply, "nothing is counted for %s\n", key);
    return done && search->found > 0 ? WIRE_YES : WIRE_NO;
}

enum wire_status verbs_counter_show(void *ctx, const char *const *arguments, size_t n,
                                    struct strbuf *reply)
{
    struct search search;
    bool json;

    begin(&search, ctx, reply);
    if (!verbs_only_word(arguments + 1, n - 1, "json", &json))
        return verbs_usage(reply);
    return outcome(&search, run(&search, arguments[0]), arguments[0]);
}

enum wire_status verbs_counter_reset(void *ctx, const char *const *arguments, size_t n,
                                     struct strbuf *reply)
{
    struct search search;

    (void)n;
    begin(&search, ctx, reply);
    search.reset = true;
    bool done = run(&search, arguments[0]);
    if (done && search.found > 0)
        strbuf_printf(reply, "%zu reset\n", search.found);
    return outcome(&search, done, arguments[0]);
}
