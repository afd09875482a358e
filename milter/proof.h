/*
 * proof.h - what `gatehousectl doctor` finds out by trying: each step asks the MTA's own
 * tools, the daemon, or a socket, and prints a line a finding.
 *
 *   good: ...          it was tried, and works
 *   warning: ...       it works, but
 *   error: ...         it does not work; the exit status is 1
 *   cannot tell: ...   it could not be tried, which is never good
 *
 * Every step ends in bounded time. One thread; blocks on what it asks.
 */
#ifndef MILTER_PROOF_H
#define MILTER_PROOF_H

#include "lib/mta/doctor.h"
#include "milter/blocks.h"
#include "milter/snapshot.h"

#define PROOF_SECONDS 5 /* for a socket, with all that is said there */

struct proof {
    const char *conf; /* path of the configuration */
    struct snapshot *snapshot;
    const struct blocks_table *blocks; /* entries made at run time; NULL: none */
    struct arena *arena;
    struct maps_input input;
    enum maps_mta mta;
    const char *folder;       /* of the maps */
    const char *compiler;     /* postmap or makemap */
    const char *sendmail;     /* the program */
    const char *cf_path;      /* sendmail.cf */
    struct postconf postconf; /* Postfix alone; "" else */
    const char *cf;           /* Sendmail alone; "" else */
    const struct doctor_host *host;
    uint64_t daemon; /* its process, as it says; 0: it does not answer */
    size_t errors, unknown;
};

void proof_good(struct proof *proof, const char *fmt, ...) PRINTF_LIKE(2, 3);
void proof_warning(struct proof *proof, const char *fmt, ...) PRINTF_LIKE(2, 3);
void proof_error(struct proof *proof, const char *fmt, ...) PRINTF_LIKE(2, 3);
void proof_unknown(struct proof *proof, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A service of the MTA that listens on TCP, and whose clients a listener of ours judges. */
struct proof_service {
    const char *name;                     /* "smtp", "127.0.0.1:2525" */
    const struct maps_listener *listener; /* NULL: none */
    struct ip address;                    /* where one of this host meets it */
    uint16_t port;                        /* 0: not known */
    struct postconf_service postfix;      /* Postfix alone */
};
/* Into the arena. false: out of memory. */
NODISCARD bool proof_services(struct proof *proof, struct proof_service **list_out, size_t *n_out);

/* Is the daemon alive, and has it read what is on disk now? Fills proof->daemon. */
void proof_daemon(struct proof *proof);
/* Does each service come to our socket, as the user that it is, and is it we who answer? */
void proof_sockets(struct proof *proof);
/* Are the maps those of the configuration, and do the MTA's own tools say of them what
 * Gatehouse does? */
void proof_maps(struct proof *proof);
/* Through each service: does Gatehouse refuse what it should? */
void proof_try(struct proof *proof);

#endif
