/* smtp_class.c - see smtp_class.h. */
#include "lib/net/smtp_class.h"

#include <string.h>
#include "lib/net/smtp_reply.h"

/* What the words of a text speak of. */
enum topic {
    TOPIC_GREYLIST = 1,
    TOPIC_FULL = 2,
    TOPIC_RELAY = 4,
    TOPIC_SENDER = 8,
    TOPIC_BLOCK = 16, /* blocking, policy, spam, the client */
    TOPIC_RECIPIENT_REJECTED = 32,
    TOPIC_TROUBLE = 64 /* the server's own */
};

#define TOPIC_NOT_RECIPIENT (TOPIC_RELAY | TOPIC_SENDER | TOPIC_BLOCK)

struct phrase {
    enum topic topic;
    const char *words; /* a blank before means: at the start of a word; after: at its end */
};

static const struct phrase phrases[] = {
    {TOPIC_GREYLIST, " greylist"},
    {TOPIC_GREYLIST, " graylist"},
    {TOPIC_GREYLIST, " grey list"},
    {TOPIC_GREYLIST, " gray list"},
    {TOPIC_FULL, " over quota"},
    {TOPIC_FULL, " overquota"},
    {TOPIC_FULL, " quota exceeded"},
    {TOPIC_FULL, " exceeded quota"},
    {TOPIC_FULL, " exceeds quota"},
    {TOPIC_FULL, " exceeded its quota"},
    {TOPIC_FULL, " out of storage"},
    {TOPIC_FULL, " storage allocation"},
    {TOPIC_FULL, " mailbox full"},
    {TOPIC_FULL, " mailbox is full"},
    {TOPIC_FULL, " inbox is full"},
    {TOPIC_FULL, " is over its quota"},
    {TOPIC_RELAY, " relay"},
    {TOPIC_RELAY, " rcpthosts "},
    {TOPIC_SENDER, " sender"},
    {TOPIC_SENDER, " mail from"},
    {TOPIC_SENDER, " return path"},
    {TOPIC_SENDER, " reverse path"},
    {TOPIC_SENDER, " envelope from"},
    {TOPIC_SENDER, " from address"},
    {TOPIC_SENDER, " originat"},
    {TOPIC_SENDER, " your domain"},
    {TOPIC_SENDER, " your email address"},
    {TOPIC_SENDER, " your e mail address"},
    {TOPIC_BLOCK, " block"},
    {TOPIC_BLOCK, " blacklist"},
    {TOPIC_BLOCK, " black list"},
    {TOPIC_BLOCK, " denylist"},
    {TOPIC_BLOCK, " deny list"},
    {TOPIC_BLOCK, " banned "},
    {TOPIC_BLOCK, " rbl"},
    {TOPIC_BLOCK, " dnsbl"},
    {TOPIC_BLOCK, " is listed"},
    {TOPIC_BLOCK, " are listed"},
    {TOPIC_BLOCK, " listed at "},
    {TOPIC_BLOCK, " listed by "},
    {TOPIC_BLOCK, " listed on "},
    {TOPIC_BLOCK, " reputation"},
    {TOPIC_BLOCK, " your ip "},
    {TOPIC_BLOCK, " your host"},
    {TOPIC_BLOCK, " your server"},
    {TOPIC_BLOCK, " client host"},
    {TOPIC_BLOCK, " ip address"},
    {TOPIC_BLOCK, " helo "},
    {TOPIC_BLOCK, " ehlo "},
    {TOPIC_BLOCK, " access denied"},
    {TOPIC_BLOCK, " denied access"},
    {TOPIC_BLOCK, " permission denied"},
    {TOPIC_BLOCK, " not permitted"},
    {TOPIC_BLOCK, " are not allowed"},
    {TOPIC_BLOCK, " not allowed to "},
    {TOPIC_BLOCK, " not allowed by "},
    {TOPIC_BLOCK, " not allowed from "},
    {TOPIC_BLOCK, " not accepting"},
    {TOPIC_BLOCK, " not authori"},
    {TOPIC_BLOCK, " unauthori"},
    {TOPIC_BLOCK, " unauthenticated"},
    {TOPIC_BLOCK, " authenticat"},
    {TOPIC_BLOCK, " authoriz"},
    {TOPIC_BLOCK, " forbidden"},
    {TOPIC_BLOCK, " prohibit"},
    {TOPIC_BLOCK, " administrative"},
    {TOPIC_BLOCK, " polic"},
    {TOPIC_BLOCK, " restrict"},
    {TOPIC_BLOCK, " reverse dns"},
    {TOPIC_BLOCK, " rdns"},
    {TOPIC_BLOCK, " ptr "},
    {TOPIC_BLOCK, " too many"},
    {TOPIC_BLOCK, " too much"},
    {TOPIC_BLOCK, " rate limit"},
    {TOPIC_BLOCK, " throttl"},
    {TOPIC_BLOCK, " suspicious"},
    {TOPIC_BLOCK, " suspected"},
    {TOPIC_BLOCK, " spf "},
    {TOPIC_BLOCK, " dkim "},
    {TOPIC_BLOCK, " dmarc "},
    {TOPIC_BLOCK, " spam"},
    {TOPIC_BLOCK, " antispam"},
    {TOPIC_BLOCK, " junk"},
    {TOPIC_BLOCK, " unsolicited"},
    {TOPIC_BLOCK, " bulk"},
    {TOPIC_BLOCK, " abus"},
    {TOPIC_BLOCK, " virus"},
    {TOPIC_BLOCK, " malware"},
    {TOPIC_BLOCK, " phish"},
    {TOPIC_RECIPIENT_REJECTED, " recipient address rejected "},
    {TOPIC_TROUBLE, " internal error"},
    {TOPIC_TROUBLE, " internal server error"},
    {TOPIC_TROUBLE, " system error"},
    {TOPIC_TROUBLE, " server error"},
    {TOPIC_TROUBLE, " database error"},
    {TOPIC_TROUBLE, " configuration error"},
    {TOPIC_TROUBLE, " lookup fail"},
    {TOPIC_TROUBLE, " lookup error"},
    {TOPIC_TROUBLE, " service unavailable"},
    {TOPIC_TROUBLE, " service not available"},
    {TOPIC_TROUBLE, " temporar"},
    {TOPIC_TROUBLE, " timed out"},
    {TOPIC_TROUBLE, " overloaded"},
    {TOPIC_TROUBLE, " try again later"},
    {TOPIC_TROUBLE, " try later"},
};

