/* callahead_cache_test.c - looking at what call-ahead remembers, and flushing it. */
#include "t/unit/net/peer.h"

#include <string.h>

static void add_line(const struct callahead_entry *entry, void *arg)
{
    struct strbuf *out = arg;

    assert_true(entry->left > 0 && entry->left <= 900);
    assert_non_null(strstr(entry->server, "127.0.0.1:"));
    strbuf_puts(out, entry->profile);
    strbuf_putc(out, ' ');
    strbuf_add(out, entry->recipient.p, entry->recipient.n);
    strbuf_puts(out, entry->class == CALLAHEAD_VALID ? " yes\n" : " no\n");
}

static void assert_listed(struct client *client, size_t lines, const char *with)
{
    struct strbuf out;
    size_t n = 0;

    strbuf_init(&out);
    callahead_list(client->pool, add_line, &out);
    for (size_t i = 0; i < out.n; i++)
        n += out.p[i] == '\n';
    assert_int_equal(n, lines);
    assert_non_null(strstr(strbuf_text(&out), with));
    strbuf_done(&out);
}

static void fill(struct client *client)
{
    static const char *const addresses[] = {"Good@Example.com", "bad@example.com",
                                            "bad@b.example.com", "good@other.example"};

    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        (void)client_asks(client, addresses[i]);
    client->profile.name = "second";
    (void)client_asks(client, "good@example.com");
    client->profile.name = "p";
}

static void lists_and_flushes(void **state)
{
    struct peer peer;
    struct client client;
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^bad\", \"550 5.1.1 no such user\"]]}");
    client_init(&client, peer.port, 0);
    client.profile.name = "p";
    assert_listed(&client, 0, "");
    fill(&client);
    assert_listed(&client, 5, "p good@example.com yes\n");
    assert_listed(&client, 5, "p bad@b.example.com no\n");
    assert_listed(&client, 5, "second good@example.com yes\n");

    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_ADDRESS, "od@example.com"), 0);
    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_ADDRESS, "good@example.com"), 2);
    assert_false(client_asks(&client, "good@example.com").cached);
    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_DOMAIN, "xample.com"), 0);
    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_DOMAIN, "example.com"), 2);
    assert_listed(&client, 2, "p good@other.example yes\n");
    fill(&client);
    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_NEGATIVE, ""), 2);
    assert_listed(&client, 3, "p good@example.com yes\n");
    assert_int_equal(callahead_flush(client.pool, CALLAHEAD_FLUSH_ALL, ""), 3);
    assert_listed(&client, 0, "");
    client_done(&client);
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists_and_flushes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
