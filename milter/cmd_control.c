/* gatehousectl reload: asked of the running daemon. */
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
