/*
 * smtp_class.h - what a server's answer says about a recipient (SPEC 8, "What
 * an answer means").
 *
 * A pure function of stage, code, enhanced status and text, driven by a table
 * of rules. What it does not know is never a no: words of the text can only
 * lead away from user_unknown, and words inside addresses and host names,
 * which the one who asks may have chosen, do not count. Any thread.
 */
#ifndef LIB_NET_SMTP_CLASS_H
#define LIB_NET_SMTP_CLASS_H

#include "lib/base/answer.h"
#include "lib/base/str.h"

/* code 0: no answer at this stage. status "" when the reply had none; then one
 * in brackets at the end of the text, "(#5.1.1)", counts. At most the first
 * 2048 bytes of text are looked at. */
enum callahead_class smtp_classify(enum callahead_stage stage, int code, const char *status,
                                   struct slice text);
const char *smtp_class_name(enum callahead_class class); /* "user_unknown" */
NODISCARD bool smtp_class_by_name(struct slice name, enum callahead_class *class_out);

#endif
