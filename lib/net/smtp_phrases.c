/* smtp_phrases.c - see smtp_phrases.h. */
#include "lib/net/smtp_phrases.h"

#include <pthread.h>
#include <string.h>

#define PHRASE(language, topic, words) {SMTP_##language, SMTP_##topic, false, words},
#define HIDES(language, topic, words) {SMTP_##language, SMTP_##topic, true, words},

const struct smtp_phrase smtp_phrases[] = {
#include "lib/net/smtp_phrases_en.def"
#include "lib/net/smtp_phrases_topics.def"
#include "lib/net/smtp_phrases_romance.def"
#include "lib/net/smtp_phrases_north.def"
#include "lib/net/smtp_phrases_east.def"
};
const size_t smtp_phrases_n = ARRAY_LEN(smtp_phrases);

/* --- the index: phrases by the first three bytes of their first word ----------- */

#define BUCKETS 1024
#define NONE UINT16_MAX

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static uint16_t first_of[BUCKETS], next_of[ARRAY_LEN(smtp_phrases)];

_Static_assert(ARRAY_LEN(smtp_phrases) < NONE, "phrases are numbered with 16 bits");

/* A shorter word ends in a blank, here and in the text. */
static unsigned bucket_of(const char *word)
{
    unsigned key = 0;
    for (unsigned i = 0; i < 3; i++) {
        bool over = word[i] == ' ' || word[i] == '\0';
        key = key * 31 + (over ? ' ' : (unsigned char)word[i]);
        if (over)
            break;
    }
    return key % BUCKETS;
}

static void make_index(void)
{
    for (size_t i = 0; i < BUCKETS; i++)
        first_of[i] = NONE;
    for (size_t i = ARRAY_LEN(smtp_phrases); i-- > 0;) {
        unsigned bucket = bucket_of(smtp_phrases[i].words);
        next_of[i] = first_of[bucket];
        first_of[bucket] = (uint16_t)i;
    }
}

/* --- one phrase at one place ------------------------------------------------------ */

/* Bytes of a pattern that are one word of the text. */
static size_t pattern_word(const char *pattern)
{
    size_t n = strcspn(pattern, " ");
    unsigned char lead = (unsigned char)pattern[0];
    if (lead >= 0xe2 && n >= 3) {
        unsigned c = (lead & 0x0fU) << 12 | ((unsigned char)pattern[1] & 0x3fU) << 6 |
                     ((unsigned char)pattern[2] & 0x3fU);
        if (smtp_is_ideograph((uint16_t)c))
            return 3;
    }
    for (size_t i = 1; i < n; i++) {
        if ((unsigned char)pattern[i] >= 0xe3) /* "ip" before an ideograph */
            return i;
    }
    return n;
}

static bool word_is(const struct smtp_words *words, size_t i, const char *pattern, size_t n)
{
    const char *word = words->text + words->start[i];
    bool stem = pattern[n - 1] == '*';
    return strncmp(word, pattern, stem ? n - 1 : n) == 0 && (stem || word[n] == ' ');
}

/* Which words may it be made of? Those of host names are only for names of lists. */
static bool counts(const struct smtp_words *words, size_t i, enum smtp_topic topic)
{
    uint8_t marks = words->marks[i];
    return !(marks & SMTP_HIDDEN) && (!(marks & SMTP_LABEL) || topic == SMTP_LIST);
}

static bool is_at_sign(const struct smtp_words *words, size_t i)
{
    return words->text[words->start[i]] == '@';
}

/* The word behind the phrase, if it stands at word i; else 0. The recipient
 * may stand between its words. */
static size_t phrase_end(const struct smtp_words *words, size_t i, const struct smtp_phrase *phrase)
{
    const char *pattern = phrase->words;
    while (*pattern) {
        size_t n = pattern_word(pattern);
        while (i < words->n && is_at_sign(words, i) && *pattern != '@')
            i++;
        /* The text ends in a NUL: no word is compared beyond its end. */
        if (i == words->n || !counts(words, i, phrase->topic) || !word_is(words, i, pattern, n))
            return 0;
        pattern += n;
        while (*pattern == ' ')
            pattern++;
        i++;
    }
    return i;
}

static void mark(struct smtp_words *words, size_t from, size_t end, enum smtp_mark mark)
{
    for (size_t i = from; i < end; i++)
        words->marks[i] = (uint8_t)(words->marks[i] | mark);
}

/* --- all phrases -------------------------------------------------------------------- */

/* What was found of IS_NOT_..., to be looked at when all subjects are marked. */
#define NEGATIONS_MAX 64

struct finding {
    unsigned topics;
    struct negation {
        enum smtp_topic topic;
        uint16_t from, end;
    } negations[NEGATIONS_MAX]; /* further ones are no evidence */
    size_t negations_n;
};