/* First match wins. status: a pattern, '*' stands for any number; NO_STATUS:
 * the reply has none. topics: at least one of these; 0: whatever the text. */
#define ANY_STATUS NULL
#define NO_STATUS ""

struct rule {
    int code_min, code_max;
    const char *status;
    unsigned topics;
    enum callahead_class class;
};

static const struct rule at_rcpt[] = {
    {200, 299, ANY_STATUS, 0, CALLAHEAD_VALID},
    /* Some greylist with a permanent code. */
    {400, 599, ANY_STATUS, TOPIC_GREYLIST, CALLAHEAD_GREYLISTED},
    {400, 599, "*.2.2", 0, CALLAHEAD_MAILBOX_FULL},
    {400, 499, NO_STATUS, TOPIC_FULL, CALLAHEAD_MAILBOX_FULL},
    {400, 499, ANY_STATUS, 0, CALLAHEAD_TEMPORARY},
    {521, 521, ANY_STATUS, 0, CALLAHEAD_SERVER_ILL}, /* the host takes no mail (RFC 7504) */
    {500, 599, "5.1.1", 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, "5.1.3", 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, "5.1.6", 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, "5.1.10", 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, "5.2.1", 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, "5.1.0", TOPIC_SENDER, CALLAHEAD_POLICY},
    {500, 599, "5.1.0", 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, "5.4.1", TOPIC_RECIPIENT_REJECTED, CALLAHEAD_USER_UNKNOWN},
    {500, 599, "5.1.7", 0, CALLAHEAD_POLICY}, /* the sender's address */
    {500, 599, "5.1.8", 0, CALLAHEAD_POLICY},
    {500, 599, "5.7.*", 0, CALLAHEAD_POLICY},
    {500, 599, NO_STATUS, TOPIC_FULL, CALLAHEAD_MAILBOX_FULL},
    {510, 599, ANY_STATUS, TOPIC_NOT_RECIPIENT, CALLAHEAD_POLICY},
    {530, 538, NO_STATUS, 0, CALLAHEAD_POLICY}, /* AUTH or STARTTLS wanted */
    {552, 552, NO_STATUS, 0, CALLAHEAD_MAILBOX_FULL},
    {500, 599, NO_STATUS, TOPIC_TROUBLE, CALLAHEAD_SERVER_ILL},
    {550, 551, NO_STATUS, 0, CALLAHEAD_USER_UNKNOWN},
    {553, 553, NO_STATUS, 0, CALLAHEAD_USER_UNKNOWN},
};

