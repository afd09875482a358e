/*
 * directory_fuzz.c - what an entry of a directory holds: the first byte says whether the
 * rest are hosts or addresses, a line a value. Hosts that are taken have a name and a
 * port; addresses that are taken are addresses when they are read again, and those of
 * other networks change nothing.
 */
#include "milter/plan.h"

#include <string.h>
#include "lib/net/ldapvalue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_hosts(const char *hosts, struct arena *arena)
{
    struct routes *routes = routes_empty();
    const struct callahead_plan plan = {.routes = routes};
    struct callahead_where where = {.nhosts = 0};
    struct err err = {0};
    CHECK(routes != NULL);
    enum plan_kind kind = plan_hosts(&plan, hosts, arena, &where, &err);
    CHECK(kind == PLAN_ASK || (kind == PLAN_NOWHERE && err.kind != ERR_NONE));
    CHECK(str_is_utf8(slice_of(err.text)));
    CHECK(kind != PLAN_ASK || (where.nhosts > 0 && where.nhosts <= ROUTES_HOSTS_MAX));
    for (size_t i = 0; i < where.nhosts; i++) {
        CHECK(where.hosts[i].host[0] != '\0' && where.hosts[i].port > 0);
        CHECK(strpbrk(where.hosts[i].host, ", \t\r\n") == NULL);
    }
    routes_free(routes);
}

/* Lines of other networks taken out, as lib/net/ldaplink.c does. */
static char *only_ours(const char *addresses, struct arena *arena)
{
    char *out = arena_alloc(arena, strlen(addresses) + 1), *end = out;
    CHECK(out != NULL);
    while (*addresses != '\0') {
        struct slice rest, line = {addresses, strcspn(addresses, "\n")};
        bool more = line.p[line.n] == '\n';
        if (ldapvalue_kind(line, &rest) != LDAPVALUE_FOREIGN) {
            memcpy(end, line.p, line.n + more);
            end += line.n + more;
        }
        addresses += line.n + more;
    }
    *end = '\0';
    return out;
}

static void check_addresses(const char *addresses, struct arena *arena)
{
    struct mailaddr first = {.text = NULL}, again, other;
    struct err err = {0};
    size_t n = 99, m = 99;
    bool good = plan_addresses(addresses, arena, &first, &n, &err);
    CHECK(good == (err.kind == ERR_NONE) && str_is_utf8(slice_of(err.text)));
    if (!good)
        return;
    CHECK(n <= strlen(addresses));
    if (n > 0) {
        CHECK(first.domain[0] != '\0' && first.kind != MAILADDR_LOCAL &&
              first.kind != MAILADDR_NULL);
        CHECK(mailaddr_parse(slice_of(first.text), MAILADDR_STRICT, false, arena, &again, NULL));
        CHECK(strcmp(again.key, first.key) == 0);
    }
    if (plan_addresses(only_ours(addresses, arena), arena, &other, &m, &err) && (m > 0 || n == 0))
        CHECK(m <= n && (m == 0 || m == n || n > 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    CHECK(arena);
    if (size > 0) {
        char *text = arena_dup_slice(arena, (struct slice){(const char *)data + 1, size - 1});
        CHECK(text);
        if (data[0] == 'h')
            check_hosts(text, arena);
        else
            check_addresses(text, arena);
    }
    arena_free(arena);
    return 0;
}
