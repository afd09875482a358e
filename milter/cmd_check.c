/* gatehousectl check: the whole configuration and its tables. */
#include "milter/command.h"

#include <stdio.h>

#include "milter/mapsinput.h"
#include "milter/mapsnames.h"
#include "milter/mapsplan.h"
#include "milter/mxcheck.h"
#include "milter/startcheck.h"

/* What a mail server would make of it: warnings, and where [maps] says which one it is, all that
 * gatehousectl maps and reload would stop for. false: there is such a thing. */
static bool look_at_maps(const struct snapshot *snapshot)
{
    struct arena *arena = arena_new(0);
    struct maps_input input;
    struct mapsplan plan = {.mta = MAPS_POSTFIX};
    struct problems problems;

    problems_init(&problems);
    mapsplan_check(snapshot, true, &problems);
    bool has_plan = mapsplan_get(snapshot, &plan);
    if (arena != NULL && mapsinput_make(snapshot, arena, &input))
        mapsnames_check(snapshot, &input, plan.mta, !has_plan, &problems);
    mxcheck(snapshot, &problems);
    problems_print(&problems, stderr);
    bool good = problems_errors(&problems) == 0;
    problems_done(&problems);
    arena_free(arena);
    return good;
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
    bool good = look_at_maps(snapshot);
    if (good)
        printf("%s: good\n", conf);
    snapshot_drop(snapshot);
    return good ? COMMAND_YES : COMMAND_NO;
}
