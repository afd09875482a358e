/* gatehousectl maps: write the MTA's maps from the configuration. */
#include "milter/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/mta/lint.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/publish.h"
#include "lib/mta/run.h"
#include "lib/mta/sendmail_maps.h"
#include "milter/mapsinput.h"
#include "milter/mapsnames.h"

#define RELOAD_POSTFIX "/usr/sbin/postfix"
#define RELOAD_SENDMAIL "/etc/init.d/sendmail"
#define RELOAD_SECONDS 60

struct maps_options {
    const char *mta_name;
    enum maps_mta mta;
    bool force, compile, reload;
    const char *reload_program; /* run with "reload"; NULL: the MTA's own */
    struct publish_options publish;
};

static bool parse_options(struct maps_options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"mta", required_argument, NULL, 'm'},      {"output", required_argument, NULL, 'o'},
        {"compiler", required_argument, NULL, 'p'}, {"check", no_argument, NULL, 'c'},
        {"force", no_argument, NULL, 'f'},          {"no-compile", no_argument, NULL, 'n'},
        {"reload", optional_argument, NULL, 'r'},   {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'm')
            options->mta_name = optarg;
        else if (option == 'o')
            options->publish.folder = optarg;
        else if (option == 'p')
            options->publish.compiler = optarg;
        else if (option == 'c')
            options->publish.check = true;
        else if (option == 'f')
            options->force = true;
        else if (option == 'n')
            options->compile = false;
        else if (option == 'r') {
            options->reload = true;
            options->reload_program = optarg;
        } else
            return false;
    }
    return optind == argc && options->mta_name != NULL && options->publish.folder != NULL;
}

/* What was not given depends on the MTA. */
static void complete(struct maps_options *options)
{
    bool sendmail = options->mta == MAPS_SENDMAIL;
    struct publish_options *publish = &options->publish;
    publish->tool = sendmail ? COMPILE_MAKEMAP : COMPILE_POSTMAP;
    publish->type = sendmail ? PUBLISH_MAKEMAP_TYPE : PUBLISH_POSTMAP_TYPE;
    if (!options->compile)
        publish->compiler = NULL;
    else if (publish->compiler == NULL)
        publish->compiler = sendmail ? PUBLISH_MAKEMAP : PUBLISH_POSTMAP;
    if (options->reload_program == NULL)
        options->reload_program = sendmail ? RELOAD_SENDMAIL : RELOAD_POSTFIX;
}

static void tell(void *arg, const char *file, enum publish_step step)
{
    (void)arg;
    switch (step) {
    case PUBLISH_DIFFERS:
        printf("%s: differs\n", file);
        return;
    case PUBLISH_MAP_DIFFERS:
        printf("%s: the compiled map differs\n", file);
        return;
    case PUBLISH_RENAMED:
        printf("%s: written\n", file);
        return;
    case PUBLISH_VERIFIED:
        printf("%s: compiled and read back\n", file);
        return;
    case PUBLISH_LEFT_OVER:
        printf("%s: belongs to no listener any more; left alone\n", file);
        return;
    case PUBLISH_KEPT:
        printf("%s: was not written by gatehousectl; kept as %s.saved\n", file, file);
        return;
    case PUBLISH_SAME:
    case PUBLISH_WRITTEN:
    case PUBLISH_COMPILED:
        return;
    }
}

/* All there is to say before anything is written. */
static bool lint(const struct snapshot *snapshot, struct arena *arena, struct maps_input *input,
                 const struct maps_options *options)
{
    struct problems problems;

    problems_init(&problems);
    mapsinput_read_passwords(snapshot, arena, input, &problems);
    lint_maps(input, options->mta, options->force, &problems);
    if (problems.errors == 0)
        mapsnames_check(snapshot, input, options->mta, false, &problems);
    problems_print(&problems, stderr);
    bool good = problems.errors == 0;
    problems_done(&problems);
    return good;
}

/* A file changed that the MTA does not read again by itself. */
static int reload(const struct maps_options *options)
{
    const char *argv[] = {options->reload_program, "reload", NULL};
    struct run run = {.argv = argv,
                      .mail_config = options->publish.mail_config,
                      .deadline = mono_now() + MONO_SECONDS(RELOAD_SECONDS),
                      .output_max = 65536};
    struct err err = {0};

    if (!options->reload) {
        printf(options->mta == MAPS_SENDMAIL
                   ? "Sendmail must be restarted: it reads relay-domains only when it starts\n"
                   : "Postfix must be reloaded: it does not read cidr, regexp and ldap files again "
                     "by itself\n");
        return COMMAND_YES;
    }
    if (!run_tool(&run, NULL, &err)) {
        fprintf(stderr, "gatehousectl maps: %s\n", err.text);
        return COMMAND_NO;
    }
    printf("%s: reloaded\n", options->reload_program);
    return COMMAND_YES;
}

static int publish(const struct maps *maps, const struct maps_options *options)
{
    struct publish_result result = {0};
    struct err err = {0};

    if (!publish_maps(maps, &options->publish, &result, &err)) {
        fprintf(stderr, "gatehousectl maps: %s\n", err.text);
        return COMMAND_NO;
    }
    if (options->publish.check)
        return result.changed == 0 ? COMMAND_YES : COMMAND_NO;
    return result.reload ? reload(options) : COMMAND_YES;
}

static int write_maps(const struct snapshot *snapshot, const struct blocks_table *blocks,
                      const struct maps_options *options)
{
    struct arena *arena = arena_new(0);
    struct maps_input input;
    struct maps maps;
    int status = COMMAND_NO;

    maps_init(&maps);
    if (arena == NULL || !mapsinput_make(snapshot, arena, &input) ||
        !mapsinput_use_blocks(blocks, arena, &input))
        fprintf(stderr, "gatehousectl maps: out of memory\n");
    else if (lint(snapshot, arena, &input, options)) {
        if (options->mta == MAPS_SENDMAIL ? sendmail_maps_build(&input, &maps)
                                          : postfix_maps_build(&input, &maps))
            status = publish(&maps, options);
        else
            fprintf(stderr, "gatehousectl maps: out of memory\n");
    }
    maps_done(&maps);
    arena_free(arena);
    return status;
}

int command_maps(const struct command *command, const char *conf, int argc, char **argv)
{
    struct maps_options options = {
        .compile = true,
        .publish = {.mail_config = getenv("MAIL_CONFIG"), .on_step = tell},
    };

    if (!parse_options(&options, argc, argv))
        return command_usage(command, NULL);
    if (!maps_mta_parse(options.mta_name, &options.mta))
        return command_usage(command, "--mta: allowed: postfix, sendmail");
    complete(&options);
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    struct blocks_table *blocks = command_blocks(command, snapshot);
    int status = write_maps(snapshot, blocks, &options);
    blocks_drop(blocks);
    snapshot_drop(snapshot);
    return status;
}
