/* nameserver.c - see nameserver.h. */
#include "t/unit/net/nameserver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define LINE_MAX_BYTES 300

static const char *find_script(char *path, size_t room)
{
    const char *tops[] = {getenv("GATEHOUSE_TOP"), getenv("srcdir"), ".", ".."};
    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        snprintf(path, room, "%s/t/lib/dnsserver.py", tops[i] ? tops[i] : "");
        if (access(path, R_OK) == 0)
            return path;
    }
    fail_msg("t/lib/dnsserver.py not found: set GATEHOUSE_TOP");
    return NULL;
}

static void run_script(const char *path, const char *log, int in, int out)
{
    char python[] = "/usr/bin/python3", option[] = "--log";
    char script[300], log_copy[64];
    snprintf(script, sizeof script, "%s", path);
    snprintf(log_copy, sizeof log_copy, "%s", log);
    char *argv[] = {python, script, option, log_copy, NULL};
    if (dup2(in, 0) == 0 && dup2(out, 1) == 1) {
        closefrom(3);
        execv(python, argv);
    }
    _exit(127);
}

void nameserver_start(struct nameserver *server)
{
    char path[300], line[LINE_MAX_BYTES];
    int to[2], from[2];
    find_script(path, sizeof path);
    snprintf(server->log, sizeof server->log, "/tmp/gatehouse-dns-XXXXXX");
    int fd = mkstemp(server->log);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        run_script(path, server->log, to[0], from[1]);
    close(to[0]);
    close(from[1]);
    server->commands = fdopen(to[1], "w");
    server->replies = fdopen(from[0], "r");
    assert_non_null(server->commands);
    assert_non_null(server->replies);
    assert_non_null(fgets(line, sizeof line, server->replies));
    assert_int_equal(sscanf(line, "port %u", &server->port), 1);
}

void nameserver_script(struct nameserver *server, const char *script)
{
    char line[LINE_MAX_BYTES];
    fprintf(server->commands, "%s\n.\n", script);
    assert_int_equal(fflush(server->commands), 0);
    assert_non_null(fgets(line, sizeof line, server->replies));
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
    int status;
    fclose(server->commands); /* it ends with its standard input */
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    fclose(server->replies);
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
