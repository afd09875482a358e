/* gatehousectl mta-config: the lines an existing MTA needs. */
#include "milter/command.h"

#include <getopt.h>
#include <stdio.h>

#include "lib/mta/lint.h"
#include "lib/mta/mtaconfig.h"
#include "lib/mta/publish.h"
#include "milter/mapsinput.h"

static bool write_lines(const struct maps_input *input, enum maps_mta mta,
                        const struct mtaconfig_options *options, struct strbuf *text,
                        struct err *err)
{
    return mta == MAPS_SENDMAIL ? mtaconfig_sendmail(input, options, text, err)
                                : mtaconfig_postfix(input, options, text, err);
}

static bool names_are_good(const struct maps_input *input, enum maps_mta mta)
{
    struct problems problems;

    problems_init(&problems);
    lint_names(input, mta, &problems);
    problems_print(&problems, stderr);
    bool good = problems_errors(&problems) == 0;
    problems_done(&problems);
    return good;
}

static int print_lines(const struct snapshot *snapshot, enum maps_mta mta,
                       const struct mtaconfig_options *options)
{
    struct arena *arena = arena_new(0);
    struct maps_input input;
    struct strbuf text;
    struct err err = {.text = "out of memory"};
    int status = COMMAND_NO;

    strbuf_init(&text);
    bool made = arena != NULL && mapsinput_make(snapshot, arena, &input);
    bool good = made && names_are_good(&input, mta);
    if (good && write_lines(&input, mta, options, &text, &err)) {
        fputs(strbuf_text(&text), stdout);
        status = COMMAND_YES;
    } else if (good || !made) {
        fprintf(stderr, "gatehousectl mta-config: %s\n", err.text);
    }
    strbuf_done(&text);
    arena_free(arena);
    return status;
}

int command_mta_config(const struct command *command, const char *conf, int argc, char **argv)
{
    struct mtaconfig_options options = {.queue_directory = MTACONFIG_QUEUE_DIRECTORY};
    const char *name = "";
    enum maps_mta mta;
    int option;

    while ((option = command_option(command, argc, argv)) != -1) {
        if (option == 'm')
            name = optarg;
        else if (option == 'o')
            options.folder = optarg;
        else if (option == 'q')
            options.queue_directory = optarg;
        else
            return command_usage(command, NULL);
    }
    if (optind != argc || !maps_mta_parse(name, &mta))
        return command_usage(command, "--mta: allowed: postfix, sendmail");
    options.type = mta == MAPS_SENDMAIL ? PUBLISH_MAKEMAP_TYPE : PUBLISH_POSTMAP_TYPE;
    if (options.folder == NULL)
        options.folder = mapsinput_folder(mta);
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    int status = print_lines(snapshot, mta, &options);
    snapshot_drop(snapshot);
    return status;
}
