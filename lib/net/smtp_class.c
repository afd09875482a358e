/* smtp_class.c - see smtp_class.h. */
#include "lib/net/smtp_class.h"

#include <string.h>
#include "lib/net/smtp_phrases.h"

/* --- statuses (RFC 3463) ------------------------------------------------------ */

enum status {
    STATUS_NONE = 1,     /* the reply has none */
    STATUS_USER = 2,     /* the recipient does not exist, unless the text says otherwise */
    STATUS_OPEN = 4,     /* used for all and everything: the text decides */
    STATUS_ADDRESS = 8,  /* enough for "address rejected" */
    STATUS_OUTLOOK = 16, /* of Microsoft's edge */
    STATUS_FULL = 32,
    STATUS_POLICY = 64,
    STATUS_OTHER = 128
};

/* First match wins; '*' stands for any number. */
static const struct {
    const char *pattern;
    unsigned statuses;
} statuses[] = {
    {"*.2.2", STATUS_FULL},
    {"5.1.1", STATUS_USER | STATUS_ADDRESS},
    {"5.1.3", STATUS_USER | STATUS_ADDRESS},
    {"5.1.6", STATUS_USER | STATUS_ADDRESS},
    {"5.1.10", STATUS_USER | STATUS_ADDRESS},
    {"5.2.1", STATUS_USER},
    {"5.0.0", STATUS_OPEN},
    {"5.1.0", STATUS_OPEN | STATUS_ADDRESS},
    {"5.1.2", STATUS_OPEN | STATUS_ADDRESS},
    {"5.4.1", STATUS_OPEN | STATUS_ADDRESS | STATUS_OUTLOOK},
    {"5.5.0", STATUS_OPEN},
    {"5.5.1", STATUS_OPEN},
    {"5.1.7", STATUS_POLICY | STATUS_OTHER}, /* the sender's address */
    {"5.1.8", STATUS_POLICY | STATUS_OTHER},
    {"5.1.*", STATUS_ADDRESS | STATUS_OTHER},
    {"5.7.1", STATUS_OPEN | STATUS_POLICY},
    {"5.7.*", STATUS_POLICY | STATUS_OTHER},
};

static bool status_is(const char *pattern, const char *status)
{
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

static unsigned status_of(const char *status)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (status_is(statuses[i].pattern, status))
            return statuses[i].statuses;
    }
    return STATUS_OTHER;
}

/* --- all a reply says ------------------------------------------------------------ */

/* Of every way to read the text, where the bytes do not say in which character
 * set it is: a topic found in one is a reason, words in another no less. */
struct facts {
    unsigned topics; /* enum smtp_topic */
    unsigned statuses;
    bool doubtful;
};

static void add_facts(struct slice text, enum smtp_charset charset,
                      const struct smtp_address *recipient, const struct smtp_address *sender,
                      struct facts *facts)
{
    struct smtp_words words;
    smtp_words_of(text, charset, recipient, sender, &words);
    facts->topics |= smtp_topics_of(&words);
    facts->topics |= words.names_sender ? SMTP_SENDER : 0;
    facts->doubtful = facts->doubtful || words.doubtful;
    for (size_t i = 0; i < words.statuses_n; i++)
        facts->statuses |= status_of(words.statuses[i]);
}

static struct facts facts_of(const struct smtp_said *said)
{
    struct facts facts = {.topics = 0};
    struct smtp_address recipient, sender;
    unsigned charsets = smtp_charsets_of(said->text);
    smtp_address_of(said->recipient, &recipient);
    smtp_address_of(said->sender, &sender);
    for (unsigned i = 0; i < SMTP_CHARSETS; i++) {
        if (charsets & 1U << i)
            add_facts(said->text, (enum smtp_charset)i, &recipient, &sender, &facts);
    }
    if (said->status[0] != '\0')
        facts.statuses |= status_of(said->status);
    if (said->other_status && said->other_status[0] != '\0')
        facts.statuses |= status_of(said->other_status);
    if (facts.statuses == 0)
        facts.statuses = STATUS_NONE;
    return facts;
}

/* --- judging ------------------------------------------------------------------------ */

/* What speaks of the sender, the client, the message or rules, not of the recipient. */
#define NOT_RECIPIENT                                                                              \
    (SMTP_SENDER | SMTP_CLIENT | SMTP_BLOCK | SMTP_LIST | SMTP_POLICY | SMTP_CONTENT)

/* A refusal at RCPT. The first rule that holds decides: the code is in the
 * range, the reply has one of these statuses and none of those, one of these
 * topics and none of those (0 in `one of': whatever it has). */
struct rule {
    int code_min, code_max;
    unsigned statuses, no_statuses;
    unsigned topics, no_topics;
    enum callahead_class class;
};

