/*
 * mxcheck.h - domains whose mail DNS sends to this very host.
 *
 * Of a domain that a RAT accepts and no SMTP route leads on, DNS knows the mailbox
 * host: where that is this host itself (RFC 5321 section 5.1), call-ahead has nobody
 * to ask. Only warnings come of it; a domain without an answer in time has none. One
 * thread; blocks for MXCHECK_SECONDS at most.
 */
#ifndef MILTER_MXCHECK_H
#define MILTER_MXCHECK_H

#include "milter/snapshot.h"

#define MXCHECK_SECONDS 3
#define MXCHECK_MAX 500 /* domains; those behind are not asked for */

void mxcheck(const struct snapshot *snapshot, struct problems *problems);

#endif
