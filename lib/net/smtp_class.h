/*
 * smtp_class.h - what a server's answer says about a recipient (SPEC 8, "What
 * an answer means"). A pure function, driven by a table.
 */
#ifndef LIB_NET_SMTP_CLASS_H
#define LIB_NET_SMTP_CLASS_H

#include "lib/base/answer.h"
#include "lib/base/str.h"

/* code 0: no answer at this stage. status "" when the reply had none. */
enum callahead_class smtp_classify(enum callahead_stage stage, int code, const char *status,
                                   struct slice text);
const char *smtp_class_name(enum callahead_class class); /* "user_unknown" */
NODISCARD bool smtp_class_by_name(struct slice name, enum callahead_class *class_out);

#endif
