/*
 * verbs.h - what gatehousectl may ask of the daemon: the table for control.h.
 *
 * A verb runs in the control thread and does not block; one with in_main runs
 * in the main thread and may read files. Arguments come from outside: each verb
 * checks its own.
 */
#ifndef MILTER_VERBS_H
#define MILTER_VERBS_H

#include "milter/control.h"
#include "milter/form.h"
#include "milter/running.h"

/* The ctx of the verbs. */
struct verbs_world {
    struct house *house;
    struct running *running;
};

/* The client that held a candidate has gone. */
void verbs_let_go(void *ctx);

extern const struct control_verb verbs[];
extern const size_t verbs_count;

/* --- for verbs*.c --- */

/* Whether there is no argument, or one and it is this word. */
NODISCARD bool verbs_only_word(const char *const *arguments, size_t n, const char *word,
                               bool *given_out);
enum wire_status verbs_usage(struct strbuf *reply); /* the arguments are wrong */

/* Hosts that are left alone for now: "paused" of status, and samples of Prometheus. */
void verbs_put_paused(const struct house *house, struct form *form);
void verbs_put_paused_samples(const struct house *house, struct strbuf *out);

enum wire_status verbs_reload(void *ctx, const char *const *arguments, size_t n,
                              struct strbuf *reply);
enum wire_status verbs_reload_take(void *ctx, const char *const *arguments, size_t n,
                                   struct strbuf *reply);
enum wire_status verbs_reload_drop(void *ctx, const char *const *arguments, size_t n,
                                   struct strbuf *reply);

enum wire_status verbs_block(void *ctx, const char *const *arguments, size_t n,
                             struct strbuf *reply);
enum wire_status verbs_unblock(void *ctx, const char *const *arguments, size_t n,
                               struct strbuf *reply);
enum wire_status verbs_blocks(void *ctx, const char *const *arguments, size_t n,
                              struct strbuf *reply);

enum wire_status verbs_cache_list(void *ctx, const char *const *arguments, size_t n,
                                  struct strbuf *reply);
enum wire_status verbs_cache_flush(void *ctx, const char *const *arguments, size_t n,
                                   struct strbuf *reply);
enum wire_status verbs_counter_show(void *ctx, const char *const *arguments, size_t n,
                                    struct strbuf *reply);
enum wire_status verbs_counter_reset(void *ctx, const char *const *arguments, size_t n,
                                     struct strbuf *reply);

#endif
