/*
 * callahead_trust.h - what is remembered of the recipients of one call-ahead
 * profile, and what a "no" is worth.
 *
 * A yes lives as long as the settings say, and when its life is over it is
 * still known for a while that the recipient was good (trust_settings.known).
 * Only user_unknown is ever remembered as a no, and only once it is believed:
 *
 *   - a recipient who was not known to be good: at once;
 *   - one who was: refused again on a fresh connection, and then only if the
 *     server accepts somebody else (callahead_domains.h);
 *   - nobody, while the server is ill for that domain.
 *
 * Whatever else a server says is not remembered; "cannot tell" never becomes a
 * no. What a server says of a catch-all domain is no proof of anything and is
 * kept with the noes.
 *
 * Two tables: three quarters of the room for recipients who are known to be
 * good, the rest for noes. So that strangers who try one name after another
 * push out only what strangers have tried.
 *
 * Recipients are kept under keyed hashes (SipHash, 128 bits, two secrets), so
 * that what is written to a disk tells nobody's address. Those that were asked
 * for since the start are kept with their names as well, for people to look at.
 *
 * Time is passed in. Any thread; locks are those of cache.h and
 * callahead_domains.h, leaves, never held together.
 */
#ifndef LIB_NET_CALLAHEAD_TRUST_H
#define LIB_NET_CALLAHEAD_TRUST_H

#include "lib/base/answer.h"
#include "lib/base/hash.h"
#include "lib/net/callahead_domains.h"

#define TRUST_SERVER_MAX 60
#define TRUST_HIDDEN "*" /* local part of a recipient that only its hash is known of */

struct trust_seeds {
    struct hash_seed whole, recipient;
};

struct trust_settings {
    mono_us valid, unknown; /* lives of answers */
    mono_us known;          /* how long one is known to have been good, after that */
    bool probe;             /* a random address may be asked for */
};

struct trust;

struct trust *trust_new(size_t entries, const struct trust_seeds *seeds); /* NULL: memory */
void trust_free(struct trust *trust);

/* Everywhere: key is the sender, a NUL, and the recipient in lower case; then, where
 * not all of the profile's recipients are asked for at the same place, a NUL and words
 * for that place. What one place says counts there only. */

/* --- looking ---------------------------------------------------------------------- */
enum trust_recalled {
    TRUST_UNHEARD,
    TRUST_FRESH,
    TRUST_DUE /* fresh, but in the last quarter of its life: ask again beforehand; said only
                 from time to time */
};
enum trust_recalled trust_recall(struct trust *trust, struct slice key, mono_us now,
                                 struct callahead_answer *answer_out);
/* The yes of a recipient whose life ended within the last `longest`, and whom
 * nobody has refused since (but a server that is ill). */
NODISCARD bool trust_recall_stale(struct trust *trust, struct slice key, mono_us longest,
                                  mono_us now, struct callahead_answer *answer_out);

/* Was it good lately, whatever was heard since? */
bool trust_is_good(struct trust *trust, struct slice key, mono_us now);

/* --- learning --------------------------------------------------------------------- */
struct trust_heard {
    struct slice key;
    const char *recipient; /* as it went into RCPT TO */
    bool fresh;            /* nobody else was asked for on that connection before */
    const struct callahead_answer *answer;
};
enum trust_change trust_learn(struct trust *trust, const struct trust_heard *heard,
                              const struct trust_settings *settings, mono_us now);
/* After a refusal was learned: is it believed, or who must be asked for next? */
enum trust_next trust_judge(struct trust *trust, const struct trust_heard *heard,
                            const struct trust_settings *settings, mono_us now,
                            char witness_out[DOMAINS_WITNESS_MAX], enum trust_change *change_out);
/* Shall a random address of the key's domain be asked for? Once a day. */
bool trust_probe_due(struct trust *trust, struct slice key, mono_us now);
/* key: of the one in whose place it was asked for. */
void trust_learn_random(struct trust *trust, struct slice key, enum callahead_class class,
                        mono_us now);

/* --- all of it -------------------------------------------------------------------- */
struct trust_entry {
    struct trust_key key;
    struct slice recipient; /* "*@domain" where only the hash is known */
    enum callahead_class class;
    int code;
    const char *status, *server;
    mono_us learned, expires;
    bool known_good; /* in the table of those; also after it has expired */
};
/* A lock of a table is held: visit must be quick and call nothing of this
 * header. Return true to forget the entry. */
void trust_each(struct trust *trust, mono_us now,
                bool (*visit)(const struct trust_entry *entry, void *arg), void *arg);
/* Is the entry that of this recipient, whoever the sender? */
bool trust_is_of(const struct trust *trust, const struct trust_entry *entry, const char *recipient);
/* From a file; entry.recipient holds its domain as above. */
void trust_restore(struct trust *trust, const struct trust_entry *entry, mono_us known,
                   mono_us now);
void trust_clear(struct trust *trust);
bool trust_is_empty(struct trust *trust); /* no answers */
struct domains *trust_domains(struct trust *trust);

#endif
