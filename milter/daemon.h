/*
 * daemon.h - the life of gatehoused: start, serve, reload, stop.
 *
 * Start order: settings, socket, drop root, tables, self-connect, threads,
 * ready. Anything wrong before "ready" is printed with its place, nothing is
 * left running, and the exit status is EX_CONFIG (sysexits.h) where the
 * configuration or a table is at fault, else 1. Main thread only.
 */
#ifndef MILTER_DAEMON_H
#define MILTER_DAEMON_H

#include "lib/base/base.h"

enum daemon_place {
    DAEMON_BACKGROUND,
    DAEMON_FOREGROUND, /* as a service manager wants it */
    DAEMON_TERMINAL,   /* in the foreground, its log on stderr */
};

/* Returns an exit status when it could not start; else the process ends here.
 * path: the configuration file, absolute. */
int daemon_main(const char *path, enum daemon_place place);

#endif
