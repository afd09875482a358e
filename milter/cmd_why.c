/* gatehousectl why: the log, a story a connection. */
#include "milter/command.h"

#include <getopt.h>
#include <string.h>

#include "lib/base/ip.h"
#include "lib/base/mailaddr.h"
#include "lib/base/mono.h"
#include "milter/form.h"
#include "milter/logquery.h"

#define BUCKETS 65536
#define STORIES_MAX 20000  /* connections that are open at once; the oldest ends beyond */
#define STORY_BYTES 262144 /* of lines kept of one */
#define ADDRESS_MAX (MAILADDR_PATH_MAX + 2)

struct story {
    struct story *next_in_bucket;
    struct story *older, *newer; /* of those that are open */
    uint64_t icid;
    bool wanted;
    size_t left_out;     /* lines there was no room for */
    struct strbuf lines; /* as they stood in the log, each with a newline */
};

struct wanted {
    /* "@domain" or an address; "" any. */
    char from[ADDRESS_MAX], to[ADDRESS_MAX];
    bool by_client;
    struct ip client; /* masked */
    unsigned bits;
};

struct telling {
    struct logquery query;
    struct wanted wanted;
    bool json, failed;
    struct logquery_logs logs;
    uint64_t told;
    size_t open;
    struct story *oldest, *newest;
    struct story *buckets[BUCKETS];
};

/* --- what is wanted -------------------------------------------------------------------------- */

/* "<joe@example.com>", as the log has it, without what stands around it. */
static struct slice address_of(struct slice value)
{
    if (value.n >= 2 && value.p[0] == '<' && value.p[value.n - 1] == '>')
        return (struct slice){value.p + 1, value.n - 2};
    return value;
}

static bool address_is(struct slice value, const char *wanted)
{
    struct slice address = address_of(value);
    size_t n = strlen(wanted);

    if (address.n == 0)
        return value.n > 0 && strcmp(wanted, "<>") == 0;
    if (wanted[0] == '@' && address.n > n)
        address = (struct slice){address.p + address.n - n, n};
    return slice_is_nocase(address, wanted);
}

static bool client_is(const struct wanted *wanted, struct slice value)
{
    struct ip ip;

    if (!ip_parse(value, &ip) || ip_is_v4(&ip) != ip_is_v4(&wanted->client))
        return false;
    ip = ip_masked(&ip, wanted->bits);
    return ip_equal(&ip, &wanted->client);
}

static bool is_wanted(const struct wanted *wanted, const struct logentry *entry)
{
    return (wanted->from[0] == '\0' || address_is(logentry_get(entry, "from"), wanted->from)) &&
           (wanted->to[0] == '\0' || address_is(logentry_get(entry, "to"), wanted->to)) &&
           (!wanted->by_client || client_is(wanted, logentry_get(entry, "ip")));
}

/* "192.0.2.0/24" */
static bool parse_client(const char *text, struct wanted *wanted)
{
    const char *slash = strchr(text, '/');
    struct slice address = {text, slash != NULL ? (size_t)(slash - text) : strlen(text)};
    uint64_t bits;

    if (!ip_parse(address, &wanted->client))
        return false;
    uint64_t most = ip_is_v4(&wanted->client) ? 32 : 128;
    bits = most;
    if (slash != NULL && !str_to_uint(slice_of(slash + 1), most, &bits))
        return false;
    wanted->bits = (unsigned)bits;
    wanted->client = ip_masked(&wanted->client, wanted->bits);
    wanted->by_client = true;
    return true;
}

/* "joe@example.com", "@example.com", "example.com", or one of them in brackets; "<>" is the null
 * sender. */
static bool set_address(const char *text, char address_out[ADDRESS_MAX])
{
    struct slice address = address_of(slice_of(text));
    bool null = address.n == 0 && text[0] != '\0';
    bool bare = !null && memchr(address.p, '@', address.n) == NULL;

    int n =
        snprintf(address_out, ADDRESS_MAX, "%s%.*s", bare ? "@" : "", (int)address.n, address.p);
    if (null)
        snprintf(address_out, ADDRESS_MAX, "<>");
    return (null || address.n > 0) && n < ADDRESS_MAX;
}

