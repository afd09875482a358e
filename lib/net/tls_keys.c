/*
 * tls_keys.c - the rows of [tls].
 */
#include "lib/net/tls.h"

static const char *const tls_min_version_words[] = {"1.0", "1.1", "1.2", "1.3", NULL};

#define KEY_STRUCT struct tls_keys
const struct key_row tls_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/tls.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t tls_nrows = ARRAY_LEN(tls_rows);
