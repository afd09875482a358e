/* gatehousectl config show, example */
#include "milter/command.h"

#include <getopt.h>

#include "milter/registry.h"

static int print(const struct command *command, struct strbuf *text)
{
    int status = command_print(command, text);
    strbuf_done(text);
    return status;
}

static int show(const struct command *command, const char *conf, bool defaults)
{
    struct snapshot *snapshot = command_snapshot(conf, true);
    struct strbuf text;

    if (snapshot == NULL)
        return COMMAND_NO;
    strbuf_init(&text);
    conf_show(snapshot->conf, defaults, &text);
    snapshot_drop(snapshot);
    return print(command, &text);
}

int command_config_show(const struct command *command, const char *conf, int argc, char **argv)
{
    bool defaults = false;
    int option;

    while ((option = command_option(command, argc, argv)) != -1) {
        if (option != 'd')
            return command_usage(command, NULL);
        defaults = true;
    }
    return optind == argc ? show(command, conf, defaults) : command_usage(command, NULL);
}

int command_config_example(const struct command *command, const char *conf, int argc, char **argv)
{
    struct strbuf text;

    (void)conf;
    (void)argv;
    if (argc != 1)
        return command_usage(command, "takes no arguments");
    strbuf_init(&text);
    conf_example(registry, registry_count, &text);
    return print(command, &text);
}
