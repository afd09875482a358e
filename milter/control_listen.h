/*
 * control_listen.h - the file of the control socket, made and listened on. Main thread, before
 * root is dropped.
 */
#ifndef MILTER_CONTROL_LISTEN_H
#define MILTER_CONTROL_LISTEN_H

#include "milter/control.h"

/* The descriptor, which does not block; -1: err. A socket nobody listens on any more is replaced.
 */
int control_listen(const struct control_setup *setup, struct socketfile *file_out, struct err *err);

#endif