/* Before RCPT nothing speaks of the recipient, neither yes nor no. */
static const struct rule before_rcpt[] = {
    {400, 499, ANY_STATUS, TOPIC_GREYLIST, CALLAHEAD_GREYLISTED},
    {400, 499, ANY_STATUS, 0, CALLAHEAD_TEMPORARY},
};

/* --- reading the text ------------------------------------------------------- */

static bool inside_word(char c)
{
    return ascii_is_alnum(c) || (unsigned char)c >= 128;
}

static bool ends_token(char c)
{
    return ascii_is_space(c) || c == '\n' || (c != '\0' && strchr("<>()[]{}\"',;", c));
}

/* An address ends at a colon too: what follows is about it, "joe@example.com:blocked". */
static size_t token_length(struct slice text, size_t from)
{
    size_t n = 0;
    bool address = false;
    while (from + n < text.n && !ends_token(text.p[from + n]) &&
           !(address && text.p[from + n] == ':'))
        address = text.p[from + n++] == '@' || address;
    return n;
}

/* An address, a link or a host name of three labels or more: not the server's
 * own words. Two labels may be two sentences without a blank between. */
static bool is_foreign(struct slice token)
{
    unsigned dots = 0;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] == '@' || (token.p[i] == ':' && i + 2 < token.n && token.p[i + 1] == '/'))
            return true;
        dots += token.p[i] == '.' && i > 0 && i + 1 < token.n && inside_word(token.p[i - 1]) &&
                inside_word(token.p[i + 1]);
    }
    return dots >= 2;
}

/* <address>: its length with both brackets; 0 when there is none. */
static size_t path_length(struct slice text, size_t from)
{
    if (text.p[from] != '<')
        return 0;
    for (size_t n = 1; from + n < text.n; n++) {
        if (text.p[from + n] == '>')
            return n + 1;
        if (ascii_is_space(text.p[from + n]) || text.p[from + n] == '\n')
            return 0;
    }
    return 0;
}

/* Words in lower case with one blank before, between and after them. */
struct words {
    char text[SMTP_TEXT_KEPT + 3];
    size_t n;
};

static void words_add(struct words *words, char c)
{
    bool blank = !inside_word(c);
    if (!blank || words->text[words->n - 1] != ' ')
        words->text[words->n++] = blank ? ' ' : ascii_lower(c);
}

static void words_of(struct slice text, struct words *words)
{
    size_t i = 0;
    words->text[0] = ' ';
    words->n = 1;
    if (text.n > SMTP_TEXT_KEPT)
        text.n = SMTP_TEXT_KEPT;
    while (i < text.n) {
        size_t path = path_length(text, i);
        size_t token = path ? 0 : token_length(text, i);
        bool skip = path || is_foreign((struct slice){text.p + i, token});
        for (size_t k = 0; k < token && !skip; k++)
            words_add(words, text.p[i + k]);
        words_add(words, ' ');
        i += path ? path : token ? token : 1;
    }
    words_add(words, ' ');
    words->text[words->n] = '\0';
}

