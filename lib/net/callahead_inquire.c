/*
 * callahead_inquire.c - an answer one may act on: where a server says no, what
 * callahead_trust.h wants to know before it believes that is asked as well, in
 * the same thread and until the same deadline. What was learned on the way
 * stays, so where time runs out the next one goes on from there.
 */
#include "lib/net/callahead_pool.h"

#include <string.h>

#define STEPS_MAX 12 /* questions beyond the first */
#define RANDOM_LETTERS 18

/* Where somebody says yes to this, he says yes to everything. */
static void put_random(struct strbuf *out, struct slice domain)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 */
    struct hash_seed dice = hash_seed_random();

    strbuf_putc(out, letters[dice.a % 24]); /* not a digit first */
    dice.a /= 32;
    for (size_t i = 1; i < RANDOM_LETTERS; i++) {
        uint64_t *from = i < 12 ? &dice.a : &dice.b;
        strbuf_putc(out, letters[*from % 32]);
        *from /= 32;
    }
    strbuf_putc(out, '@');
    strbuf_add(out, domain.p, domain.n);
}

static void add_lower(struct strbuf *out, const char *text)
{
    for (; *text; text++)
        strbuf_putc(out, ascii_lower(*text));
}

/* Asks for somebody else at the same place. false: there is no telling. */
static bool ask_instead(const struct asking *asking, const struct callahead_where *where,
                        mono_us deadline, const char *recipient, bool random)
{
    struct callahead_answer answer = {.class = CALLAHEAD_SERVER_ILL};
    struct asking other = *asking;
    struct strbuf key;
    size_t sender = strnlen(asking->key.p, asking->key.n) + 1;
    size_t place = sender + strnlen(asking->key.p + sender, asking->key.n - sender);

    strbuf_init(&key);
    strbuf_add(&key, asking->key.p, sender);
    add_lower(&key, recipient);
    strbuf_add(&key, asking->key.p + place, asking->key.n - place);
    other.key = (struct slice){key.p, key.n};
    other.recipient = recipient;
    other.base_recipient = NULL;
    other.base = (struct slice){NULL, 0};
    other.answer = &answer;
    other.anew = true;
    other.fresh = false;
    other.random = random;
    if (!key.failed)
        question_ask(&other, where, deadline);
    strbuf_done(&key);
    return answer.class == CALLAHEAD_VALID || answer.class == CALLAHEAD_USER_UNKNOWN;
}

bool inquire_random(const struct asking *asking, const struct callahead_where *where,
                    mono_us deadline)
{
    struct strbuf recipient;
    struct slice domain = asking->key;
    bool told = false;

    while (domain.n > 0 && memchr(domain.p, '@', domain.n)) {
        domain.p++;
        domain.n--;
    }
    domain.n = strnlen(domain.p, domain.n);
    strbuf_init(&recipient);
    put_random(&recipient, domain);
    if (!recipient.failed)
        told = ask_instead(asking, where, deadline, recipient.p, true);
    strbuf_done(&recipient);
    return told;
}

/* The server's no says nothing. */
static void cannot_tell(const struct asking *asking, const char *why)
{
    struct callahead_answer *answer = asking->answer;

    answer->class = CALLAHEAD_SERVER_ILL;
    snprintf(answer->text, sizeof answer->text, "%s", why);
    answer->status[0] = '\0';
    answer->code = 0;
    atomic_fetch_add_explicit(&asking->pool->suspended, 1, memory_order_relaxed);
}

/* One more question, so that one may believe the no. false: there is nothing
 * more to ask. */
static bool look_again(struct asking *asking, const struct callahead_where *where, mono_us deadline)
{
    char witness[DOMAINS_WITNESS_MAX];

    switch (memory_judge(asking, witness)) {
    case TRUST_IT:
        return false;
    case TRUST_ASK_AGAIN:
        asking->anew = asking->fresh = true;
        question_ask(asking, where, deadline);
        return true;
    case TRUST_ASK_OTHER:
        if (ask_instead(asking, where, deadline, witness, false))
            return true;
        break;
    case TRUST_ASK_RANDOM:
        (void)inquire_random(asking, where, deadline);
        return true;
    case TRUST_NOBODY:
        cannot_tell(asking,
                    "the server refuses every recipient, even those that it accepted before");
        return false;
    }
    cannot_tell(asking, "a known recipient is refused, and another one cannot be asked about");
    return false;
}

/* Until its no can be believed, or it is none. */
static void settle(struct asking *asking, const struct callahead_where *where, mono_us deadline)
{
    for (int steps = 0; asking->answer->class == CALLAHEAD_USER_UNKNOWN; steps++) {
        if (steps == STEPS_MAX)
            cannot_tell(asking, "a known recipient is refused, and no other can be asked about");
        else if (!look_again(asking, where, deadline))
            break;
    }
}

/* user@ was good, user+tag@ is not: only a server that can tell what becomes of user@ is
 * not ill. */
static bool can_tell_of_base(const struct asking *asking, const struct callahead_where *where,
                             mono_us deadline)
{
    struct callahead_answer answer = {.class = CALLAHEAD_SERVER_ILL};
    struct asking base = *asking;

    base.key = asking->base;
    base.recipient = asking->base_recipient;
    base.base = (struct slice){NULL, 0};
    base.base_recipient = NULL;
    base.answer = &answer;
    base.anew = true;
    question_ask(&base, where, deadline);
    settle(&base, where, deadline);
    return answer.class == CALLAHEAD_VALID || answer.class == CALLAHEAD_USER_UNKNOWN;
}

void inquire(struct asking *asking, const struct callahead_where *where, mono_us deadline)
{
    question_ask(asking, where, deadline);
    if (asking->answer->class == CALLAHEAD_USER_UNKNOWN && asking->base_recipient &&
        trust_is_good(asking->memory->trust, asking->base, mono_now()) &&
        !can_tell_of_base(asking, where, deadline))
        cannot_tell(asking, "a known recipient is refused with an extension, and the address "
                            "without it cannot be asked about");
    settle(asking, where, deadline);
}
