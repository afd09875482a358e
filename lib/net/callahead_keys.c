/*
 * callahead_keys.c - the rows of [callahead NAME].
 */
#include "lib/net/callahead.h"

static const char *const callahead_type_words[] = {"delivery_host", "static", NULL};
static const char *const callahead_tls_words[] = {"off", "may", "require", NULL};
static const char *const callahead_action_words[] = {"accept", "reject", NULL};
static const char *const callahead_reply_text_words[] = {"own", "server", NULL};

#define KEY_STRUCT struct callahead_keys
const struct key_row callahead_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/callahead.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t callahead_nrows = ARRAY_LEN(callahead_rows);