static void take(struct smtp_words *words, size_t from, size_t end,
                 const struct smtp_phrase *phrase, struct finding *finding)
{
    if (phrase->topic == SMTP_WHO) {
        mark(words, from, end, SMTP_IS_WHO);
    } else if (phrase->topic == SMTP_WHAT) {
        mark(words, from, end, SMTP_IS_WHAT);
    } else if (phrase->topic < SMTP_WHO) {
        finding->topics |= phrase->topic;
    } else if (finding->negations_n < NEGATIONS_MAX) {
        finding->negations[finding->negations_n++] =
            (struct negation){phrase->topic, (uint16_t)from, (uint16_t)end};
    }
    if (phrase->hides)
        mark(words, from, end, SMTP_HIDDEN);
}

static void look(struct smtp_words *words, bool hides, struct finding *finding)
{
    for (size_t i = 0; i < words->n; i++) {
        uint16_t at = first_of[bucket_of(words->text + words->start[i])];
        for (; at != NONE; at = next_of[at]) {
            const struct smtp_phrase *phrase = &smtp_phrases[at];
            size_t end = phrase->hides == hides ? phrase_end(words, i, phrase) : 0;
            if (end > 0)
                take(words, i, end, phrase, finding);
        }
    }
}

/* --- who does not exist? --------------------------------------------------------------- */

#define REACH_BEHIND 8 /* words from a subject to what is said of it */
#define REACH_BEFORE 3 /* ... and back: "no such local user" */
#define REACH_BESIDE 2

enum subject { SUBJECT_NONE, SUBJECT_WHO, SUBJECT_WHAT };

static bool is_end(const struct smtp_words *words, size_t i)
{
    return i >= words->n || words->text[words->start[i]] == '.' || (words->marks[i] & SMTP_LABEL);
}

/* "The recipient's domain" is none: the last noun is what it is about. */
static enum subject subject_at(const struct smtp_words *words, size_t i)
{
    if (words->marks[i] & SMTP_IS_WHAT)
        return SUBJECT_WHAT;
    if (!(words->marks[i] & SMTP_IS_WHO))
        return SUBJECT_NONE;
    for (i++; !is_end(words, i) && (words->marks[i] & SMTP_IS_WHO) && !is_at_sign(words, i);)
        i++;
    bool possessive = !is_end(words, i) && words->text[words->start[i]] == 's' &&
                      words->text[words->start[i] + 1] == ' ';
    i += possessive;
    bool compound = !is_end(words, i) && (words->marks[i] & SMTP_IS_WHAT) &&
                    (possessive || !(words->marks[i] & SMTP_PUNCTUATED));
    return compound ? SUBJECT_WHAT : SUBJECT_WHO;
}

static enum subject subject_before(const struct smtp_words *words, size_t i, size_t reach)
{
    for (; i > 0 && reach > 0 && !is_end(words, i - 1); i--, reach--) {
        enum subject subject = subject_at(words, i - 1);
        if (subject != SUBJECT_NONE)
            return subject;
    }
    return SUBJECT_NONE;
}

static enum subject subject_behind(const struct smtp_words *words, size_t i, size_t reach)
{
    for (; reach > 0 && !is_end(words, i); i++, reach--) {
        enum subject subject = subject_at(words, i);
        if (subject != SUBJECT_NONE)
            return subject;
    }
    return SUBJECT_NONE;
}

static bool is_evidence(const struct smtp_words *words, const struct negation *negation)
{
    bool behind = negation->topic == SMTP_IS_NOT_BEHIND;
    bool beside = negation->topic == SMTP_IS_NOT_BESIDE;
    size_t back = beside ? REACH_BESIDE + 1 : REACH_BEHIND + 1;
    size_t ahead = beside ? 1 : REACH_BEFORE;
    enum subject before = subject_before(words, negation->from, back);
    enum subject after = subject_behind(words, negation->end, ahead);
    if (behind)
        return before == SUBJECT_WHO || (before == SUBJECT_NONE && after == SUBJECT_WHO);
    return after == SUBJECT_WHO || (after == SUBJECT_NONE && before == SUBJECT_WHO);
}

unsigned smtp_topics_of(struct smtp_words *words)
{
    struct finding finding = {.topics = 0};
    (void)pthread_once(&index_once, make_index);
    look(words, true, &finding);
    look(words, false, &finding);
    for (size_t i = 0; i < finding.negations_n; i++) {
        if (!(finding.topics & SMTP_NO_USER) && is_evidence(words, &finding.negations[i]))
            finding.topics |= SMTP_NO_USER;
    }
    return finding.topics;
}
