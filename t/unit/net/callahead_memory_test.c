/* callahead_memory_test.c - call-ahead while memory runs out. */
#include "t/unit/net/peer.h"

#include <string.h>

static int allocations_left = -1; /* -1: no limit; atomic, connections are threads */

static bool one_more(void)
{
    int left = __atomic_load_n(&allocations_left, __ATOMIC_RELAXED);
    while (left > 0 && !__atomic_compare_exchange_n(&allocations_left, &left, left - 1, false,
                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return left != 0;
}

static void allow(int allocations)
{
    __atomic_store_n(&allocations_left, allocations, __ATOMIC_RELAXED);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    return one_more() ? __real_malloc(size) : NULL;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return one_more() ? __real_calloc(n, size) : NULL;
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size)
{
    return one_more() ? __real_realloc(p, size) : NULL;
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return one_more() ? __real_strdup(text) : NULL;
}

static struct callahead_answer ask(struct client *client, const char *address)
{
    const struct mailaddr recipient = {.kind = MAILADDR_DOMAIN,
                                       .local = "",
                                       .domain = "example.com",
                                       .text = address,
                                       .key = address};
    struct callahead_answer answer;
    callahead_ask(client->pool, &client->profile, &client->where, &recipient,
                  mono_now() + MONO_SECONDS(5), NULL, NULL, &answer);
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
        allow(allowed);
        client.pool = callahead_new(NULL, "gate.test", &err);
        if (!client.pool) {
            allow(-1);
            assert_int_equal(err.kind, ERR_MEMORY);
            arena_free(client.arena);
            continue;
        }
        struct callahead_answer good = ask(&client, "good@example.com");
        struct callahead_answer bad = ask(&client, "bad@example.com");
        struct callahead_answer again = ask(&client, "bad@example.com");
        allow(-1);
        assert_true(good.class == CALLAHEAD_VALID || good.class == CALLAHEAD_SERVER_ILL);
        assert_true(bad.class == CALLAHEAD_USER_UNKNOWN || bad.class == CALLAHEAD_SERVER_ILL);
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
