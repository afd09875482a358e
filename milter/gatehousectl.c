/* gatehousectl - the administrator's tool: gatehousectl [-c FILE] COMMAND ... */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/stdfds.h"
#include "milter/blocks.h"
#include "milter/command.h"
#include "milter/engine.h"

#define DEFAULT_FILE HOUSE_SYSCONFDIR "/gatehouse/gatehouse.conf"

static const struct command commands[] = {
    {"check", "", command_check},
    {"config", "show [--defaults] | example", command_config},
    {"trace",
     "--ip A|unknown [--listener L] [--host NAME[,NAME...]|none|servfail|mismatch]\n"
     "        --from S --to R[,R...] [--helo H] [--size N] [--tls] [--cert] [--auth U]\n"
     "        [--score N|none] [--owner N] [--country CC|none]\n"
     "        [--listed ZONE[=ANSWER],...] [--sender-dns ok|nonexistent|no_mx|unresolvable]\n"
     "        [--ldap match|nomatch|error]\n"
     "        [--callahead valid|user_unknown|temporary|server_ill] [--offline] [--json]\n"
     "      | [--offline] - (one JSON object a line on standard input)",
     command_trace},
    {"callahead", "[--listener L] [--json] ADDRESS | [--listener L] -", command_callahead},
    {"ldap test", "[--json] PROFILE ADDRESS | [PROFILE] -", command_ldap},
    {"dnslist test", "[--json] ZONE IP | [ZONE] -", command_dnslist},
    {"maps",
     "--mta postfix|sendmail --output DIR [--check] [--force] [--no-compile] [--compiler PATH] "
     "[--reload[=PATH]]",
     command_maps},
    {"doctor", "--mta postfix|sendmail [--output DIR] [--postconf PATH] [--sendmail-cf PATH]",
     command_doctor},
    {"mta-config", "--mta postfix|sendmail [--output DIR] [--queue-directory DIR]",
     command_mta_config},
    {"hat match",
     "[--json] LISTENER IP|unknown [NAME[,NAME...]|none|servfail|mismatch]\n"
     "      | [LISTENER] -",
     command_hat_match},
    {"hat find", "[--json] TEXT | -", command_hat_find},
    {"hat export", "LISTENER", command_hat_export},
    {"hat import", "[--force] LISTENER FILE|-", command_hat_import},
    {"hat block", "ENTRY [--for TIME] [--policy P] [--comment TEXT]", command_hat_block},
    {"hat allow", "ENTRY [--for TIME] [--comment TEXT]", command_hat_allow},
    {"hat unblock", "ENTRY", command_hat_unblock},
    {"hat blocks", "[--json]", command_hat_blocks},
    {"exceptions lookup", "[--json] ADDRESS | -", command_exceptions_lookup},
    {"addresslist lookup", "[--json] NAME ADDRESS | [NAME] -", command_addresslist_lookup},
    {"rat lookup", "[--json] LISTENER ADDRESS | [LISTENER] -", command_rat_lookup},
    {"rat export", "[LISTENER]", command_rat_export},
    {"rat import", "LISTENER FILE|-", command_rat_import},
    {"routes lookup", "[--json] DOMAIN | -", command_routes_lookup},
    {"routes export", "", command_routes_export},
    {"routes import", "FILE|-", command_routes_import},
    {"reload", "[--force]", command_reload},
    {"status", "[--json]", command_status},
    {"stats", "[--prometheus]", command_stats},
    {"top", "[--every SECONDS] [--times N]", command_top},
    {"cache", "list [--json] | flush ADDRESS|@DOMAIN|--negative|--all", command_cache},
    {"counter", "show [--json] KEY | reset KEY", command_counter},
};

static void print_usage(FILE *out, const char *before, const struct command *command)
{
    fprintf(out, "%s gatehousectl [-c FILE] %s%s%s\n", before, command->name,
            command->usage[0] != '\0' ? " " : "", command->usage);
}

int command_usage(const struct command *command, const char *wrong)
{
    if (wrong != NULL)
        fprintf(stderr, "gatehousectl %s: %s\n", command->name, wrong);
    print_usage(stderr, "usage:", command);
    return COMMAND_USAGE;
}

struct blocks_table *command_blocks(const struct command *command, struct snapshot *snapshot)
{
    struct blocks_table *table;
    struct err err = {0};