/* --- telling one -------------------------------------------------------------------------------
 */

static void put_reason(const struct logentry *entry, struct strbuf *out)
{
    enum verdict_action action = logquery_action(entry);
    struct slice by = logentry_get(entry, "by"), detail = logentry_get(entry, "detail");
    const struct reason_row *row = reason_named(by, detail, action);
    static const char *const more[] = {"rule", "comment", "server", "cached", "said", "qid"};
    const char *between = " (";

    if (row != NULL)
        strbuf_printf(out, ": %s", row->doc);
    if (by.n > 0) {
        strbuf_printf(out, "%s%.*s %.*s", between, (int)by.n, by.p, (int)detail.n, detail.p);
        between = "; ";
    }
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        struct slice value = logentry_get(entry, more[i]);
        if (value.n == 0)
            continue;
        strbuf_printf(out, "%s%s ", between, more[i]);
        logquery_put(value, out);
        between = "; ";
    }
    if (between[0] == ';')
        strbuf_putc(out, ')');
}

static void put_verdict(const struct logentry *entry, struct strbuf *out)
{
    static const char *const words[] = {[VERDICT_CONTINUE] = "accepted",
                                        [VERDICT_REJECT] = "refused",
                                        [VERDICT_TEMPFAIL] = "tempfailed"};
    bool monitor = logentry_get(entry, "would").n > 0;
    struct slice code = logentry_get(entry, "code"), status = logentry_get(entry, "status");

    strbuf_printf(out, "%s%s", monitor ? "accepted; without monitor mode it would be " : "",
                  words[logquery_action(entry)]);
    if (code.n > 0)
        strbuf_printf(out, " %.*s %.*s", (int)code.n, code.p, (int)status.n, status.p);
    put_reason(entry, out);
}

static void put_pair(const struct logentry *entry, const char *before, const char *key,
                     struct strbuf *out)
{
    struct slice value = logentry_get(entry, key);

    if (value.n == 0)
        return;
    strbuf_puts(out, before);
    logquery_put(value, out);
}

static void put_connect(const struct logentry *entry, struct strbuf *out)
{
    put_pair(entry, "group ", "group", out);
    put_pair(entry, " by ", "entry", out);
    put_pair(entry, ", policy ", "policy", out);
    strbuf_puts(out, logentry_get(entry, "group").n > 0 ? ": " : "");
    put_verdict(entry, out);
}

static void put_close(const struct logentry *entry, struct strbuf *out)
{
    strbuf_puts(out, "closed");
    put_pair(entry, " after ", "ms", out);
    strbuf_puts(out, " ms");
    put_pair(entry, "; messages ", "messages", out);
    put_pair(entry, ", recipients accepted ", "accepted", out);
    put_pair(entry, ", refused ", "refused", out);
}

static void put_entry(const struct logentry *entry, struct strbuf *out)
{
    char time[LOGQUERY_TIME_MAX];

    logquery_time(entry->when, time);
    strbuf_printf(out, "  %8s  ", time[0] != '\0' ? time + strlen(time) - 8 : "");
    if (slice_is(entry->event, "connect")) {
        put_connect(entry, out);
    } else if (slice_is(entry->event, "close")) {
        put_close(entry, out);
    } else if (slice_is(entry->event, "mail") || slice_is(entry->event, "rcpt") ||
               slice_is(entry->event, "eom")) {
        bool rcpt = slice_is(entry->event, "rcpt"), eom = slice_is(entry->event, "eom");
        put_pair(entry,
                 rcpt  ? "  to "
                 : eom ? "message from "
                       : "from ",
                 rcpt ? "to" : "from", out);
        put_pair(entry, ", bytes ", "bytes", out);
        strbuf_puts(out, " ");
        put_verdict(entry, out);
    } else {
        logquery_put(entry->event, out);
        put_pair(entry, ": ", "detail", out);
    }
    strbuf_putc(out, '\n');
}

