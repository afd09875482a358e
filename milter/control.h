/*
 * control.h - the control socket: gatehousectl asks, the daemon answers.
 *
 * A unix socket, mode 0660; a peer that is not root, the daemon's user or a
 * member of control_group is told so and gets nothing. One request a connection
 * (wire.h), but for a verb that holds something: then the connection stays, for one
 * more request, which ends it, or until CONTROL_HOLD_PATIENCE is over. A thread of its own polls
 * all clients, so one that sends or reads slowly, or not at all, holds up nobody: it is dropped at
 * CONTROL_PATIENCE, and where others wait for its place or its descriptor, one that has not asked
 * yet at CONTROL_GRACE. Sessions are never touched.
 *
 * What a request may do stands in a table of verbs. Most run in the control
 * thread and must be quick; a verb with in_main runs in the main thread, in
 * control_serve(), because it changes what main owns (reload, entries at run
 * time). Main is woken by poke() and others are answered meanwhile.
 *
 * control_open() to control_close(): main thread.
 */
#ifndef MILTER_CONTROL_H
#define MILTER_CONTROL_H

#include "lib/base/mono.h"
#include "milter/peer.h"
#include "milter/socketfile.h"
#include "milter/wire.h"

#define CONTROL_CLIENTS_MAX 32           /* at once; more wait in the backlog */
#define CONTROL_PATIENCE MONO_SECONDS(3) /* for a whole request; less than ask.h's */
#define CONTROL_GRACE MONO_MS(500)
#define CONTROL_HOLD_PATIENCE MONO_SECONDS(120)
#define CONTROL_READ_PATIENCE MONO_SECONDS(30) /* for a whole reply to be taken */

struct control_verb {
    const char *name;
    size_t least, most; /* arguments */
    bool in_main;
    bool logged; /* it changes something: the log says who asked for it, and what came of it */
    /* What WIRE_YES answers belongs to the connection: one more request may follow on it, of a
     * verb with of_holder, and when it ends let_go() is called, in any case. */
    bool holds, of_holder;
    /* arguments[0..n): of this request. Text for the client goes into reply. */
    enum wire_status (*run)(void *ctx, const char *const *arguments, size_t n,
                            struct strbuf *reply);
};

struct control_setup {
    const char *path;        /* of the socket; borrowed */
    struct peer_rules rules; /* rules.user also becomes the file's owner */
    gid_t group;             /* of the file */
    const struct control_verb *verbs;
    size_t nverbs;
    void *ctx;
    void (*let_go)(void *ctx); /* in main */
    mono_us hold_patience;     /* CONTROL_HOLD_PATIENCE, or that of a test */
    void (*poke)(void);        /* makes main call control_serve() soon; any thread */
};

struct control;

/* Bind and listen; before root is dropped. A socket nobody listens on any more
 * is replaced. */
struct control *control_open(const struct control_setup *setup, struct err *err);
/* Start the thread; all signals must be blocked in the caller or be nobody's
 * business. */
NODISCARD bool control_start(struct control *control, struct err *err);
/* Run what waits for the main thread. */
void control_serve(struct control *control);
/* End the thread, hang up on all clients, remove the socket; takes NULL. */
void control_close(struct control *control);

#endif
