/*
 * tables_bench.c - how long large tables take to load, what they weigh, and
 * how fast they answer. Prints, asserts nothing (DESIGN 8 has the bars).
 *
 *     make bench-programs && t/bench/tables_bench
 *     t/bench/tables_bench ROUTES      only these SMTP routes
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/mono.h"
#include "lib/tables/hat_text.h"
#include "lib/tables/routes.h"

#define LOOKUPS 200000
#define BATCH 16 /* look-ups timed together: the clock costs as much as one */

static const size_t sizes[] = {1000, 100000, 1000000};
static uint64_t sink; /* keeps look-ups from being optimised away */

static uint32_t scramble(uint32_t i)
{
    return (uint32_t)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double nanoseconds(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) * 1e9 + (double)(to->tv_nsec - from->tv_nsec);
}

/* look_up: the i-th of LOOKUPS. */
static double median_ns(void (*look_up)(const void *table, uint32_t i, size_t n), const void *table,
                        size_t n)
{
    static double times[LOOKUPS / BATCH];
    for (uint32_t i = 0; i < LOOKUPS / BATCH; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_MONOTONIC, &from);
        for (uint32_t j = 0; j < BATCH; j++)
            look_up(table, i * BATCH + j, n);
        clock_gettime(CLOCK_MONOTONIC, &to);
        times[i] = nanoseconds(&from, &to) / BATCH;
    }
    qsort(times, ARRAY_LEN(times), sizeof times[0], compare_times);
    return times[ARRAY_LEN(times) / 2];
}

static void report(const char *what, size_t n, mono_us took, size_t bytes, double ns)
{
    printf("%-22s %8zu entries: load %7.3f s, %6.1f bytes each, look-up %5.0f ns\n", what, n,
           (double)took / 1e6, (double)bytes / (double)n, ns);
}

static FILE *open_temporary(char path[32])
{
    memcpy(path, "/tmp/tables_bench.XXXXXX", sizeof "/tmp/tables_bench.XXXXXX");
    int fd = mkstemp(path);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) {
        perror(path);
        exit(1);
    }
    return out;
}

/* --- Host Access Table ------------------------------------------------------------- */

