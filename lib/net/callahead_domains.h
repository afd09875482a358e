/*
 * callahead_domains.h - what is known of the domains one call-ahead profile
 * asks about: who of a domain was found good lately, whether its server takes
 * every address, and whether it is ill, which is to say: refuses everybody.
 *
 * A server whose own directory broke says "no such user" to all. So when one
 * who is known to be good is refused, and that on a fresh connection too,
 * others who were good lately, the witnesses, are asked for. If one of them is
 * accepted, the refusal stands. If all are refused, and with `probe_random` a
 * random address as well, the server is ill for this domain: it cannot tell.
 * It is well again with the first yes, or when there is no recent witness left
 * to judge by. Where there is no other witness a refusal stands.
 *
 * A domain whose server accepts a random address takes every address
 * ("catch-all") for a day; whom it accepts is no witness.
 *
 * A domain whose recipients are asked for at several places is a domain of its own at
 * each: those who were good at one cannot bear witness at another. Its name is followed
 * by a NUL and words for the place then, in all that is passed in.
 *
 * Bounded: DOMAINS_MAX domains, those used least recently are forgotten first.
 * Time is passed in. Any thread; one mutex, a leaf.
 */
#ifndef LIB_NET_CALLAHEAD_DOMAINS_H
#define LIB_NET_CALLAHEAD_DOMAINS_H

#include "lib/base/mono.h"
#include "lib/base/str.h"

#define DOMAINS_MAX 1024
#define DOMAINS_WITNESSES 4 /* of a domain */
#define DOMAINS_WITNESS_MAX 256
#define DOMAINS_PLACE 16                      /* bytes of words for a place */
#define DOMAINS_RECENT MONO_SECONDS(172800)   /* how long a witness is one, from its last yes */
#define DOMAINS_ANOTHER_LOOK MONO_SECONDS(60) /* at a server that is ill */
#define DOMAINS_PROBE_LIFE MONO_SECONDS(86400)

/* A recipient as it is remembered: a keyed hash (callahead_trust.h). */
struct trust_key {
    uint8_t b[16];
};

enum trust_next {
    TRUST_IT,         /* the refusal stands */
    TRUST_ASK_AGAIN,  /* for the same, from a fresh connection */
    TRUST_ASK_OTHER,  /* for this witness; then judge again */
    TRUST_ASK_RANDOM, /* for an address that cannot exist; then judge again */
    TRUST_NOBODY      /* the server cannot tell */
};
enum trust_change { TRUST_AS_BEFORE, TRUST_FELL_ILL, TRUST_GOT_WELL };

struct domains;

struct domains *domains_new(void); /* NULL: out of memory */
void domains_free(struct domains *domains);

/* The recipient was accepted; NULL: he cannot be a witness. */
enum trust_change domains_note_valid(struct domains *domains, struct slice domain,
                                     const struct trust_key *key, const char *recipient,
                                     mono_us now);
/* A refusal of it was heard. */
void domains_note_refused(struct domains *domains, struct slice domain, const struct trust_key *key,
                          mono_us now);
/* It is no user any more. */
void domains_note_gone(struct domains *domains, struct slice domain, const struct trust_key *key);
/* What a server said about a random address: true for a yes. */
void domains_note_random(struct domains *domains, struct slice domain, bool taken, mono_us now);

/* Somebody was refused; known: who had been good, and was refused first at
 * since, and on a fresh connection as well. witness_out holds an address
 * after TRUST_ASK_OTHER. Never TRUST_ASK_AGAIN. */
struct domains_refusal {
    const struct trust_key *key;
    bool known;
    mono_us since;
    bool may_probe;
};
enum trust_next domains_judge(struct domains *domains, struct slice domain,
                              const struct domains_refusal *refusal, mono_us now,
                              char witness_out[DOMAINS_WITNESS_MAX], enum trust_change *change_out);

bool domains_is_ill(struct domains *domains, struct slice domain, mono_us now);
bool domains_is_catch_all(struct domains *domains, struct slice domain, mono_us now);
/* Shall a random address be asked for? True once in DOMAINS_PROBE_LIFE. */
bool domains_probe_due(struct domains *domains, struct slice domain, mono_us now);

/* At all places; domain NULL: all. */
void domains_forget(struct domains *domains, const char *domain);

struct domains_state {
    const char *domain, *place; /* "" none */
    bool ill, catch_all;
    mono_us probed_at; /* MONO_NEVER: not */
};
/* Those that were probed or are ill. The lock is held: visit must be quick and
 * call nothing of this header. */
void domains_each(struct domains *domains, mono_us now,
                  void (*visit)(const struct domains_state *state, void *arg), void *arg);
void domains_restore(struct domains *domains, struct slice domain, bool catch_all,
                     mono_us probed_at, mono_us now);

#endif
