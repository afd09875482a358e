/* ldapserver.c - see ldapserver.h. */
#include "t/unit/net/ldapserver.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define LINE_MAX_BYTES 100

/* --- the server ---------------------------------------------------------------------- */

void ldapserver_start(struct ldapserver *server)
{
    char line[LINE_MAX_BYTES];
    script_start(&server->script, "ldappeer.py", NULL, 0);
    assert_non_null(fgets(line, sizeof line, server->script.from));
    assert_int_equal(sscanf(line, "port %u", &server->port), 1);
}

static void command(struct ldapserver *server, const char *verb, const char *word, char *reply)
{
    fprintf(server->script.to, "%s %s\n", verb, word);
    assert_int_equal(fflush(server->script.to), 0);
    assert_non_null(fgets(reply, LINE_MAX_BYTES, server->script.from));
}

void ldapserver_mood(struct ldapserver *server, const char *mood)
{
    char reply[LINE_MAX_BYTES];
    command(server, "mood", mood, reply);
    assert_string_equal(reply, "ok\n");
}

void ldapserver_gate(struct ldapserver *server, bool open)
{
    char reply[LINE_MAX_BYTES];
    command(server, open ? "open" : "shut", "", reply);
    assert_string_equal(reply, "ok\n");
}

void ldapserver_drop(struct ldapserver *server)
{
    char reply[LINE_MAX_BYTES];
    command(server, "drop", "", reply);
    assert_string_equal(reply, "ok\n");
    while (ldapserver_count(server, "open") > 0)
        (void)poll(NULL, 0, 5);
}

unsigned ldapserver_count(struct ldapserver *server, const char *name)
{
    char reply[LINE_MAX_BYTES];
    unsigned count = 0;
    command(server, "count", name, reply);
    assert_int_equal(sscanf(reply, "%u", &count), 1);
    return count;
}

void ldapserver_await(struct ldapserver *server, const char *name, unsigned count)
{
    mono_us deadline = mono_now() + LDAPSERVER_PATIENCE;
    while (ldapserver_count(server, name) < count) {
        if (mono_now() > deadline)
            fail_msg("%s: not %u in time", name, count);
        (void)poll(NULL, 0, 5);
    }
}

void ldapserver_stop(struct ldapserver *server)
{
    script_stop(&server->script);
}

/* --- the client ---------------------------------------------------------------------- */

void ldapclient_init(struct ldapclient *client, const unsigned *ports, size_t n)
{
    *client = (struct ldapclient){
        .keys = {.bind_dn = "",
                 .bind_password = "",
                 .bind_password_file = "",
                 .tls_priority = "",
                 .base_dn = "dc=test",
                 .scope = 2,
                 .timeout = 60000,
                 .connect_timeout = 60000,
                 .max_connections = 10,
                 .cache_entries = 1000,
                 .cache_ttl = 900000,
                 .accept_query = "(mail={a})",
                 .routing_query = "(|(mail={a})(uid={u}))",
                 .routing_address_attr = "mailRoutingAddress",
                 .routing_host_attr = "mailHost",
                 .callahead_attr = "callAhead"},
        .tls = {.min_version = TLS_1_2, .ca_file = "", .ca_dir = "", .certificate = "", .key = ""},
        .arena = arena_new(0)};
    assert_non_null(client->arena);
    assert_true(n <= LDAPCLIENT_SERVERS_MAX);
    for (size_t i = 0; i < n; i++) {
        snprintf(client->uris[i], sizeof client->uris[i], "ldap://127.0.0.1:%u", ports[i]);
        client->uri[i].text = client->uris[i];
    }
    client->keys.uri = (struct key_list){client->uri, n};
    ldapclient_apply(client);
}

void ldapclient_apply(struct ldapclient *client)
{
    assert_true(ldap_profile_init(&client->profile, "d", &client->keys, &client->tls,
                                  client->keys.bind_password, client->arena));
}

void ldapclient_done(struct ldapclient *client)
{
    ldappool_free(client->pool);
    arena_free(client->arena);
}

static void about_to_wait(void *arg)
{
    struct ldapclient *client = arg;
    __atomic_fetch_add(&client->waits, 1, __ATOMIC_RELAXED);
}

void ldapclient_ask(struct ldapclient *client, enum ldap_query query, const char *local,
                    mono_us deadline, struct ldap_answer *answer_out)
{
    char text[64];
    snprintf(text, sizeof text, "%s@example.com", local);
    const struct mailaddr recipient = {.kind = MAILADDR_DOMAIN,
                                       .local = local,
                                       .domain = "example.com",
                                       .text = text,
                                       .key = text};
    ldappool_ask(client->pool, &client->profile, query, &recipient, NULL, deadline, about_to_wait,
                 client, answer_out);
}

struct ldap_answer ldapclient_expect(struct ldapclient *client, const char *local,
                                     enum directory_class class)
{
    struct ldap_answer answer;
    mono_us deadline = mono_now() + LDAPSERVER_PATIENCE;
    ldapclient_ask(client, LDAP_ACCEPT_QUERY, local, deadline, &answer);
    if (answer.said.class != class || mono_now() > deadline)
        fail_msg("%s: is %s (%s), not %s", local, ldap_class_name(answer.said.class),
                 answer.said.text, ldap_class_name(class));
    assert_true(answer.said.class != DIRECTORY_ERROR || answer.said.text[0] != '\0');
    return answer;
}

static void *run_asker(void *arg)
{
    struct ldapasker *asker = arg;
    ldapclient_ask(asker->client, LDAP_ACCEPT_QUERY, asker->local, mono_now() + LDAPSERVER_PATIENCE,
                   &asker->answer);
    return NULL;
}

void ldapasker_start(struct ldapasker *asker, struct ldapclient *client, const char *local)
{
    asker->client = client;
    snprintf(asker->local, sizeof asker->local, "%s", local);
    assert_int_equal(pthread_create(&asker->thread, NULL, run_asker, asker), 0);
}

void ldapasker_join(struct ldapasker *asker)
{
    assert_int_equal(pthread_join(asker->thread, NULL), 0);
}