static unsigned topics_of(struct slice text)
{
    struct words words;
    unsigned topics = 0;
    words_of(text, &words);
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
        if (!(topics & phrases[i].topic) && strstr(words.text, phrases[i].words))
            topics |= phrases[i].topic;
    }
    return topics;
}

/* qmail and others write the status at the end: "no mailbox here (#5.1.1)",
 * "(#5.1.1 - chkuser)". */
static void bracketed_status(struct slice text, char status[12])
{
    while (text.n > 0 && (ascii_is_space(text.p[text.n - 1]) || text.p[text.n - 1] == '.' ||
                          text.p[text.n - 1] == '\n'))
        text.n--;
    if (text.n == 0 || (text.p[text.n - 1] != ')' && text.p[text.n - 1] != ']'))
        return;
    size_t end = --text.n;
    while (text.n > 0 && text.p[text.n - 1] != '(' && text.p[text.n - 1] != '[')
        text.n--;
    if (text.n == 0)
        return;
    struct slice inner = {text.p + text.n, end - text.n};
    size_t sharp = inner.n > 0 && inner.p[0] == '#' ? 1 : 0;
    size_t n = smtp_status_length(inner);
    if (n > 0 && n - sharp < 12) {
        memcpy(status, inner.p + sharp, n - sharp);
        status[n - sharp] = '\0';
    }
}

/* --- judging ------------------------------------------------------------------ */

static bool status_matches(const char *pattern, const char *status)
{
    if (!pattern)
        return true;
    while (*pattern && *status) {
        if (*pattern == '*') {
            while (ascii_is_digit(*status))
                status++;
        } else if (*pattern != *status++) {
            return false;
        }
        pattern++;
    }
    return !*pattern && !*status;
}

static bool rule_matches(const struct rule *rule, int code, const char *status, unsigned topics)
{
    return code >= rule->code_min && code <= rule->code_max &&
           status_matches(rule->status, status) && (!rule->topics || (rule->topics & topics));
}

enum callahead_class smtp_classify(enum callahead_stage stage, int code, const char *status,
                                   struct slice text)
{
    const struct rule *rules = stage == CALLAHEAD_AT_RCPT ? at_rcpt : before_rcpt;
    size_t n = stage == CALLAHEAD_AT_RCPT ? ARRAY_LEN(at_rcpt) : ARRAY_LEN(before_rcpt);
    unsigned topics = topics_of(text);
    char own_status[12];
    snprintf(own_status, sizeof own_status, "%s", status);
    if (own_status[0] == '\0')
        bracketed_status(text, own_status);
    for (size_t i = 0; i < n; i++) {
        if (rule_matches(&rules[i], code, own_status, topics))
            return rules[i].class;
    }
    return CALLAHEAD_SERVER_ILL;
}

static const char *const class_names[] = {
    [CALLAHEAD_VALID] = "valid",
    [CALLAHEAD_USER_UNKNOWN] = "user_unknown",
    [CALLAHEAD_MAILBOX_FULL] = "mailbox_full",
    [CALLAHEAD_POLICY] = "policy",
    [CALLAHEAD_GREYLISTED] = "greylisted",
    [CALLAHEAD_TEMPORARY] = "temporary",
    [CALLAHEAD_SERVER_ILL] = "server_ill",
};

const char *smtp_class_name(enum callahead_class class)
{
    return class_names[class];
}

bool smtp_class_by_name(struct slice name, enum callahead_class *class_out)
{
    for (size_t i = 0; i < ARRAY_LEN(class_names); i++) {
        if (slice_is(name, class_names[i])) {
            *class_out = (enum callahead_class)i;
            return true;
        }
    }
    return false;
}
