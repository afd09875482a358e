/*
 * mailaddr.h - envelope addresses (RFC 5321 section 4.1.2, RFC 6531).
 *
 * Parses the client's own words after "MAIL FROM:" and "RCPT TO:", that is
 * argv[0] of the milter callback. Two modes (SPEC listener.address_parser):
 *   strict  RFC 5321 with these liberties: blank before '<' allowed, missing
 *           angle brackets allowed when balanced, '_' in domains, dots
 *           anywhere in the local part, one trailing dot of the domain, a
 *           source route (@a,@b:user@c) is stripped;
 *   loose   additionally: parenthesised comments ignored, brackets optional
 *           or nested (deepest level wins), surrounding blanks, 8-bit bytes
 *           that are no UTF-8 refused all the same.
 * 8-bit UTF-8 (SMTPUTF8) is accepted in both. Control bytes never are. The
 * result and its strings live in the arena. Any thread (own arena).
 */
#ifndef LIB_BASE_MAILADDR_H
#define LIB_BASE_MAILADDR_H

#include "lib/base/arena.h"
#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/ip.h"

enum mailaddr_kind {
    MAILADDR_NULL,   /* <> */
    MAILADDR_LOCAL,  /* no domain: "joe", "joe@" (bare postmaster is one) */
    MAILADDR_DOMAIN, /* user@domain */
    MAILADDR_LITERAL /* user@[192.0.2.1], user@[IPv6:2001:db8::1] */
};

enum mailaddr_mode { MAILADDR_STRICT, MAILADDR_LOOSE };

/* RFC 5321 4.5.3.1.1 asks for at least 64; senders made by VERP and SRS are
 * longer, and no MTA we serve enforces the minimum as a maximum. */
#define MAILADDR_LOCAL_MAX 255
#define MAILADDR_PATH_MAX 1024 /* bytes of input looked at; more is an error */

struct mailaddr {
    enum mailaddr_kind kind;
    const char *local; /* unquoted, case as sent; "" for NULL */
    const char
        *domain; /* canonical (domain.h); for LITERAL "[192.0.2.1]" / "[ipv6:...]"; "" if none */
    const char *unicode_domain; /* as sent (lower-cased ASCII), when it was not ASCII; else NULL */
    struct ip literal;          /* LITERAL only */
    bool utf8;                  /* local part or domain as sent holds 8-bit characters */
    /* Canonical printable form "local@domain", local part quoted only where
     * RFC 5321 needs it; "" for NULL. This is what goes into logs, RCPT TO of
     * call-ahead, and (lower-cased) into keys of caches and counters. */
    const char *text;
    const char *key; /* text, ASCII lower-cased, for comparing */
};

/* allow_null: whether <> is fine (MAIL), else it is an error (RCPT). */
NODISCARD bool mailaddr_parse(struct slice text, enum mailaddr_mode mode, bool allow_null,
                              struct arena *arena, struct mailaddr *addr_out, struct err *err);

/* joe -> joe@domain; for judgement of partial senders (SPEC 6). */
NODISCARD bool mailaddr_with_domain(const struct mailaddr *addr, const char *domain,
                                    struct arena *arena, struct mailaddr *addr_out);

/* user+tag@d -> user@d for the given delimiters; addr itself where none is in
 * the local part, or it is its first character. */
NODISCARD bool mailaddr_without_extension(const struct mailaddr *addr, const char *delimiters,
                                          struct arena *arena, struct mailaddr *addr_out);

bool mailaddr_is_postmaster(const struct mailaddr *addr); /* bare, any case */

#endif
