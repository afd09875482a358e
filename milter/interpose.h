/*
 * interpose.h - functions that libmilter calls and that are ours in this program.
 *
 * libmilter is a shared library, and the loader takes the program's own definition of a
 * function for that of a library. Nobody but libmilter means these, or calls to them are
 * passed on:
 *
 *   sigwait         libmilter takes HUP, TERM and INT as "stop": signals.h
 *   mi_rd_cmd       reads a packet, and takes bent macros for whole ones: packet.h
 *   pthread_create  a session whose thread cannot be had is forgotten: workers.h. Where the
 *                   spare threads are lent as well, the session is made ready for the
 *                   next worker that has done its work: libmilter does that itself where
 *                   a thread that was to serve it cannot be detached, so that is what it is
 *                   told
 *   pthread_detach  for that
 *   accept          without descriptors it would be called again and again: a pause; and
 *                   some descriptors are held back for what is not a session: turnaway.h
 *   syslog          may wait for ever, with a lock held: to our own log, which never does
 */
#ifndef MILTER_INTERPOSE_H
#define MILTER_INTERPOSE_H

#include "lib/base/err.h"

/* Is each of them in effect? Not where libmilter was linked into the program, or another
 * library comes first. Before libmilter runs. */
NODISCARD bool interpose_check(struct err *err);

/* How many descriptors of limit are not for sessions. */
unsigned long interpose_held_back(unsigned long limit);

#endif
