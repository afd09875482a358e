/* peer.c - see peer.h. */
#include "t/unit/net/peer.h"

#include <poll.h>
#include <string.h>
#include "lib/base/log.h"
#include "lib/net/smtp_class.h"

/* --- the server ------------------------------------------------------------------ */

void peer_certificate(const char *folder, const char *name, const char *address)
{
    const char *const arguments[] = {"--certificate", folder, name, address};
    script_run("smtpserver.py", arguments, ARRAY_LEN(arguments));
}

static void read_line(struct peer *peer, char *line, size_t room)
{
    assert_non_null(fgets(line, (int)room, peer->script.from));
    line[strcspn(line, "\n")] = '\0';
}

static unsigned to_number(const char *text)
{
    uint64_t number = 0;
    size_t n = strspn(text, "0123456789");
    assert_true(str_to_uint((struct slice){text, n}, 1000000000, &number));
    return (unsigned)number;
}

void peer_start_all(struct peer *peers, const char *const *settings, size_t n)
{
    struct script script;
    char line[PEERS_MAX * 6 + 2];
    assert_in_range(n, 1, PEERS_MAX);
    script_start(&script, "smtpserver.py", settings, n);
    assert_non_null(fgets(line, sizeof line, script.from));
    const char *at = line;
    for (size_t i = 0; i < n; i++) {
        peers[i] = (struct peer){.script = script, .number = (unsigned)i};
        peers[i].port = (uint16_t)to_number(at);
        at += strcspn(at, " \n") + 1;
    }
}

void peer_start(struct peer *peer, const char *settings)
{
    peer_start_all(peer, &settings, 1);
}

void peer_stop(struct peer *peer)
{
    script_stop(&peer->script);
}

static void talk(struct peer *peer, const char *word, const char *rest, char *line, size_t room)
{
    fprintf(peer->script.to, "@%u %s %s\n", peer->number, word, rest);
    fflush(peer->script.to);
    read_line(peer, line, room);
}

void peer_set(struct peer *peer, const char *settings)
{
    char line[100];
    talk(peer, "set", settings, line, sizeof line);
    assert_string_equal(line, "ok");
}

void peer_forget(struct peer *peer)
{
    char line[100];
    talk(peer, "forget", "", line, sizeof line);
    assert_string_equal(line, "ok");
}

void peer_open(struct peer *peer)
{
    char line[100];
    talk(peer, "open", "", line, sizeof line);
    assert_string_equal(line, "ok");
}

unsigned peer_count(struct peer *peer, const char *name)
{
    char line[1000], pattern[50];
    talk(peer, "stats", "", line + 1, sizeof line - 1);
    line[0] = ' ';
    snprintf(pattern, sizeof pattern, " %s=", name);
    const char *at = strstr(line, pattern);
    assert_non_null(at);
    return to_number(at + strlen(pattern));
}

unsigned peer_asked(struct peer *peer, const char *address)
{
    char line[100];
    talk(peer, "asked", address, line, sizeof line);
    return to_number(line);
}

unsigned peer_said(struct peer *peer, const char *command)
{
    char line[100];
    talk(peer, "said", command, line, sizeof line);
    return to_number(line);
}

void peer_await(struct peer *peer, const char *name, unsigned count)
{
    mono_us began = mono_now();
    unsigned now = 0;
    while ((now = peer_count(peer, name)) != count) {
        if (mono_now() - began > PATIENCE)
            fail_msg("%s=%u at the server, not %u", name, now, count);
        pause_ms(10);
    }
}

/* --- the client ------------------------------------------------------------------ */

static void add_host(struct client *client, uint16_t port)
{
    struct nexthop *host = &client->hosts[client->where.nhosts++];
    *host = (struct nexthop){.host = "127.0.0.1", .is_ip = true, .port_given = true, .port = port};
    host->ip = ip_from_v4(0x7f000001);
}

