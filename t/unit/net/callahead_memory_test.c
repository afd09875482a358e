/* callahead_memory_test.c - call-ahead while memory runs out. */
#include "t/unit/net/peer.h"

#include <string.h>
#include "t/unit/no_memory.h"

static struct mailaddr address_of(const char *text)
{
    return (struct mailaddr){
        .kind = MAILADDR_DOMAIN, .local = "", .domain = "example.com", .text = text, .key = text};
}

/* base: it without its extension. */
static struct callahead_answer ask(struct client *client, const char *address, const char *base)
{
    const struct mailaddr recipient = address_of(address), known_as = address_of(base);
    struct callahead_where where = client->where;
    struct callahead_answer answer;
    where.known_as = &known_as;
    callahead_ask(client->pool, &client->profile, &where, &recipient, mono_now() + MONO_SECONDS(5),
                  NULL, NULL, &answer);
    return answer;
}

/* From the n-th allocation on there is no memory: nothing is a yes or a no by
 * that, nobody waits for ever, and nothing is lost. */
static void test_out_of_memory(void **state)
{
    struct peer peer;
    bool all_well = false;
    (void)state;
    peer_start(&peer, "{\"rcpt\": [[\"^bad\", \"550 5.1.1 no such user\"]]}");
    for (int allowed = 0; !all_well; allowed++) {
        struct client client;
        struct err err = {0};
        assert_true(allowed < 1000);
        client_init(&client, peer.port, 0);
        callahead_free(client.pool);
        memory_allow(allowed);
        client.pool = callahead_new(NULL, "gate.test", &err);
        if (!client.pool) {
            memory_allow(-1);
            assert_int_equal(err.kind, ERR_MEMORY);
            arena_free(client.arena);
            continue;
        }
        struct callahead_answer good = ask(&client, "good@example.com", "good@example.com");
        struct callahead_answer bad = ask(&client, "bad+x@example.com", "bad@example.com");
        struct callahead_answer again = ask(&client, "bad+x@example.com", "bad@example.com");
        memory_allow(-1);
        assert_true(good.class == CALLAHEAD_VALID || good.class == CALLAHEAD_SERVER_ILL);
        assert_true(bad.class == CALLAHEAD_USER_UNKNOWN || bad.class == CALLAHEAD_SERVER_ILL);
        /* No host is to blame: the next one asks as if nothing had been. */
        struct callahead_stats stats;
        callahead_get_stats(client.pool, &stats);
        assert_int_equal(stats.servers_paused, 0);
        assert_int_equal(ask(&client, "next@example.com", "next@example.com").class,
                         CALLAHEAD_VALID);
        all_well = good.class == CALLAHEAD_VALID && bad.class == CALLAHEAD_USER_UNKNOWN &&
                   again.class == CALLAHEAD_USER_UNKNOWN && again.cached;
        client_done(&client);
    }
    peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
