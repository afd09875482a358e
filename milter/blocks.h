/*
 * blocks.h - sender entries made at run time, before all groups (SPEC 14,
 * `hat block`).
 *
 * Any static entry of SPEC 3.1, each with a policy and, if wanted, an end. The
 * newest stands first, so that the administrator's last word counts; the first
 * match decides. The list is owned by the main thread; sessions see an immutable
 * table built from it, by a counted reference, as with snapshots. It borrows
 * policies from the snapshot it was built for and keeps that alive.
 *
 * Every change is written to the file "blocks" in the state folder at once
 * (statefile.h). A file that is damaged is set aside, with a warning, and none
 * of it is used.
 *
 * An entry lasts as long as it was given by the clock that counts from the start
 * of the host, which nobody sets; what is shown and kept as wall-clock time follows
 * when that clock is set. While the daemon does not run, the more goes by of what
 * both clocks say: one that was set forward meanwhile ends entries that much too
 * early, one that was set back changes nothing unless the host was started again
 * too, when it cannot be noticed.
 *
 * An entry whose policy a new configuration does not have stays in the list,
 * but out of force, until one has it again. The log tells what went out of force or came
 * back once sessions see it. blocks_take() and blocks_drop(): any
 * thread, one mutex held for a copy and a count. All others: main thread; they
 * block on the disk.
 */
#ifndef MILTER_BLOCKS_H
#define MILTER_BLOCKS_H

#include "lib/base/problem.h"
#include "milter/snapshot.h"

#define BLOCKS_MAX 10000
#define BLOCKS_LONGEST_S (3650LL * 86400) /* of --for */
#define BLOCKS_POLICY "BLOCKED"           /* without --policy */
#define BLOCKS_ALLOWED "ACCEPTED"         /* of `hat allow` */
#define BLOCKS_COMMENT_MAX 200            /* bytes of --comment */

struct block {
    char *entry, *policy;   /* owned; as written */
    char *comment;          /* owned; why it is there; NULL: none */
    int64_t added, expires; /* wall-clock seconds, to be shown; expires 0: never */
    mono_us ends;           /* since boot; MONO_NEVER: it does not */
    bool in_force;
    bool told; /* in_force as the log has it */
};

struct blocks_table {
    atomic_uint references;
    struct snapshot *snapshot;
    struct hat *by_type[2]; /* owned; index: enum listener_type */
};

struct blocks {
    const char *folder; /* borrowed; NULL: nothing is kept */
    struct block *list; /* owned; newest first */
    size_t n, room;
    struct snapshot *snapshot; /* counted; the policies */
    bool behind; /* sessions see an earlier list: out of memory, tried again every tick */
    bool unsaved;
    mono_us save_again;
    mono_us next_end; /* the first of all ends; MONO_NEVER: none */
    mono_us offset;   /* the wall clock of `added` and `expires`, less the time since boot */

    pthread_mutex_t lock;         /* a leaf: current */
    struct blocks_table *current; /* NULL: no entry in force */
    atomic_bool any;              /* so that nobody locks for nothing */
    atomic_size_t count;          /* n, for any thread */
};

/* folder: for the file, NULL: none. Logs what is wrong with the file. */
void blocks_init(struct blocks *blocks, const char *folder, struct snapshot *snapshot);
void blocks_done(struct blocks *blocks);

/* Another configuration is in force; entries whose policy is gone are warned
 * about. */
void blocks_use(struct blocks *blocks, struct snapshot *snapshot);
/* Once a second: takes out what has ended; follows the wall clock; tries again what
 * memory or the disk did not allow. */
void blocks_tick(struct blocks *blocks);

/* An entry as such: syntax, and that it needs no look-up. note gets a warning,
 * a line, or nothing. */
NODISCARD bool blocks_check_entry(const char *entry, struct hat_entry *entry_out,
                                  struct strbuf *note, struct err *err);

/* One line of UTF-8 without what terminals obey; "" is one. */
NODISCARD bool blocks_check_comment(const char *comment, struct err *err);

/* What an administrator asks for. */
struct blocks_order {
    const char *entry, *policy;
    const char *comment; /* "": none */
    int64_t seconds;     /* 0: until it is removed */
};

/* In force from now on, as the first of the list, in the place of one of the same
 * text. note gets a line where it could not be saved. On failure all is as it was. */
NODISCARD bool blocks_add(struct blocks *blocks, const struct blocks_order *order,
                          struct strbuf *note, struct err *err);
/* false: there is none. Case is ignored. note as above, and a line where it holds a little
 * longer, for want of memory. */
NODISCARD bool blocks_remove(struct blocks *blocks, const char *entry, struct strbuf *note);

/* One for sessions; NULL: no entry is in force. */
struct blocks_table *blocks_take(struct blocks *blocks);
void blocks_drop(struct blocks_table *table); /* takes NULL */

/* For gatehousectl: those in force by the daemon's file alone, which stays as it
 * is. *table_out NULL: there is none. false: err says why nothing is known. */
NODISCARD bool blocks_look(const char *folder, struct snapshot *snapshot,
                           struct blocks_table **table_out, struct err *err);

#endif
