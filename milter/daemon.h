/*
 * daemon.h - the life of gatehoused: start, serve, reload, stop.
 *
 * Start order: settings, socket, drop root, tables, self-connect, threads,
 * ready. Anything wrong before "ready" is printed with its place, nothing is
 * left running and the exit status is 1. Main thread only.
 */
#ifndef MILTER_DAEMON_H
#define MILTER_DAEMON_H

#include "lib/base/base.h"

/* Returns an exit status when it could not start; else the process ends here.
 * path: the configuration file, absolute. */
int daemon_main(const char *path, bool foreground);

#endif
