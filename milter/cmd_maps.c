/* gatehousectl maps: write the MTA's maps from the configuration. */
#include "milter/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "milter/mapsinput.h"
#include "milter/mapsnames.h"
#include "milter/mapstell.h"

struct maps_options {
    const char *mta, *folder, *compiler; /* NULL: not given */
    bool check, force, compile;
    bool reload, no_reload;
    const char *reload_program;
};

static bool parse_options(struct maps_options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"mta", required_argument, NULL, 'm'},
        {"output", required_argument, NULL, 'o'},
        {"compiler", required_argument, NULL, 'p'},
        {"check", no_argument, NULL, 'c'},
        {"force", no_argument, NULL, 'f'},
        {"no-compile", no_argument, NULL, 'n'},
        {"reload", optional_argument, NULL, 'r'},
        {"no-reload", no_argument, NULL, 'N'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'm')
            options->mta = optarg;
        else if (option == 'o')
            options->folder = optarg;
        else if (option == 'p')
            options->compiler = optarg;
        else if (option == 'c')
            options->check = true;
        else if (option == 'f')
            options->force = true;
        else if (option == 'n')
            options->compile = false;
        else if (option == 'N')
            options->no_reload = true;
        else if (option == 'r') {
            options->reload = true;
            options->reload_program = optarg;
        } else
            return false;
    }
    return optind == argc;
}

/* What is given wins over [maps], which is of use for the MTA it is about. false: where the maps
 * are is not known. */
static bool make_plan(const struct maps_options *options, const struct snapshot *snapshot,
                      struct mapsplan *plan)
{
    bool known = mapsplan_get(snapshot, plan);
    enum maps_mta mta = MAPS_POSTFIX;

    if (!known)
        mapsplan_default(mta, plan);
    if (options->mta != NULL && !maps_mta_parse(options->mta, &mta))
        return false;
    if (options->mta != NULL && (!known || mta != plan->mta)) {
        mapsplan_default(mta, plan);
        known = options->folder != NULL;
    }
    if (options->folder != NULL)
        plan->folder = options->folder;
    if (options->compiler != NULL)
        plan->compiler = options->compiler;
    plan->reload = (plan->reload || options->reload) && !options->no_reload;
    if (options->reload_program != NULL)
        plan->reload_program = options->reload_program;
    return known;
}

static void tell(void *arg, const char *file, enum publish_step step)
{
    struct strbuf text;

    (void)arg;
    strbuf_init(&text);
    mapstell_step(&text, file, step);
    fputs(strbuf_text(&text), stdout);
    strbuf_done(&text);
}

/* All there is to say before anything is written. */
static bool lint(const struct snapshot *snapshot, struct arena *arena, struct maps_input *input,
                 const struct mapsplan *plan, bool force)
{
    struct problems problems;

    problems_init(&problems);
    mapstell_lint(snapshot, plan->mta, force, arena, input, &problems);
    if (problems_errors(&problems) == 0)
        mapsnames_check(snapshot, input, plan->mta, false, &problems);
    problems_print(&problems, stderr);
    bool good = problems_errors(&problems) == 0;
    problems_done(&problems);
    return good;
}

static int failed(const char *why)
{
    fprintf(stderr, "gatehousectl maps: %s\n", why);
    return COMMAND_NO;
}

static int publish(const struct maps *maps, const struct maps_options *options,
                   const struct mapsplan *plan)
{
    struct publish_options publish = {
        .folder = plan->folder,
        .tool = plan->tool,
        .compiler = options->compile ? plan->compiler : NULL,
        .type = plan->type,
        .mail_config = getenv("MAIL_CONFIG"),
        .check = options->check,
        .on_step = tell,
    };
    struct publish_result result = {0};
    struct strbuf text;
    struct err err = {0};

    if (!publish_maps(maps, &publish, &result, &err))
        return failed(err.text);
    if (options->check)
        return result.changed == 0 ? COMMAND_YES : COMMAND_NO;
    if (!result.reload)
        return COMMAND_YES;
    strbuf_init(&text);
    bool told = mapstell_mta(plan, publish.mail_config, &text, &err);
    fputs(strbuf_text(&text), stdout);
    strbuf_done(&text);
    return told ? COMMAND_YES : failed(err.text);
}

static int write_maps(const struct snapshot *snapshot, const struct blocks_table *blocks,
                      const struct maps_options *options, const struct mapsplan *plan)
{
    struct arena *arena = arena_new(0);
    struct maps_input input;
    struct maps maps;
    int status = COMMAND_NO;

    maps_init(&maps);
    if (arena == NULL || !mapsinput_make(snapshot, arena, &input) ||
        !mapsinput_use_blocks(blocks, arena, &input))
        failed("out of memory");
    else if (lint(snapshot, arena, &input, plan, options->force))
        status = mapsplan_build(&input, plan->mta, &maps) ? publish(&maps, options, plan)
                                                          : failed("out of memory");
    maps_done(&maps);
    arena_free(arena);
    return status;
}

int command_maps(const struct command *command, const char *conf, int argc, char **argv)
{
    struct maps_options options = {.compile = true};
    struct mapsplan plan;
    enum maps_mta mta;

    if (!parse_options(&options, argc, argv))
        return command_usage(command, NULL);
    if (options.mta != NULL && !maps_mta_parse(options.mta, &mta))
        return command_usage(command, "--mta: allowed: postfix, sendmail");
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    struct blocks_table *blocks = command_blocks(command, snapshot);
    int status = make_plan(&options, snapshot, &plan)
                     ? write_maps(snapshot, blocks, &options, &plan)
                     : command_usage(command, "without a [maps] section --mta and --output say "
                                              "where the maps are");
    blocks_drop(blocks);
    snapshot_drop(snapshot);
    return status;
}