    if (!blocks_look(snapshot->settings.keys->state_dir, snapshot, &table, &err))
        fprintf(stderr, "gatehousectl %s: entries made at run time are not known: %s\n",
                command->name, err.text);
    return table;
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

int command_print(const struct command *command, const struct strbuf *text)
{
    bool good = !text->failed && fwrite(strbuf_text(text), 1, text->n, stdout) == text->n &&
                fflush(stdout) == 0;

    if (!good)
        fprintf(stderr, "gatehousectl %s: %s\n", command->name,
                text->failed ? "out of memory" : "cannot print");
    return good ? COMMAND_YES : COMMAND_NO;
}

/* How many of the arguments are the name of the command; 0: they are not. */
static int named_words(const struct command *command, int argc, char **argv)
{
    const char *blank = strchr(command->name, ' ');
    struct slice first = slice_of(command->name);

    if (blank == NULL)
        return strcmp(command->name, argv[0]) == 0 ? 1 : 0;
    first.n = (size_t)(blank - command->name);
    return argc > 1 && slice_is(first, argv[0]) && strcmp(blank + 1, argv[1]) == 0 ? 2 : 0;
}

/* Is it "hat" of "hat match"? */
static bool is_half(const struct command *command, const char *name)
{
    size_t n = strlen(name);
    return strncmp(command->name, name, n) == 0 && command->name[n] == ' ';
}

static int no_command(const char *name)
{
    const char *before = "; there are: ";

    fprintf(stderr, "gatehousectl: there is no command \"%s\"", name);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (!is_half(&commands[i], name))
            continue;
        fprintf(stderr, "%s%s", before, commands[i].name);
        before = ", ";
    }
    fprintf(stderr, "; see gatehousectl --help\n");
    return COMMAND_USAGE;
}

static int print_all(void)
{
    printf("usage: gatehousectl [-c FILE] COMMAND ...\n"
           "  -c FILE            configuration (default " DEFAULT_FILE ")\n"
           "  -h, --help         print this\n"
           "  -V                 print the version\n"
           "  help [COMMAND]     the same, or how a command is used\n"
           "commands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %s%s%s\n", commands[i].name, commands[i].usage[0] != '\0' ? " " : "",
               commands[i].usage);
    return COMMAND_YES;
}

static const struct command *find_command(int argc, char **argv, int *words_out)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        *words_out = named_words(&commands[i], argc, argv);
        if (*words_out > 0)
            return &commands[i];
    }
    return NULL;
}

/* argv: what stands behind "help". */
static int help(int argc, char **argv)
{
    const char *before = "usage:";
    int words = 0;

    if (argc == 0)
        return print_all();
    const struct command *command = find_command(argc, argv, &words);
    if (command != NULL && argc == words) {
        print_usage(stdout, before, command);
        return COMMAND_YES;
    }
    for (size_t i = 0; argc == 1 && i < ARRAY_LEN(commands); i++) {
        if (!is_half(&commands[i], argv[0]))
            continue;
        print_usage(stdout, before, &commands[i]);
        before = "      ";
    }
    return strcmp(before, "usage:") != 0 ? COMMAND_YES : no_command(argv[0]);
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int run_command(const char *conf, int argc, char **argv)
{
    int words = 0;

    if (strcmp(argv[0], "help") == 0)
        return help(argc - 1, argv + 1);
    const struct command *command = find_command(argc, argv, &words);
    if (command == NULL)
        return no_command(argv[0]);
    if (argc > words && is_help(argv[words]))
        return help(words, argv);
    optind = 0; /* the command has options of its own */
    return command->run(command, conf, argc - words + 1, argv + words - 1);
}

/* What stdio still holds: a full disk is no answer. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "gatehousectl: cannot print\n");
    return status == COMMAND_YES ? COMMAND_NO : status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    const char *file = DEFAULT_FILE;
    int option;

    if (!stdfds_fill())
        return COMMAND_USAGE;
    log_set_level(LOG_AT_ERROR); /* the tool prints, it does not log */
    while ((option = getopt_long(argc, argv, "+c:hV", options, NULL)) != -1) {
        if (option == 'c')
            file = optarg;
        else if (option == 'V')
            return finish(printf("gatehousectl %s\n", PACKAGE_VERSION) < 0);
        else if (option == 'h')
            return finish(print_all());
        else
            return COMMAND_USAGE; /* getopt has said it */
    }
    if (optind == argc) {
        fprintf(stderr, "gatehousectl: a command is missing; see gatehousectl --help\n");
        return COMMAND_USAGE;
    }
    engine_setup();
    return finish(run_command(file, argc - optind, argv + optind));
}
