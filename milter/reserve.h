/*
 * reserve.h - descriptors held back for clients of the control socket, so that one can ask what is
 * wrong when there are no others. One thread.
 */
#ifndef MILTER_RESERVE_H
#define MILTER_RESERVE_H

#include "lib/base/base.h"

#define RESERVE_N 4

struct reserve {
    int fds[RESERVE_N]; /* -1: given up for a client */
};

void reserve_init(struct reserve *reserve); /* none is held yet */
/* As far as there are any; like: some descriptor of ours. */
void reserve_fill(struct reserve *reserve, int like);
NODISCARD bool reserve_give_up(struct reserve *reserve); /* false: there is none left */

#endif
