/*
 * script.h - a script of t/lib as a child of a unit test, talked to through its
 * standard input and output. It ends with its input. The tree is found through
 * GATEHOUSE_TOP, srcdir or the current folder. Any failure fails the test.
 */
#ifndef T_UNIT_NET_SCRIPT_H
#define T_UNIT_NET_SCRIPT_H

#include <stdio.h>
#include <sys/types.h>

#define SCRIPT_ARGUMENTS_MAX 110

struct script {
    pid_t pid;
    FILE *to, *from;
};

/* name: of the file; n arguments. */
void script_start(struct script *script, const char *name, const char *const *arguments, size_t n);
void script_stop(struct script *script);
/* One that runs to its end, and must end well. */
void script_run(const char *name, const char *const *arguments, size_t n);

#endif