static const struct rule refusals[] = {
    /* Some greylist with a permanent code. */
    {400, 599, 0, 0, SMTP_GREYLIST, 0, CALLAHEAD_GREYLISTED},
    {400, 599, STATUS_FULL, 0, 0, 0, CALLAHEAD_MAILBOX_FULL},
    {400, 499, STATUS_NONE, 0, SMTP_FULL, SMTP_RATE, CALLAHEAD_MAILBOX_FULL},
    {400, 499, 0, 0, 0, 0, CALLAHEAD_TEMPORARY},
    {521, 521, 0, 0, 0, 0, CALLAHEAD_SERVER_ILL}, /* the host takes no mail (RFC 7504) */
    {500, 599, 0, 0, SMTP_RATE, 0, CALLAHEAD_TEMPORARY},
    {500, 599, 0, STATUS_POLICY, SMTP_FULL, 0, CALLAHEAD_MAILBOX_FULL},
    /* Microsoft 365's edge, which knows who is there, says no more than that. */
    {550, 559, STATUS_OUTLOOK, STATUS_POLICY | STATUS_OTHER | STATUS_NONE, SMTP_OUTLOOK,
     NOT_RECIPIENT | SMTP_TROUBLE | SMTP_NO_HOST, CALLAHEAD_USER_UNKNOWN},
    {510, 599, 0, 0, NOT_RECIPIENT | SMTP_DENIED, 0, CALLAHEAD_POLICY},
    {500, 509, STATUS_POLICY, 0, 0, 0, CALLAHEAD_POLICY},
    {500, 509, 0, 0, NOT_RECIPIENT | SMTP_DENIED, 0, CALLAHEAD_SERVER_ILL},
    {552, 552, STATUS_NONE | STATUS_USER | STATUS_OPEN, STATUS_POLICY | STATUS_OTHER, 0, 0,
     CALLAHEAD_MAILBOX_FULL},
    {500, 599, STATUS_POLICY, 0, SMTP_TROUBLE | SMTP_NO_HOST, 0, CALLAHEAD_POLICY},
    {500, 599, 0, 0, SMTP_TROUBLE | SMTP_NO_HOST, 0, CALLAHEAD_SERVER_ILL},
    {500, 599, STATUS_USER, STATUS_OPEN | STATUS_OTHER, 0, 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, STATUS_USER, STATUS_OTHER, SMTP_NO_USER, 0, CALLAHEAD_USER_UNKNOWN},
    {550, 559, STATUS_NONE | STATUS_OPEN, STATUS_OTHER, SMTP_NO_USER, 0, CALLAHEAD_USER_UNKNOWN},
    {550, 559, STATUS_ADDRESS, STATUS_POLICY, SMTP_REJECTED, 0, CALLAHEAD_USER_UNKNOWN},
    {500, 599, STATUS_POLICY, 0, 0, 0, CALLAHEAD_POLICY},
    {530, 538, STATUS_NONE, 0, 0, 0, CALLAHEAD_POLICY}, /* AUTH or STARTTLS wanted */
};

/* Before RCPT nothing speaks of the recipient, neither yes nor no. */
static const struct rule before_rcpt[] = {
    {400, 499, 0, 0, SMTP_GREYLIST, 0, CALLAHEAD_GREYLISTED},
    {400, 499, 0, 0, 0, 0, CALLAHEAD_TEMPORARY},
};

static enum callahead_class judge(const struct rule *rules, size_t n, int code,
                                  const struct facts *facts)
{
    for (size_t i = 0; i < n; i++) {
        const struct rule *rule = &rules[i];
        if (code >= rule->code_min && code <= rule->code_max &&
            (!rule->statuses || (rule->statuses & facts->statuses)) &&
            !(rule->no_statuses & facts->statuses) &&
            (!rule->topics || (rule->topics & facts->topics)) && !(rule->no_topics & facts->topics))
            return rule->class;
    }
    return CALLAHEAD_SERVER_ILL;
}

enum callahead_class smtp_classify(const struct smtp_said *said)
{
    bool at_rcpt = said->stage == CALLAHEAD_AT_RCPT;
    if (said->code / 100 == 2)
        return at_rcpt ? CALLAHEAD_VALID : CALLAHEAD_SERVER_ILL;
    struct facts facts = facts_of(said);
    /* A status alone is not enough then. */
    if (facts.doubtful && (facts.statuses & STATUS_USER) &&
        !(facts.topics & (SMTP_NO_USER | SMTP_REJECTED | SMTP_TROUBLE)))
        facts.topics |= SMTP_CLIENT;
    return at_rcpt ? judge(refusals, ARRAY_LEN(refusals), said->code, &facts)
                   : judge(before_rcpt, ARRAY_LEN(before_rcpt), said->code, &facts);
}

enum callahead_class smtp_classify_reply(enum callahead_stage stage, const struct smtp_reply *reply,
                                         const char *recipient, const char *sender)
{
    struct smtp_said said = {.stage = stage,
                             .code = reply->code,
                             .status = reply->status,
                             .other_status = reply->other_status,
                             .text = smtp_reply_text(reply),
                             .recipient = slice_of(recipient),
                             .sender = slice_of(sender)};
    return smtp_classify(&said);
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
