/* nameserver.c - see nameserver.h. */
#include "t/unit/net/nameserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define LINE_MAX_BYTES 300

void nameserver_start(struct nameserver *server)
{
    char line[LINE_MAX_BYTES];
    snprintf(server->log, sizeof server->log, "/tmp/gatehouse-dns-XXXXXX");
    int fd = mkstemp(server->log);
    assert_true(fd >= 0);
    close(fd);
    const char *const arguments[] = {"--log", server->log};
    script_start(&server->script, "dnsserver.py", arguments, ARRAY_LEN(arguments));
    assert_non_null(fgets(line, sizeof line, server->script.from));
    assert_int_equal(sscanf(line, "port %u", &server->port), 1);
}

void nameserver_script(struct nameserver *server, const char *script)
{
    char line[LINE_MAX_BYTES];
    fprintf(server->script.to, "%s\n.\n", script);
    assert_int_equal(fflush(server->script.to), 0);
    assert_non_null(fgets(line, sizeof line, server->script.from));
    assert_string_equal(line, "ok\n");
}

unsigned nameserver_count(struct nameserver *server, const char *how, const char *name,
                          const char *type)
{
    char line[LINE_MAX_BYTES], wanted[LINE_MAX_BYTES];
    unsigned count = 0;
    FILE *log = fopen(server->log, "r");
    assert_non_null(log);
    snprintf(wanted, sizeof wanted, "%s %s %s\n", how, name, type);
    while (fgets(line, sizeof line, log) != NULL)
        count += name[0] == '\0' || strcmp(line, wanted) == 0;
    fclose(log);
    return count;
}

void nameserver_stop(struct nameserver *server)
{
    script_stop(&server->script);
    unlink(server->log);
}

struct dns_keys nameserver_keys(const struct nameserver *server)
{
    static char address[32];
    static struct key_item item;
    snprintf(address, sizeof address, "127.0.0.1:%u", server->port);
    item = (struct key_item){.text = address};
    return (struct dns_keys){.servers = {&item, 1},
                             .timeout = 1000,
                             .tries = 1,
                             .cache_entries = 1000,
                             .max_ttl = 86400000,
                             .negative_ttl = 1800000};
}
