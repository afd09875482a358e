/*
 * callahead_state.h - what call-ahead remembers, on disk (SPEC 2 state_dir).
 *
 * Two files of lib/state/statefile.h: the secrets of the keyed hashes, and the
 * entries. A line an entry, so that a stolen file tells domains and servers,
 * but nobody's address:
 *
 *     saved SECONDS KEYID                     first; when, and with which secrets
 *     profile ENTRIES KNOWN MARK NAME         what follows is of this profile
 *     domain SECONDS catch_all|discerning NAME [PLACE]    probed then
 *     yes|no|all HASH LEARNED EXPIRES CODE STATUS SERVER DOMAIN
 *
 * ("all": a yes of a catch-all domain; "-" where there is nothing.) Times are
 * wall-clock seconds. A file that is damaged, older than STATE_OLDEST, from the
 * future, or of other secrets is not used; an entry of a profile whose servers
 * have changed since is not found.
 *
 * state_parse() is for any thread; the rest belongs to the pool's keeper.
 */
#ifndef LIB_NET_CALLAHEAD_STATE_H
#define LIB_NET_CALLAHEAD_STATE_H

#include "lib/net/callahead_trust.h"

#define STATE_FILE "callahead"
#define STATE_KEY_FILE "callahead.key"
#define STATE_OLDEST 604800 /* seconds */

struct memory_name {
    const char *name;
    size_t entries;
    uint64_t mark;
};

struct state_reader {
    /* false: the file is not to be used. */
    bool (*saved)(int64_t seconds, uint64_t key_id, void *arg);
    void (*profile)(const struct memory_name *name, mono_us known, void *arg);
    /* name: see callahead_domains.h. */
    void (*domain)(struct slice name, bool catch_all, int64_t probed, void *arg);
    /* Times of the entry are wall-clock microseconds. */
    void (*entry)(const struct trust_entry *entry, void *arg);
    void *arg;
};

/* The content, in place. Calls come in the order of the file; "saved" first,
 * "profile" before what is of it. false: it is none of ours (from there on), or
 * saved() did not want it. */
NODISCARD bool state_parse(char *text, const struct state_reader *reader);

#endif
