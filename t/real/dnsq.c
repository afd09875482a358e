/*
 * dnsq.c - asks DNS as Gatehouse does, for tests with real name servers.
 *
 *     dnsq SERVER...      one question a line on standard input:
 *         a NAME, aaaa NAME, mx NAME, ptr NAME, txt NAME, host ADDRESS, servers DOMAIN
 *
 * One answer a line on standard output; "cached" at its end when no server was
 * asked. Exit 2: usage.
 */
#include <string.h>
#include "lib/net/host.h"
#include "lib/net/servers.h"

#define SERVERS_HERE 4

static const char *const types[] = {
    [DNS_A] = "a", [DNS_AAAA] = "aaaa", [DNS_MX] = "mx", [DNS_PTR] = "ptr", [DNS_TXT] = "txt"};

static mono_us soon(void)
{
    return mono_now() + MONO_SECONDS(10);
}

static void print_record(enum dns_type type, const struct dns_record *record)
{
    char text[IP_TEXT_MAX];
    switch (type) {
    case DNS_A:
    case DNS_AAAA:
        printf(" %s", ip_text(&record->ip, text));
        break;
    case DNS_MX:
        printf(" %u:%s", record->preference, record->name);
        break;
    case DNS_PTR:
        printf(" %s", record->name);
        break;
    case DNS_TXT:
        printf(" \"%s\"", record->text);
        break;
    }
}

static void ask(struct dns *dns, enum dns_type type, const char *name)
{
    static const char *const outcomes[] = {[DNS_FOUND] = "found",
                                           [DNS_NXDOMAIN] = "nxdomain",
                                           [DNS_NODATA] = "nodata",
                                           [DNS_SERVFAIL] = "servfail",
                                           [DNS_TIMEOUT] = "timeout"};
    struct dns_query *query = dns_ask(dns, type, name, soon());
    const struct dns_answer *answer = dns_wait(query, MONO_NEVER);
    printf("%s", outcomes[answer->outcome]);
    for (size_t i = 0; i < answer->n; i++)
        print_record(type, &answer->records[i]);
    puts(answer->cached ? " cached" : "");
    dns_drop(query);
}

static void ask_host(struct dns *dns, const char *address)
{
    static const char *const classes[] = {[HOST_VERIFIED] = "verified",
                                          [HOST_NO_PTR] = "no_ptr",
                                          [HOST_PTR_TEMPFAIL] = "ptr_tempfail",
                                          [HOST_PTR_MISMATCH] = "ptr_mismatch",
                                          [HOST_UNKNOWN] = "unknown"};
    struct host_answer answer = {.class = HOST_UNKNOWN};
    struct ip ip;
    struct arena *arena = arena_new(0);
    if (arena != NULL && ip_parse(slice_of(address), &ip))
        host_lookup(dns, &ip, arena, soon(), NULL, NULL, &answer);
    printf("%s %s", classes[answer.class], answer.name);
    for (size_t i = 1; i < answer.n; i++)
        printf(" %s", answer.names[i]);
    puts("");
    arena_free(arena);
}

static void ask_servers(struct dns *dns, const char *domain)
{
    struct servers servers;
    const struct servers_question question = {.mx_domain = domain};
    servers_resolve(dns, &question, soon(), NULL, NULL, &servers);
    printf("%s", servers.outcome == SERVERS_FOUND ? "found" : servers.why);
    for (size_t i = 0; i < servers.n; i++) {
        char text[IP_TEXT_MAX];
        printf(" %s[%s]", servers.address[i].name, ip_text(&servers.address[i].ip, text));
    }
    puts("");
}

static void answer_line(struct dns *dns, char *line)
{
    char *name = strchr(line, ' ');
    line[strcspn(line, "\n")] = '\0';
    if (name == NULL)
        return;
    *name++ = '\0';
    if (strcmp(line, "host") == 0)
        ask_host(dns, name);
    else if (strcmp(line, "servers") == 0)
        ask_servers(dns, name);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(line, types[i]) == 0)
            ask(dns, (enum dns_type)i, name);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct key_item items[SERVERS_HERE];
    struct dns_keys keys = {.servers = {items, 0},
                            .timeout = 1000,
                            .tries = 2,
                            .cache_entries = 1000,
                            .max_ttl = 86400000,
                            .negative_ttl = 1800000};
    struct err err = {0};
    char line[600];
    if (argc < 2 || argc > SERVERS_HERE + 1) {
        fputs("usage: dnsq SERVER...\n", stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        items[keys.servers.n++] = (struct key_item){.text = argv[i]};
    struct dns *dns = dns_new(&keys, &err);
    if (dns == NULL) {
        fprintf(stderr, "dnsq: %s\n", err.text);
        return 1;
    }
    while (fgets(line, sizeof line, stdin) != NULL)
        answer_line(dns, line);
    dns_free(dns);
    return 0;
}
