/*
 * addrkey.h - addresses as tables write them, and which of them an envelope
 * address meets (SPEC 2 [addresslist], [exceptions], 3.3).
 *
 * Every form becomes a key of a strmap, and no two forms can give the same
 * key: "example.com", ".example.com", "user@example.com", "user@",
 * "[192.0.2.1]". Local parts are unquoted and in lower case, domains canonical,
 * so that all ways to write an address agree. Entries numbered in written
 * order make the lowest number the first match, found by a handful of hash
 * probes whatever the number of entries. Shared by RAT, address lists and
 * exceptions. No allocation but in the arenas given; any thread.
 */
#ifndef LIB_TABLES_ADDRKEY_H
#define LIB_TABLES_ADDRKEY_H

#include "lib/base/domain.h"
#include "lib/base/mailaddr.h"
#include "lib/base/strmap.h"

enum addrkey_form {
    ADDRKEY_DOMAIN,  /* example.com */
    ADDRKEY_BELOW,   /* .example.com */
    ADDRKEY_ADDRESS, /* user@example.com, user@[192.0.2.1] */
    ADDRKEY_USER,    /* user@ */
    ADDRKEY_LITERAL  /* [192.0.2.1], [IPv6:...] */
};

/* The longest key: local part, '@', domain or literal, NUL. */
#define ADDRKEY_MAX (MAILADDR_PATH_MAX + 1 + DOMAIN_MAX)

/* user@example.com, user@, user@[192.0.2.1]. text: UTF-8. */
NODISCARD bool addrkey_user(struct slice text, struct arena *scratch, enum addrkey_form *form_out,
                            char key_out[ADDRKEY_MAX]);
/* example.com, .example.com, [192.0.2.1]. */
NODISCARD bool addrkey_host(struct slice text, struct arena *scratch, enum addrkey_form *form_out,
                            char key_out[ADDRKEY_MAX]);
/* As envelope senders are written: addrkey_user(), or '@' and addrkey_host(). */
NODISCARD bool addrkey_sender(struct slice text, struct arena *scratch, enum addrkey_form *form_out,
                              char key_out[ADDRKEY_MAX]);

/* The lowest number of all keys that meet whatever an entry of that form and key
 * meets: its own, and those of wider forms. STRMAP_NONE when there is none. */
uint32_t addrkey_wider(const struct strmap *keys, enum addrkey_form form, const char *key);

/* The lowest number of all keys that addr meets, STRMAP_NONE when none. An
 * address without a domain meets user@ only; the null address nothing. */
uint32_t addrkey_lowest(const struct strmap *keys, const struct mailaddr *addr);

#endif
