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

#define BUCKETS 4096
#define NONE UINT16_MAX

/* One for the phrases that hide others, one for all others. */
struct chains {
    uint16_t first[BUCKETS];
};

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static struct chains hiding, others;
static struct {
    uint32_t key;
    uint16_t next;
} links[ARRAY_LEN(smtp_phrases)];

_Static_assert(ARRAY_LEN(smtp_phrases) < NONE, "phrases are numbered with 16 bits");

/* Of a shorter word the blank behind it is one, here and in the text. */
static uint32_t key_of(const char *word)
{
    uint32_t key = 0;
    for (unsigned i = 0; i < 3; i++) {
        bool over = word[i] == ' ' || word[i] == '\0';
        key = key << 8 | (over ? ' ' : (unsigned char)word[i]);
        if (over)
            break;
    }
    return key;
}

static uint16_t *bucket_of(struct chains *chains, uint32_t key)
{
    return &chains->first[key * 2654435761U >> 20];
}

static void make_index(void)
{
    memset(&hiding, 0xff, sizeof hiding);
    memset(&others, 0xff, sizeof others);
    for (size_t i = ARRAY_LEN(smtp_phrases); i-- > 0;) {
        links[i].key = key_of(smtp_phrases[i].words);
        uint16_t *first = bucket_of(smtp_phrases[i].hides ? &hiding : &others, links[i].key);
        links[i].next = *first;
        *first = (uint16_t)i;
    }
}

/* --- one phrase at one place ------------------------------------------------------ */

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

static bool is_wide(char c)
{
    return (unsigned char)c >= 0xe3; /* ideographs, kana */
}

/* The word behind the phrase, if it stands at word i; else 0. The recipient
 * may stand between its words. */
