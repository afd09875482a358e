/*
 * trace_fuzz.c - lines of `trace -`: facts in JSON, decided offline, and answered
 * in JSON. Whatever is read is answered with a whole object and a verdict for each
 * recipient; what is not read is told why.
 */
#include "milter/trace.h"

#include <jansson.h>
#include <string.h>
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rat[] =
    "example.com ACCEPT\nexample.net REJECT\n.example.org ACCEPT {bypass_ldap}\n";
static const char conf[] =
    "[gatehouse]\nhostname = gate.example.com\n"
    "[policy DEFAULT]\nverify_sender = yes\nmax_recipients_per_message = 5\n"
    "max_recipients_per_hour = 7\nmax_message_size = 1M\ntls_required_senders = own\n"
    "tls = preferred\n"
    "[addresslist own]\naddresses = @example.com\n"
    "[group NEAR]\nsenders = 192.0.2.0/24 .example.com country:JP SBO:64500 dnslist[list.example]\n"
    "policy = ACCEPTED\n"
    "[group POOR]\nsenders = SBRS[-10.0:-3.0]\npolicy = BLOCKED\n"
    "[listener in]\ngroups = POOR NEAR\nrat = %s\n"
    "[listener out]\ntype = private\nlocal_port = 587\naddress_parser = loose\n";

/* Built once. */
static const struct snapshot *snapshot_of_all(void)
{
    static struct snapshot *snapshot;
    struct table_memory table, file;
    struct problems problems;
    char text[sizeof conf + 200];

    if (snapshot != NULL)
        return snapshot;
    table_memory_new(&table, (const uint8_t *)rat, sizeof rat - 1);
    int n = snprintf(text, sizeof text, conf, table.path);
    table_memory_new(&file, (const uint8_t *)text, (size_t)n);
    problems_init(&problems);
    snapshot = snapshot_build(file.path, &problems);
    if (snapshot == NULL)
        problems_print(&problems, stderr);
    CHECK(snapshot != NULL);
    problems_done(&problems);
    table_memory_done(&file);
    table_memory_done(&table);
    return snapshot;
}

static bool is_verdict(const json_t *object)
{
    const char *word = json_string_value(json_object_get(object, "verdict"));
    return word != NULL && (strcmp(word, "accept") == 0 || strcmp(word, "reject") == 0 ||
                            strcmp(word, "tempfail") == 0);
}

static void check_answer(const struct trace_query *query, const struct trace_result *result)
{
    struct strbuf text;
    strbuf_init(&text);
    trace_to_json(result, &text);
    CHECK(!text.failed && memchr(text.p, '\n', text.n) == text.p + text.n - 1);
    json_t *answer = json_loads(text.p, JSON_REJECT_DUPLICATES, NULL);
    CHECK(answer != NULL && is_verdict(answer));
    const json_t *recipients = json_object_get(answer, "recipients");
    CHECK(json_array_size(recipients) == query->nto);
    for (size_t i = 0; i < query->nto; i++) {
        const json_t *one = json_array_get(recipients, i);
        CHECK(is_verdict(one));
        CHECK(strcmp(json_string_value(json_object_get(one, "address")), query->to[i]) == 0);
    }
    json_decref(answer);
    strbuf_done(&text);
}

static void check_line(struct slice line, struct arena *arena)
{
    const struct trace_setting setting = {snapshot_of_all(), NULL, NULL};
    struct trace_query query;
    struct trace_result result;
    struct err err = {0};

    if (trace_from_json(line, arena, &query, &err) &&
        trace_run(&query, &setting, arena, &result, &err))
        check_answer(&query, &result);
    else
        CHECK(err.kind != ERR_NONE && err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    struct slice rest = {(const char *)data, size};

    CHECK(arena != NULL);
    while (rest.n > 0) {
        const char *end = memchr(rest.p, '\n', rest.n);
        size_t n = end != NULL ? (size_t)(end - rest.p) : rest.n;
        arena_reset(arena);
        check_line((struct slice){rest.p, n}, arena);
        rest = (struct slice){rest.p + n + (end != NULL), rest.n - n - (end != NULL)};
    }
    arena_free(arena);
    return 0;
}