static void address_line(FILE *out, uint32_t i)
{
    uint32_t a = scramble(i);
    fprintf(out, "%u.%u.%u.%u\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void network_line(FILE *out, uint32_t i)
{
    uint32_t a = scramble(i);
    fprintf(out, "%u.%u.%u.0/24\n", a >> 24, a >> 16 & 255, a >> 8 & 255);
}

static void address6_line(FILE *out, uint32_t i)
{
    uint32_t a = scramble(i);
    fprintf(out, "2001:db8:%x:%x::%x\n", a >> 16, a & 0xffff, i & 0xffff);
}

static void name_line(FILE *out, uint32_t i)
{
    fprintf(out, "%shost%u.example%u.com\n", i % 2 == 0 ? "." : "", i, i % 1000);
}

static void look_up_address(const void *table, uint32_t i, size_t n)
{
    struct hat_client client = {.ip = ip_from_v4(scramble(scramble(i) % (uint32_t)n))};
    struct hat_match match;
    hat_decide(table, &client, &match);
    sink += match.entry != NULL;
}

static void look_up_address6(const void *table, uint32_t i, size_t n)
{
    struct hat_client client = {.ip = {{0x20, 0x01, 0x0d, 0xb8}}};
    struct hat_match match;
    uint32_t k = scramble(i) % (uint32_t)n, a = scramble(k);
    for (unsigned j = 0; j < 4; j++)
        client.ip.b[4 + j] = (uint8_t)(a >> (24 - 8 * j));
    client.ip.b[14] = (uint8_t)(k >> 8);
    client.ip.b[15] = (uint8_t)k;
    hat_decide(table, &client, &match);
    sink += match.entry != NULL;
}

static void look_up_host(const void *table, uint32_t i, size_t n)
{
    struct host_answer host = {.class = HOST_VERIFIED};
    struct hat_client client = {.ip = ip_from_v4(i), .host = &host};
    struct hat_match match;
    uint32_t k = scramble(i) % (uint32_t)n;
    snprintf(host.name, sizeof host.name, "%shost%u.example%u.com", k % 2 == 0 ? "mx." : "", k,
             k % 1000);
    hat_decide(table, &client, &match);
    sink += match.entry != NULL;
}

/* Each a rule of its own. */
static void bare_line(FILE *out, uint32_t i)
{
    uint32_t a = scramble(i);
    fprintf(out, "%u.%u.%u.%u  REJECT\n", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void bare_line6(FILE *out, uint32_t i)
{
    uint32_t a = scramble(i);
    fprintf(out, "2001:db8:%x:%x::%x  REJECT\n", a >> 16, a & 0xffff, i & 0xffff);
}

static void bare_name_line(FILE *out, uint32_t i)
{
    fprintf(out, "%shost%u.example%u.com  REJECT\n", i % 2 == 0 ? "." : "", i, i % 1000);
}

/* One group in lines of 10,000 entries. */
static void long_line(FILE *out, uint32_t i)
{
    uint32_t a = scramble(i);
    fprintf(out, "%s%u.%u.%u.%u,%s", i == 0 ? "LIST: " : "", a >> 24, a >> 16 & 255, a >> 8 & 255,
            a & 255, i % 10000 == 9999 ? "\n" : " ");
}

static struct hat *load_hat(const char *path, mono_us *took_out)
{
    static const struct policy accept = {.name = "A", .keys = {.access = POLICY_ACCEPT}};
    struct hat_group group = {
        .name = "LIST", .policy = &accept, .senders_file = path, .comment = ""};
    struct problems problems;
    problems_init(&problems);
    mono_us begin = mono_now();
    struct hat *hat = hat_build(&group, 1, &accept, &problems);
    *took_out = mono_now() - begin;
    problems_print(&problems, stderr);
    problems_done(&problems);
    return hat;
}

static struct hat *load_hat_text(const char *path, mono_us *took_out)
{
    struct problems problems;
    struct arena *arena = arena_new(0);
    const struct policies *policies = policies_build(NULL, 0, false, arena);
    problems_init(&problems);
    mono_us begin = mono_now();
    struct hat *hat = hat_text_load(path, (struct place){0}, policies,
                                    policies_bare(policies, POLICY_ACCEPT), &problems);
    *took_out = mono_now() - begin;
    problems_print(&problems, stderr);
    problems_done(&problems);
    return hat; /* uses the policies to the end */
}

static void bench_hat_text(const char *what, size_t n, void (*line)(FILE *, uint32_t),
                           const char *end, void (*look_up)(const void *, uint32_t, size_t))
{
    char path[32];
    mono_us took;
    FILE *out = open_temporary(path);
    for (uint32_t i = 0; i < n; i++)
        line(out, i);
    fputs(end, out);
    fclose(out);
    struct hat *hat = load_hat_text(path, &took);
    unlink(path);
    if (hat == NULL)
        exit(1);
    report(what, n, took, hat_bytes(hat), median_ns(look_up, hat, n));
    hat_free(hat);
}

static void bench_hat(const char *what, size_t n, void (*line)(FILE *, uint32_t),
                      void (*look_up)(const void *, uint32_t, size_t))
{
    char path[32];
    mono_us took;
    FILE *out = open_temporary(path);
    for (uint32_t i = 0; i < n; i++)
        line(out, i);
    fclose(out);
    struct hat *hat = load_hat(path, &took);
    unlink(path);
    if (hat == NULL)
        exit(1);
    report(what, n, took, hat_bytes(hat), median_ns(look_up, hat, n));
    hat_free(hat);
}

/* --- SMTP routes --------------------------------------------------------------------- */

static void few_line(FILE *out, uint32_t i)
{
    fprintf(out, "%sdomain%u.example: mx%u.example.net, mx%u.example.net/pri=10\n",
            i % 10 == 0 ? "." : "", i, i % 5, i % 7);
}

static void many_line(FILE *out, uint32_t i)
{
    fprintf(out, "%sdomain%u.example: mail.domain%u.example\n", i % 10 == 0 ? "." : "", i, i);
}

static char domains[LOOKUPS][64]; /* to look up, each below some key of the table */

static void choose_domains(const struct routes *routes)
{
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        size_t k = scramble(i) % routes_count(routes);
        const char *key = routes_get(routes, k)->key;
        snprintf(domains[i], sizeof domains[i], "%s%s", key[0] == '.' ? "a" : "", key);
    }
}

static void look_up_route(const void *table, uint32_t i, size_t n)
{
    (void)n;
    sink += routes_lookup(table, domains[i]) != NULL;
}

static void bench_routes(const char *what, const char *path)
{
    struct problems problems;
    problems_init(&problems);
    mono_us begin = mono_now();
    struct routes *routes = routes_load(path, (struct place){0}, &problems);
    mono_us took = mono_now() - begin;
    problems_print(&problems, stderr);
    problems_done(&problems);
    if (routes == NULL || routes_count(routes) == 0)
        exit(1);
    size_t n = routes_count(routes);
    choose_domains(routes);
    report(what, n, took, routes_bytes(routes), median_ns(look_up_route, routes, n));
    routes_free(routes);
}

static void bench_route_lines(const char *what, size_t n, void (*line)(FILE *, uint32_t))
{
    char path[32];
    FILE *out = open_temporary(path);
    for (uint32_t i = 0; i < n; i++)
        line(out, i);
    fclose(out);
    bench_routes(what, path);
    unlink(path);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        bench_routes("routes", argv[1]);
        return sink == 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        bench_hat("HAT, IPv4 addresses", sizes[i], address_line, look_up_address);
        bench_hat("HAT, IPv4 networks", sizes[i], network_line, look_up_address);
        bench_hat("HAT, IPv6 addresses", sizes[i], address6_line, look_up_address6);
        bench_hat("HAT, host names (1)", sizes[i], name_line, look_up_host);
        bench_hat_text("HAT text, bare IPv4", sizes[i], bare_line, "", look_up_address);
        bench_hat_text("HAT text, bare IPv6", sizes[i], bare_line6, "", look_up_address6);
        bench_hat_text("HAT text, bare names (1)", sizes[i], bare_name_line, "", look_up_host);
        bench_hat_text("HAT text, long lines", sizes[i], long_line, " REJECT\n", look_up_address);
        bench_route_lines("routes, 35 targets", sizes[i], few_line);
        bench_route_lines("routes, own target", sizes[i], many_line);
    }
    printf("(1) the time of a look-up includes printing the name to look up\n");
    return sink == 0;
}
