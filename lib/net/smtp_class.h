/*
 * smtp_class.h - what a server's answer says about a recipient.
 *
 * A pure function. Valid is a 2xx at RCPT and nothing else. user_unknown needs
 * a 5xx at RCPT and evidence that this recipient does not exist: a status that
 * says so (RFC 3463: 5.1.1, 5.1.3, 5.1.6, 5.1.10, 5.2.1), or words that do
 * (smtp_phrases.h), of a text that speaks of nothing else: quota, rate, the
 * sender, the asking client, blocking, policy, content, the server's own
 * trouble. What is not known is never a no. No allocation, no locale, time
 * linear in the text; any thread.
 */
#ifndef LIB_NET_SMTP_CLASS_H
#define LIB_NET_SMTP_CLASS_H

#include "lib/base/answer.h"
#include "lib/base/str.h"
#include "lib/net/smtp_reply.h"

/* All borrowed. */
struct smtp_said {
    enum callahead_stage stage;
    int code;                 /* 0: no answer at this stage */
    const char *status;       /* of the first line that has one; "" none */
    const char *other_status; /* of later lines, as smtp_reply.h; NULL: none */
    struct slice text;        /* all lines, joined by '\n'; the first 2048 bytes are looked at */
    struct slice recipient, sender; /* as asked about, without brackets; may be empty */
};

enum callahead_class smtp_classify(const struct smtp_said *said);
/* The same of a parsed reply; addresses as C strings, NULL: none. */
enum callahead_class smtp_classify_reply(enum callahead_stage stage, const struct smtp_reply *reply,
                                         const char *recipient, const char *sender);
const char *smtp_class_name(enum callahead_class class); /* "user_unknown" */
NODISCARD bool smtp_class_by_name(struct slice name, enum callahead_class *class_out);

#endif
