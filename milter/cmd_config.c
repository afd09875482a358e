/* gatehousectl config show [--defaults] | example */
#include "milter/command.h"

#include <stdio.h>
#include <string.h>

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

static int example(const struct command *command)
{
    struct strbuf text;
    strbuf_init(&text);
    conf_example(registry, registry_count, &text);
    return print(command, &text);
}

int command_config(const struct command *command, const char *conf, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (argc == 2 && strcmp(what, "example") == 0)
        return example(command);
    if (argc == 2 && strcmp(what, "show") == 0)
        return show(command, conf, false);
    if (argc == 3 && strcmp(what, "show") == 0 && strcmp(argv[2], "--defaults") == 0)
        return show(command, conf, true);
    return command_usage(command, NULL);
}
