/*
 * routes_fuzz.c - SMTP routes files. One that loads must export as a file that
 * loads to the same table, and every key must find its own route.
 */
#include "lib/tables/routes.h"
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_keys(const struct routes *routes)
{
    for (size_t i = 0; i < routes_count(routes); i++) {
        const struct route *route = routes_get(routes, i);
        CHECK(route->nhosts <= ROUTES_HOSTS_MAX);
        CHECK((route->kind == ROUTE_HOSTS) == (route->nhosts > 0));
        for (size_t j = 1; j < route->nhosts; j++)
            CHECK(route->hosts[j - 1].priority <= route->hosts[j].priority);
        CHECK(routes_lookup(routes, route->key) == route);
    }
}

static void export(const void *data, size_t size, bool must_load, struct strbuf *out)
{
    struct table_memory file;
    struct problems problems;
    problems_init(&problems);
    table_memory_new(&file, data, size);
    struct routes *routes = routes_load(file.path, (struct place){0}, &problems);
    CHECK((routes == NULL) == (problems_errors(&problems) > 0));
    CHECK(routes != NULL || !must_load);
    if (routes != NULL) {
        check_keys(routes);
        routes_export(routes, out);
    }
    routes_free(routes);
    table_memory_done(&file);
    problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    table_memory_round_trip(data, size, export);
    return 0;
}
