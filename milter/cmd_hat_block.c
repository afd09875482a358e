/* gatehousectl hat block | allow | unblock | blocks */
#include "milter/command.h"

#include <getopt.h>
#include <string.h>

#include "lib/base/key.h"
#include "milter/ask.h"
#include "milter/blocks.h"
#include "milter/listing.h"

#define SECONDS_MAX 24 /* bytes of a number and its NUL */

/* "1h" in seconds, rounded up, as the daemon takes it. */
static bool put_seconds(const char *duration, char text[SECONDS_MAX])
{
    int64_t ms = 0;

    if (!key_parse_duration(slice_of(duration), &ms) || ms <= 0)
        return false;
    snprintf(text, SECONDS_MAX, "%lld", (long long)((ms - 1) / 1000 + 1));
    return true;
}

/* policy: without --policy; options: those there are. */
static int add(const struct command *command, const char *conf, int argc, char **argv,
               const struct option *options, const char *policy)
{
    const char *comment = "";
    char seconds[SECONDS_MAX] = "";
    struct err err = {0};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'f' && !put_seconds(optarg, seconds))
            return command_usage(command, "--for takes a time, such as 90s, 1h or 7d");
        if (option == 'p')
            policy = optarg;
        else if (option == 'c')
            comment = optarg;
        else if (option != 'f')
            return command_usage(command, NULL);
    }
    if (optind + 1 != argc)
        return command_usage(command, "takes one entry");
    if (!blocks_check_comment(comment, &err))
        return command_usage(command, err.text);
    /* A daemon of an earlier version knows no comments. */
    return ask_daemon(conf, (const char *[]){"block", argv[optind], seconds, policy, comment},
                      comment[0] != '\0' ? 5 : 4);
}

int command_hat_block(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct option options[] = {{"for", required_argument, NULL, 'f'},
                                            {"policy", required_argument, NULL, 'p'},
                                            {"comment", required_argument, NULL, 'c'},
                                            {0}};
    return add(command, conf, argc, argv, options, "");
}

int command_hat_allow(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct option options[] = {
        {"for", required_argument, NULL, 'f'}, {"comment", required_argument, NULL, 'c'}, {0}};
    return add(command, conf, argc, argv, options, BLOCKS_ALLOWED);
}

int command_hat_unblock(const struct command *command, const char *conf, int argc, char **argv)
{
    if (argc != 2)
        return command_usage(command, "takes one entry");
    return ask_daemon(conf, (const char *[]){"unblock", argv[1]}, 2);
}

int command_hat_blocks(const struct command *command, const char *conf, int argc, char **argv)
{
    struct listing listing = {.words = (const char *[]){"blocks", "json"},
                              .n = 2,
                              .json = argc == 2,
                              .nothing = "there are no entries made at run time"};

    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--json") != 0))
        return command_usage(command, "takes nothing but --json");
    return listing_run(&listing, command, conf);
}
