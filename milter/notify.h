/*
 * notify.h - tell a service manager how the daemon is doing: the protocol of
 * sd_notify(3), one datagram to $NOTIFY_SOCKET. Nothing happens without one.
 */
#ifndef MILTER_NOTIFY_H
#define MILTER_NOTIFY_H

#include "lib/base/base.h"

/* state: "READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1", ... */
void notify_state(const char *state);

#endif
