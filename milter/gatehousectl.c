/* gatehousectl - the administrator's tool: gatehousectl [-c FILE] COMMAND ... */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/stdfds.h"
#include "milter/blocks.h"
#include "milter/command.h"
#include "milter/engine.h"
#include "milter/help.h"
#include "milter/version.h"

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

static int run_command(const char *conf, int argc, char **argv)
{
    int words = 0;

    if (strcmp(argv[0], "help") == 0)
        return help_print(argc - 1, argv + 1);
    const struct command *command = help_find(argc, argv, &words);
    if (command == NULL && argc > 1 && help_is_wanted(argc - 1, argv + 1))
        return help_print(1, argv); /* of the first word of two */
    if (command == NULL)
        return help_no_command(argc, argv);
    if (help_is_wanted(argc - words, argv + words))
        return help_print(words, argv);
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
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    const char *file = HELP_DEFAULT_FILE;
    int option;

    if (!stdfds_fill())
        return COMMAND_USAGE;
    log_set_level(LOG_AT_ERROR); /* the tool prints, it does not log */
    while ((option = getopt_long(argc, argv, "+c:hV", options, NULL)) != -1) {
        if (option == 'c')
            file = optarg;
        else if (option == 'V')
            return finish(version_print("gatehousectl") ? COMMAND_YES : COMMAND_NO);
        else if (option == 'h')
            return finish(help_print(0, NULL));
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
