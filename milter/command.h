/*
 * command.h - the commands of gatehousectl: a row each in commands.c, the code in cmd_*.c.
 *
 * A command reads the configuration itself (command_snapshot()), prints its
 * answer on standard output and everything else on standard error, and returns
 * the exit status. One thread; a command may block as long as its look-ups do.
 */
#ifndef MILTER_COMMAND_H
#define MILTER_COMMAND_H

#include "milter/snapshot.h"

enum command_exit {
    COMMAND_YES = 0, /* ok, accepted, found */
    COMMAND_NO = 1,  /* invalid, rejected, different, nothing found */
    COMMAND_USAGE = 2,
    COMMAND_UNREACHABLE = 3 /* the daemon does not answer */
};

struct command_option {
    const char *name;     /* behind the "--" */
    const char *argument; /* NULL: takes none; "=WORD": may be left out */
    int letter;           /* what command_option() returns for it */
    const char *help;
    bool needed;
};

/* Words that are NULL are not there. */
struct command {
    const char *name;                     /* one word or two */
    const char *summary;                  /* what it does, a line of the list of commands */
    const struct command_option *options; /* the last has no name */
    const char *arguments;                /* what follows the options */
    const char *batch;                    /* what may stand in place of both */
    const char *notes;
    const char *example; /* one that works, without "gatehousectl" */
    /* argv[0] is the last word of the name; conf: path of the configuration. */
    int (*run)(const struct command *command, const char *conf, int argc, char **argv);
};

int command_callahead(const struct command *command, const char *conf, int argc, char **argv);
int command_check(const struct command *command, const char *conf, int argc, char **argv);
int command_config_show(const struct command *command, const char *conf, int argc, char **argv);
int command_config_example(const struct command *command, const char *conf, int argc, char **argv);
int command_dnslist(const struct command *command, const char *conf, int argc, char **argv);
int command_trace(const struct command *command, const char *conf, int argc, char **argv);
int command_maps(const struct command *command, const char *conf, int argc, char **argv);
int command_ldap(const struct command *command, const char *conf, int argc, char **argv);
int command_reload(const struct command *command, const char *conf, int argc, char **argv);
int command_status(const struct command *command, const char *conf, int argc, char **argv);
int command_stats(const struct command *command, const char *conf, int argc, char **argv);
int command_top(const struct command *command, const char *conf, int argc, char **argv);
int command_cache_list(const struct command *command, const char *conf, int argc, char **argv);
int command_cache_flush(const struct command *command, const char *conf, int argc, char **argv);
int command_counter_show(const struct command *command, const char *conf, int argc, char **argv);
int command_counter_reset(const struct command *command, const char *conf, int argc, char **argv);
int command_hat_block(const struct command *command, const char *conf, int argc, char **argv);
int command_hat_allow(const struct command *command, const char *conf, int argc, char **argv);
int command_hat_unblock(const struct command *command, const char *conf, int argc, char **argv);
int command_hat_blocks(const struct command *command, const char *conf, int argc, char **argv);
int command_doctor(const struct command *command, const char *conf, int argc, char **argv);
int command_why(const struct command *command, const char *conf, int argc, char **argv);
int command_report(const struct command *command, const char *conf, int argc, char **argv);
int command_mta_config(const struct command *command, const char *conf, int argc, char **argv);

int command_addresslist_lookup(const struct command *command, const char *conf, int argc,
                               char **argv);
int command_exceptions_lookup(const struct command *command, const char *conf, int argc,
                              char **argv);
int command_hat_match(const struct command *command, const char *conf, int argc, char **argv);
int command_hat_find(const struct command *command, const char *conf, int argc, char **argv);
int command_hat_export(const struct command *command, const char *conf, int argc, char **argv);
int command_hat_import(const struct command *command, const char *conf, int argc, char **argv);
int command_rat_lookup(const struct command *command, const char *conf, int argc, char **argv);
int command_rat_export(const struct command *command, const char *conf, int argc, char **argv);
int command_rat_import(const struct command *command, const char *conf, int argc, char **argv);
int command_routes_lookup(const struct command *command, const char *conf, int argc, char **argv);
int command_routes_export(const struct command *command, const char *conf, int argc, char **argv);
int command_routes_import(const struct command *command, const char *conf, int argc, char **argv);

extern const struct command commands[];
extern const size_t commands_count;

/* The next option of the command's row, as getopt_long(3): its letter, optarg and optind
 * set; -1: no more; '?': a wrong one, which is told. Another argv begins with optind 0,
 * as it is when a command runs. */
int command_option(const struct command *command, int argc, char **argv);

/* Print how the command is used, after a line saying what is wrong (NULL:
 * nothing); returns COMMAND_USAGE. */
int command_usage(const struct command *command, const char *wrong);

/* All of text on standard output; returns COMMAND_YES, or COMMAND_NO where that
 * failed, which is told. */
int command_print(const struct command *command, const struct strbuf *text);

/* The snapshot, or NULL with every error on stderr. quiet: no warnings. */
struct snapshot *command_snapshot(const char *conf, bool quiet);

/* Entries made at run time, as the daemon has kept them; NULL: none, or they
 * cannot be read, which is told. blocks_drop() it before the snapshot. */
struct blocks_table *command_blocks(const struct command *command, struct snapshot *snapshot);

#endif
