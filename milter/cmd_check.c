/* gatehousectl check: the whole configuration and its tables. */
#include "milter/command.h"

#include <stdio.h>

int command_check(const struct command *command, const char *conf, int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return command_usage(command, "takes no arguments");
    struct snapshot *snapshot = command_snapshot(conf, false);
    if (snapshot == NULL)
        return COMMAND_NO;
    printf("%s: good\n", conf);
    snapshot_drop(snapshot);
    return COMMAND_YES;
}