static size_t phrase_end(const struct smtp_words *words, size_t i, const struct smtp_phrase *phrase)
{
    const char *pattern = phrase->words;
    for (;; i++) {
        while (i < words->n && is_at_sign(words, i) && *pattern != '@')
            i++;
        if (i >= words->n || !counts(words, i, phrase->topic))
            return 0;
        const char *word = words->text + words->start[i], *p = word;
        while (*p != ' ' && *p == *pattern) {
            p++;
            pattern++;
        }
        if (*pattern == '*' || (*pattern == '\0' && *p == ' '))
            return i + 1;
        if (*p != ' ' || (*pattern != ' ' && !is_wide(*word) && !is_wide(*pattern)))
            return 0;
        pattern += *pattern == ' ';
    }
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

static void look(struct smtp_words *words, struct chains *chains, struct finding *finding)
{
    for (size_t i = 0; i < words->n; i++) {
        uint32_t key = key_of(words->text + words->start[i]);
        for (uint16_t at = *bucket_of(chains, key); at != NONE; at = links[at].next) {
            size_t end = links[at].key == key ? phrase_end(words, i, &smtp_phrases[at]) : 0;
            if (end > 0)
                take(words, i, end, &smtp_phrases[at], finding);
        }
    }
}

/* --- who does not exist? --------------------------------------------------------------- */

#define REACH_BEHIND 9 /* words from a subject to what is said of it */
#define REACH_BEFORE 3 /* ... and back: "no such local user" */
#define REACH_BESIDE 2

enum subject { SUBJECT_NONE, SUBJECT_WHO, SUBJECT_WHAT };

static bool is_end(const struct smtp_words *words, size_t i)
{
    return i >= words->n || words->text[words->start[i]] == '.' || (words->marks[i] & SMTP_LABEL);
}

/* Between something and whose it is: "the domain of the recipient". */
static const char *const links_of[] = {
    "of ",   "the ",  "for ",  "this ", "that ", "your ", "du ",   "de ",     "la ",   "le ",
    "l ",    "les ",  "des ",  "d ",    "ce ",   "cet ",  "pour ", "del ",    "el ",   "los ",
    "para ", "este ", "do ",   "da ",   "dos ",  "o ",    "a ",    "di ",     "dell ", "della ",
    "il ",   "lo ",   "per ",  "der ",  "dem ",  "den ",  "die ",  "dieses ", "fur ",  "van ",
    "het ",  "een ",  "voor ", "dla ",  "tego ", "для ",  "этого "};

static bool is_link(const struct smtp_words *words, size_t i)
{
    for (size_t k = 0; k < ARRAY_LEN(links_of); k++) {
        if (strncmp(words->text + words->start[i], links_of[k], strlen(links_of[k])) == 0)
            return true;
    }
    return false;
}

#define NOUNS_MAX 4 /* "user e mail account" */

static bool is_noun_of(const struct smtp_words *words, size_t i)
{
    return (words->marks[i] & SMTP_IS_WHO) && !is_at_sign(words, i);
}

/* "The domain of the recipient", or without an "of" where a case says it. */
static bool is_owner(const struct smtp_words *words, size_t i)
{
    for (size_t n = 0; n < NOUNS_MAX && i > 0 && is_noun_of(words, i - 1); n++)
        i--;
    for (size_t n = 0; n < 3 && i > 0 && !(words->marks[i] & SMTP_PUNCTUATED); n++, i--) {
        if (words->marks[i - 1] & SMTP_IS_WHAT)
            return true;
        if (!is_link(words, i - 1))
            return false;
    }
    return false;
}

/* "The recipient's domain": the last noun is what it is about. */
static bool is_owner_before(const struct smtp_words *words, size_t i)
{
    i++;
    for (size_t n = 0; n < NOUNS_MAX && !is_end(words, i) && is_noun_of(words, i); n++)
        i++;
    bool possessive = !is_end(words, i) && strncmp(words->text + words->start[i], "s ", 2) == 0;
    i += possessive;
    return !is_end(words, i) && (words->marks[i] & SMTP_IS_WHAT) &&
           (possessive || !(words->marks[i] & SMTP_PUNCTUATED));
}

static enum subject subject_at(const struct smtp_words *words, size_t i)
{
    if (words->marks[i] & SMTP_IS_WHAT)
        return SUBJECT_WHAT;
    if (!(words->marks[i] & SMTP_IS_WHO))
        return SUBJECT_NONE;
    return is_owner(words, i) || is_owner_before(words, i) ? SUBJECT_WHAT : SUBJECT_WHO;
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

/* "Unknown user", "utilisateur inconnu": what stands right beside it decides,
 * first what it cannot be about, then what follows further away. */
static bool is_said_before(const struct smtp_words *words, const struct negation *negation)
{
    bool begins = words->marks[negation->from] & SMTP_PUNCTUATED;
    enum subject next = subject_behind(words, negation->end, 1);
    enum subject last = begins ? SUBJECT_NONE : subject_before(words, negation->from, 1);
    if (next == SUBJECT_WHAT || last == SUBJECT_WHAT)
        return false;
    if (next == SUBJECT_WHO || last == SUBJECT_WHO)
        return true;
    last = begins ? SUBJECT_NONE : subject_before(words, negation->from, REACH_BESIDE);
    if (last != SUBJECT_NONE)
        return last == SUBJECT_WHO;
    next = subject_behind(words, negation->end, REACH_BEFORE);
    return next == SUBJECT_WHO ||
           (next == SUBJECT_NONE &&
            subject_before(words, negation->from, REACH_BEHIND) == SUBJECT_WHO);
}

static bool is_evidence(const struct smtp_words *words, const struct negation *negation)
{
    size_t from = negation->from, end = negation->end;
    if (negation->topic == SMTP_IS_NOT_BEFORE)
        return is_said_before(words, negation);
    if (negation->topic == SMTP_IS_NOT_BESIDE) {
        enum subject next = subject_behind(words, end, 1);
        return next == SUBJECT_WHO ||
               (next == SUBJECT_NONE &&
                subject_before(words, from, REACH_BESIDE + 1) == SUBJECT_WHO);
    }
    enum subject before = subject_before(words, from, REACH_BEHIND);
    return before == SUBJECT_WHO ||
           (before == SUBJECT_NONE && subject_behind(words, end, REACH_BEFORE) == SUBJECT_WHO);
}

unsigned smtp_topics_of(struct smtp_words *words)
{
    struct finding finding = {.topics = 0};
    (void)pthread_once(&index_once, make_index);
    look(words, &hiding, &finding);
    look(words, &others, &finding);
    for (size_t i = 0; i < finding.negations_n; i++) {
        if (!(finding.topics & SMTP_NO_USER) && is_evidence(words, &finding.negations[i]))
            finding.topics |= SMTP_NO_USER;
    }
    return finding.topics;
}
