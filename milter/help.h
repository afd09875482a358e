/*
 * help.h - what gatehousectl says of itself, all of it from the rows of commands.c.
 *
 * One thread.
 */
#ifndef MILTER_HELP_H
#define MILTER_HELP_H

#include "milter/command.h"

/* The configuration that is read where -c names none. */
#define HELP_DEFAULT_FILE HOUSE_SYSCONFDIR "/gatehouse/gatehouse.conf"

/* The command that the first arguments name, and how many words that are; NULL: none. */
const struct command *help_find(int argc, char **argv, int *words_out);

/* argv: what stands behind "help", a command, the first word of some, or nothing. Returns
 * an exit status; what there is no help for is told. */
int help_print(int argc, char **argv);

/* Is one of the arguments, but none behind "--", a wish for help? */
bool help_is_wanted(int argc, char **argv);

/* One line on standard error, with the commands that may be meant; COMMAND_USAGE. */
int help_no_command(int argc, char **argv);

#endif