void client_init(struct client *client, uint16_t port, uint16_t second_port)
{
    struct err err = {0};
    log_set_level(LOG_AT_ERROR); /* servers fail on purpose here */
    *client = (struct client){.arena = arena_new(0)};
    assert_non_null(client->arena);
    client->pool = callahead_new(NULL, "gate.test", &err);
    assert_non_null(client->pool);
    for (size_t i = 0; i < callahead_nrows; i++)
        assert_true(key_set_default(&callahead_rows[i], &client->keys, "/", client->arena));
    client->profile = (struct callahead_profile){.name = "test", .keys = &client->keys};
    client->where.hosts = client->hosts;
    add_host(client, port);
    if (second_port)
        add_host(client, second_port);
}

void client_done(struct client *client)
{
    callahead_free(client->pool);
    arena_free(client->arena);
}

static void count_wait(void *arg)
{
    unsigned *waits = arg;
    __atomic_add_fetch(waits, 1, __ATOMIC_RELAXED);
}

struct callahead_answer client_ask(struct client *client, const char *address, int ms)
{
    return client_ask_for(client, NULL, address, ms);
}

struct callahead_answer client_ask_for(struct client *client, const char *somebody,
                                       const char *address, int ms)
{
    struct callahead_answer answer = {.code = -1};
    struct callahead_where where = client->where;
    struct mailaddr recipient, base;
    struct arena *arena = arena_new(0);
    struct err err = {0};
    assert_non_null(arena);
    if (!mailaddr_parse(slice_of(address), MAILADDR_STRICT, false, arena, &recipient, &err))
        fail_msg("%s: %s", address, err.text);
    assert_true(mailaddr_without_extension(&recipient, client->delimiters, arena, &base));
    where.known_as = &base;
    where.client = slice_of(somebody ? somebody : "");
    callahead_ask(client->pool, &client->profile, &where, &recipient, mono_now() + MONO_MS(ms),
                  count_wait, &client->waits, &answer);
    arena_free(arena);
    return answer;
}

struct callahead_answer client_asks(struct client *client, const char *address)
{
    return client_ask(client, address, 60000);
}

void client_expect(struct client *client, const char *address, enum callahead_class class, int code)
{
    struct callahead_answer answer = client_asks(client, address);
    if (answer.class != class || answer.code != code)
        fail_msg("%s: %s %d, not %s %d: %s", address, smtp_class_name(answer.class), answer.code,
                 smtp_class_name(class), code, answer.text);
}

static void *run_asker(void *arg)
{
    struct asker *asker = arg;
    asker->answer = client_ask_for(asker->client, asker->somebody, asker->address, asker->ms);
    return NULL;
}

void asker_start(struct asker *asker, struct client *client, const char *address, int ms)
{
    asker_start_for(asker, client, NULL, address, ms);
}

void asker_start_for(struct asker *asker, struct client *client, const char *somebody,
                     const char *address, int ms)
{
    asker->client = client;
    asker->somebody = somebody;
    asker->ms = ms;
    snprintf(asker->address, sizeof asker->address, "%s", address);
    assert_int_equal(pthread_create(&asker->thread, NULL, run_asker, asker), 0);
}

void asker_join(struct asker *asker)
{
    assert_int_equal(pthread_join(asker->thread, NULL), 0);
}

void client_ask_many(struct client *client, size_t n, const char *name)
{
    static struct asker askers[200];
    assert_true(n <= ARRAY_LEN(askers));
    for (size_t i = 0; i < n; i++) {
        char address[64];
        snprintf(address, sizeof address, "%s%zu@example.com", name, i);
        asker_start(&askers[i], client, address, 60000);
    }
    for (size_t i = 0; i < n; i++) {
        asker_join(&askers[i]);
        enum callahead_class class = name[0] == 'b' ? CALLAHEAD_USER_UNKNOWN : CALLAHEAD_VALID;
        if (askers[i].answer.class != class)
            fail_msg("%s: %d %s", askers[i].address, askers[i].answer.code, askers[i].answer.text);
    }
}

mono_us elapsed_ms(mono_us since)
{
    return (mono_now() - since) / 1000;
}

void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}
