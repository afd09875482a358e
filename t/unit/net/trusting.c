/* trusting.c - see trusting.h. */
#include "t/unit/net/trusting.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

const struct trust_seeds seeds = {{1, 2}, {3, 4}};

struct trust_settings settings(bool probe)
{
    return (struct trust_settings){
        .valid = VALID_LIFE, .unknown = NO_LIFE, .known = KNOWN, .probe = probe};
}

struct slice key_of(const char *recipient, char room[100])
{
    room[0] = '\0'; /* the null sender */
    snprintf(room + 1, 99, "%s", recipient);
    return (struct slice){room, strlen(recipient) + 1};
}

struct callahead_answer answer_of(enum callahead_class class)
{
    struct callahead_answer answer = {.class = class, .code = 550, .status = "5.1.1"};
    snprintf(answer.server, sizeof answer.server, "10.0.0.5:25");
    snprintf(answer.text, sizeof answer.text, "said so");
    return answer;
}

enum trust_change learn(struct trust *trust, const char *recipient, enum callahead_class class,
                        bool fresh, mono_us now)
{
    char room[100];
    struct callahead_answer answer = answer_of(class);
    struct trust_settings set = settings(false);
    struct trust_heard heard = {
        .key = key_of(recipient, room), .recipient = recipient, .fresh = fresh, .answer = &answer};
    return trust_learn(trust, &heard, &set, now);
}

enum trust_next judge_with(struct trust *trust, const char *recipient, bool probe, mono_us now,
                           char witness[DOMAINS_WITNESS_MAX], enum trust_change *change)
{
    char room[100];
    struct callahead_answer answer = answer_of(CALLAHEAD_USER_UNKNOWN);
    struct trust_settings set = settings(probe);
    struct trust_heard heard = {
        .key = key_of(recipient, room), .recipient = recipient, .answer = &answer};
    return trust_judge(trust, &heard, &set, now, witness, change);
}

enum trust_next judge(struct trust *trust, const char *recipient, mono_us now)
{
    char witness[DOMAINS_WITNESS_MAX];
    enum trust_change change;
    return judge_with(trust, recipient, false, now, witness, &change);
}

enum heard recall(struct trust *trust, const char *recipient, mono_us now)
{
    char room[100];
    struct callahead_answer answer;
    if (trust_recall(trust, key_of(recipient, room), now, &answer) == TRUST_UNHEARD)
        return NOTHING;
    assert_true(answer.cached);
    assert_string_equal(answer.server, "10.0.0.5:25");
    assert_string_equal(answer.text, "said so");
    assert_true(answer.class == CALLAHEAD_VALID || answer.class == CALLAHEAD_USER_UNKNOWN);
    return answer.class == CALLAHEAD_VALID ? YES : NO;
}

bool stale(struct trust *trust, const char *recipient, mono_us longest, mono_us now)
{
    char room[100];
    struct callahead_answer answer;
    return trust_recall_stale(trust, key_of(recipient, room), longest, now, &answer);
}
