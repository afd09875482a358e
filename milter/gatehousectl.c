/* gatehousectl - the administrator's tool: gatehousectl [-c FILE] COMMAND ... */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "milter/command.h"

#define DEFAULT_FILE HOUSE_SYSCONFDIR "/gatehouse/gatehouse.conf"

static const struct command commands[] = {
    {"check", "", command_check},
    {"config", "show [--defaults] | example", command_config},
    {"trace",
     "--ip A [--listener L] [--host NAME|none|servfail|mismatch] [--helo H]\n"
     "        --from S --to R[,R...] [--size N] [--tls] [--auth U] [--score N|none]\n"
     "        [--owner N] [--country CC] [--listed ZONE,...]\n"
     "        [--callahead valid|user_unknown|temporary|server_ill] [--offline] [--json]\n"
     "      | [--offline] - (one JSON object a line on standard input)",
     command_trace},
    {"maps", "--mta postfix --output DIR [--check] [--force] [--no-compile] [--compiler PATH]",
     command_maps},
    {"mta-config", "--mta postfix [--output DIR] [--queue-directory DIR]", command_mta_config},
    {"reload", "", command_reload},
    {"status", "[--json]", command_status},
    {"stats", "[--prometheus]", command_stats},
    {"hat", "block ENTRY [--for TIME] [--policy P] | unblock ENTRY | blocks [--json]", command_hat},
    {"cache", "list [--json] | flush ADDRESS|@DOMAIN|--negative|--all", command_cache},
};

int command_usage(const struct command *command, const char *wrong)
{
    if (wrong != NULL)
        fprintf(stderr, "gatehousectl %s: %s\n", command->name, wrong);
    fprintf(stderr, "usage: gatehousectl [-c FILE] %s %s\n", command->name, command->usage);
    return COMMAND_USAGE;
}

static int usage(FILE *out, int status)
{
    fprintf(out, "usage: gatehousectl [-c FILE] COMMAND ...\n"
                 "  -c FILE  configuration (default " DEFAULT_FILE ")\n"
                 "  -V       print the version\ncommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %s %s\n", commands[i].name, commands[i].usage);
    return status;
}

struct snapshot *command_snapshot(const char *conf, bool quiet)
{
    struct problems problems;

    problems_init(&problems);
    struct snapshot *snapshot = snapshot_build(conf, &problems);
    if (snapshot == NULL || !quiet)
        problems_print(&problems, stderr);
    problems_done(&problems);
    return snapshot;
}

static int run_command(const char *conf, int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, argv[0]) == 0) {
            optind = 0; /* the command has options of its own */
            return commands[i].run(&commands[i], conf, argc, argv);
        }
    }
    fprintf(stderr, "gatehousectl: there is no command \"%s\"\n", argv[0]);
    return usage(stderr, COMMAND_USAGE);
}

int main(int argc, char **argv)
{
    const char *file = DEFAULT_FILE;
    int option;

    log_set_level(LOG_AT_ERROR); /* the tool prints, it does not log */
    while ((option = getopt(argc, argv, "+c:hV")) != -1) {
        if (option == 'c')
            file = optarg;
        else if (option == 'V')
            return printf("gatehousectl %s\n", PACKAGE_VERSION) < 0;
        else
            return usage(option == 'h' ? stdout : stderr,
                         option == 'h' ? COMMAND_YES : COMMAND_USAGE);
    }
    if (optind == argc)
        return usage(stderr, COMMAND_USAGE);
    return run_command(file, argc - optind, argv + optind);
}
