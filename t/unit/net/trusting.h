/*
 * trusting.h - what tests of callahead_trust.h say and hear: one profile, one
 * server, the null sender. One thread; what is wrong fails the test.
 */
#ifndef T_UNIT_NET_TRUSTING_H
#define T_UNIT_NET_TRUSTING_H

#include "lib/net/callahead_trust.h"

#define VALID_LIFE MONO_SECONDS(900)
#define NO_LIFE MONO_SECONDS(300)
#define KNOWN MONO_SECONDS(86400)

enum heard { NOTHING, YES, NO };

extern const struct trust_seeds seeds;

struct trust_settings settings(bool probe);
/* The key of a recipient, in room. */
struct slice key_of(const char *recipient, char room[100]);
struct callahead_answer answer_of(enum callahead_class class);
enum trust_change learn(struct trust *trust, const char *recipient, enum callahead_class class,
                        bool fresh, mono_us now);
enum trust_next judge_with(struct trust *trust, const char *recipient, bool probe, mono_us now,
                           char witness[DOMAINS_WITNESS_MAX], enum trust_change *change);
enum trust_next judge(struct trust *trust, const char *recipient, mono_us now);
enum heard recall(struct trust *trust, const char *recipient, mono_us now);
bool stale(struct trust *trust, const char *recipient, mono_us longest, mono_us now);

#endif