static void put_head(const struct story *story, const struct logentry *first, struct strbuf *out)
{
    char time[LOGQUERY_TIME_MAX];

    strbuf_puts(out, logquery_time(first->when, time));
    put_pair(first, time[0] != '\0' ? "  client " : "client ", "ip", out);
    put_pair(first, " ", "host", out);
    put_pair(first, "  listener ", "listener", out);
    strbuf_printf(out, "  icid %llu\n", (unsigned long long)story->icid);
}

/* --- the same as JSON ------------------------------------------------------------------------ */

static bool is_number(struct slice key)
{
    static const char *const numbers[] = {"icid",       "mid",      "rid",      "code",
                                          "ms",         "bytes",    "accepted", "refused",
                                          "recipients", "messages", "invalid",  "attempts"};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (slice_is(key, numbers[i]))
            return true;
    }
    return false;
}

static void quote_pair(const struct logentry *entry, const char *key, struct strbuf *out)
{
    struct slice value = logentry_get(entry, key);

    strbuf_printf(out, ",\"%s\":", key);
    if (value.n > 0)
        logquery_quote(value, out);
    else
        strbuf_puts(out, "null");
}

static void quote_time(int64_t when, struct strbuf *out)
{
    char text[MONO_WALL_TEXT_MAX];

    if (when == LOGENTRY_NO_TIME)
        strbuf_puts(out, "null");
    else
        strbuf_printf(out, "\"%s\"", mono_wall_at(when / MONO_SECONDS(1), text));
}

static void quote_entry(const struct logentry *entry, struct strbuf *out)
{
    uint64_t number;

    strbuf_puts(out, "{\"time\":");
    quote_time(entry->when, out);
    for (size_t i = 0; i < entry->n; i++) {
        const struct logentry_pair *pair = &entry->pairs[i];
        strbuf_printf(out, ",\"%.*s\":", (int)pair->key.n, pair->key.p);
        if (is_number(pair->key) && str_to_uint(pair->value, UINT64_MAX, &number))
            strbuf_printf(out, "%llu", (unsigned long long)number);
        else
            logquery_quote(pair->value, out);
    }
    strbuf_putc(out, '}');
}

static void quote_head(const struct story *story, const struct logentry *first, struct strbuf *out)
{
    strbuf_printf(out, "{\"icid\":%llu,\"time\":", (unsigned long long)story->icid);
    quote_time(first->when, out);
    quote_pair(first, "ip", out);
    quote_pair(first, "host", out);
    quote_pair(first, "listener", out);
    strbuf_puts(out, ",\"lines\":[");
}

/* --- stories -----------------------------------------------------------------------------------
 */

static void put_story(struct telling *telling, const struct story *story, struct strbuf *out)
{
    struct slice rest = {strbuf_text(&story->lines), story->lines.n};
    struct logentry entry;
    size_t n = 0;

    for (const char *end; rest.n > 0 && (end = memchr(rest.p, '\n', rest.n)) != NULL;) {
        struct slice line = {rest.p, (size_t)(end - rest.p)};
        rest = (struct slice){end + 1, rest.n - line.n - 1};
        if (!logentry_parse(line, &telling->query.clock, &entry))
            continue;
        if (n++ == 0)
            (telling->json ? quote_head : put_head)(story, &entry, out);
        else if (telling->json)
            strbuf_putc(out, ',');
        (telling->json ? quote_entry : put_entry)(&entry, out);
    }
    if (telling->json)
        strbuf_puts(out, n > 0 ? "]}\n" : "");
    else if (story->left_out > 0)
        strbuf_printf(out, "  and %zu more lines\n", story->left_out);
}

static void tell(struct telling *telling, const struct story *story)
{
    struct strbuf out;

    strbuf_init(&out);
    if (!telling->json && telling->told > 0)
        strbuf_putc(&out, '\n');
    put_story(telling, story, &out);
    telling->failed = telling->failed || story->lines.failed || out.failed ||
                      fwrite(strbuf_text(&out), 1, out.n, stdout) != out.n;
    telling->told++;
    strbuf_done(&out);
}

static struct story **place_of(struct telling *telling, uint64_t icid)
{
    struct story **at = &telling->buckets[icid % BUCKETS];

