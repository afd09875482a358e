/* gatehousectl reload, status, stats, cache, counter: asked of the running daemon. */
#include "milter/command.h"

#include <string.h>

#include "milter/ask.h"

/* "--json" as the word "json" for the daemon; NULL: another argument. */
static const char *option_word(const char *argument, const char *option)
{
    return strcmp(argument, option) == 0 ? option + strlen("--") : NULL;
}

/* A command of one word with at most one option. */
static int ask(const struct command *command, const char *conf, int argc, char **argv,
               const char *option)
{
    const char *words[2] = {command->name, NULL};

    if (argc > 1)
        words[1] = option_word(argv[1], option);
    if (argc > 2 || (argc == 2 && words[1] == NULL))
        return command_usage(command, "wrong arguments");
    return ask_daemon(conf, words, words[1] != NULL ? 2 : 1);
}

int command_reload(const struct command *command, const char *conf, int argc, char **argv)
{
    return ask(command, conf, argc, argv, "--force");
}

int command_status(const struct command *command, const char *conf, int argc, char **argv)
{
    return ask(command, conf, argc, argv, "--json");
}

int command_stats(const struct command *command, const char *conf, int argc, char **argv)
{
    return ask(command, conf, argc, argv, "--prometheus");
}

int command_cache(const struct command *command, const char *conf, int argc, char **argv)
{
    const char *words[2] = {NULL, NULL};

    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "list") == 0) {
        words[0] = "cache-list";
        words[1] = argc == 3 ? option_word(argv[2], "--json") : NULL;
        if (argc == 3 && words[1] == NULL)
            return command_usage(command, "wrong arguments");
        return ask_daemon(conf, words, words[1] != NULL ? 2 : 1);
    }
    if (argc == 3 && strcmp(argv[1], "flush") == 0) {
        words[0] = "cache-flush";
        words[1] = argv[2];
        return ask_daemon(conf, words, 2);
    }
    return command_usage(command, "wrong arguments");
}

int command_counter(const struct command *command, const char *conf, int argc, char **argv)
{
    const char *words[3] = {NULL, argc > 2 ? argv[argc - 1] : NULL, "json"};
    bool json = argc == 4 && strcmp(argv[2], "--json") == 0;

    if ((argc == 3 || json) && strcmp(argv[1], "show") == 0)
        words[0] = "counter-show";
    else if (argc == 3 && strcmp(argv[1], "reset") == 0)
        words[0] = "counter-reset";
    else
        return command_usage(command, "wrong arguments");
    return ask_daemon(conf, words, json ? 3 : 2);
}
