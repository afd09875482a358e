/* gatehousectl check: the whole configuration and its tables. */
#include "milter/command.h"

#include <stdio.h>

#include "lib/mta/lint.h"
#include "milter/mapsinput.h"
#include "milter/mapsnames.h"
#include "milter/mxcheck.h"
#include "milter/startcheck.h"

/* What a mail server of whatever kind would make of it: warnings. */
static void look_at_maps(const struct snapshot *snapshot)
{
    struct arena *arena = arena_new(0);
    struct maps_input input;
    struct problems problems;

    problems_init(&problems);
    if (arena != NULL && mapsinput_make(snapshot, arena, &input)) {
        lint_clients(&input, &problems);
        mapsnames_check(snapshot, &input, MAPS_POSTFIX, true, &problems);
    }
    mxcheck(snapshot, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    arena_free(arena);
}

int command_check(const struct command *command, const char *conf, int argc, char **argv)
{
    struct startcheck check;
    struct problems problems;

    (void)argv;
    if (argc != 1)
        return command_usage(command, "takes no arguments");
    problems_init(&problems);
    startcheck_host(conf, STARTCHECK_LOOK, &check, &problems);
    struct snapshot *snapshot = startcheck_rest(&check, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    startcheck_done(&check);
    if (snapshot == NULL)
        return COMMAND_NO;
    look_at_maps(snapshot);
    printf("%s: good\n", conf);
    snapshot_drop(snapshot);
    return COMMAND_YES;
}