    while (*at != NULL && (*at)->icid != icid)
        at = &(*at)->next_in_bucket;
    return at;
}

static void end_story(struct telling *telling, struct story *story)
{
    struct story **at = place_of(telling, story->icid);

    CHECK(*at == story);
    *at = story->next_in_bucket;
    *(story->older != NULL ? &story->older->newer : &telling->oldest) = story->newer;
    *(story->newer != NULL ? &story->newer->older : &telling->newest) = story->older;
    telling->open--;
    if (story->wanted)
        tell(telling, story);
    strbuf_done(&story->lines);
    free(story);
}

static void end_all(struct telling *telling)
{
    while (telling->oldest != NULL)
        end_story(telling, telling->oldest);
}

/* NULL: out of memory. */
static struct story *begin_story(struct telling *telling, uint64_t icid)
{
    struct story *story = calloc(1, sizeof *story), **at = place_of(telling, icid);

    if (story == NULL)
        return NULL;
    story->icid = icid;
    strbuf_init(&story->lines);
    *at = story;
    story->older = telling->newest;
    *(telling->newest != NULL ? &telling->newest->newer : &telling->oldest) = story;
    telling->newest = story;
    if (++telling->open > STORIES_MAX)
        end_story(telling, telling->oldest);
    return story;
}

/* Numbers of old logs begin again with each start. */
static void take_entry(struct telling *telling, const struct logentry *entry, struct slice line)
{
    if (entry->icid == 0) {
        if (slice_is(entry->event, "start"))
            end_all(telling);
        return;
    }
    struct story *story = *place_of(telling, entry->icid);
    if (story != NULL && slice_is(entry->event, "connect") && story->lines.n > 0) {
        end_story(telling, story);
        story = NULL;
    }
    if (story == NULL)
        story = begin_story(telling, entry->icid);
    if (story == NULL) {
        telling->failed = true;
        return;
    }
    story->wanted = story->wanted || is_wanted(&telling->wanted, entry);
    if (story->lines.n + line.n < STORY_BYTES) {
        strbuf_add(&story->lines, line.p, line.n);
        strbuf_putc(&story->lines, '\n');
    } else {
        story->left_out++;
    }
    if (slice_is(entry->event, "close"))
        end_story(telling, story);
}

/* --- the command -------------------------------------------------------------------------------
 */

static int run(struct telling *telling)
{
    struct logentry entry;
    struct slice line;

    while (logquery_next(&telling->query, &entry, &line))
        take_entry(telling, &entry, line);
    end_all(telling);
    bool whole = logquery_end(&telling->query);
    if (telling->told == 0 && !telling->json)
        fprintf(stderr, "nothing found in %llu lines\n", (unsigned long long)telling->query.lines);
    if (telling->failed || fflush(stdout) != 0)
        fprintf(stderr, "gatehousectl why: not all of it could be printed\n");
    if (!whole || telling->failed)
        return COMMAND_USAGE;
    return telling->told > 0 ? COMMAND_YES : COMMAND_NO;
}

int command_why(const struct command *command, const char *conf, int argc, char **argv)
{
    struct telling *telling = calloc(1, sizeof *telling);
    const char *since = NULL;
    bool good = telling != NULL;
    int option, status = COMMAND_USAGE;

    while (good && (option = command_option(command, argc, argv)) != -1) {
        if (option == 'f')
            good = set_address(optarg, telling->wanted.from);
        else if (option == 't')
            good = set_address(optarg, telling->wanted.to);
        else if (option == 'c')
            good = parse_client(optarg, &telling->wanted);
        else if (option == 's')
            since = optarg;
        else if (option == 'j')
            telling->json = true;
        else
            good = option == 'l' && logquery_name(&telling->logs, optarg);
    }
    good = good && logquery_name_rest(&telling->logs, argc - optind, argv + optind);
    if (!good)
        (void)command_usage(command, telling == NULL ? "out of memory" : "wrong arguments");
    else if (logquery_begin(&telling->query, command, conf, since, &telling->logs))
        status = run(telling);
    free(telling);
    return status;
}
