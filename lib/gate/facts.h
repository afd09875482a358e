/*
 * facts.h - what is known about a connection, a message and a recipient.
 *
 * The caller (milter/callbacks.c, `trace`, tests) fills in what it was told;
 * the stages add what they found out. Strings are borrowed: connection facts
 * from the connection's arena, the others from the message's.
 */
#ifndef LIB_GATE_FACTS_H
#define LIB_GATE_FACTS_H

#include "lib/base/answer.h"
#include "lib/base/ip.h"
#include "lib/base/mailaddr.h"
#include "lib/gate/listener.h"
#include "lib/gate/verdict.h"

struct lease;

#define FACTS_NO_ADDRESS "unknown" /* where an address would be told */

struct conn_facts {
    /* told */
    uint64_t icid; /* number of the connection in the log */
    /* The MTA gave none (mail handed in on the host, a socket of its own, a family
     * that is neither IPv4 nor IPv6): client says nothing, and only ALL matches. */
    bool no_address;
    struct ip client;
    struct arrival arrival;
    const char *mta_name;    /* {client_name}; "" not known, or no host name */
    bool mta_name_malformed; /* its word counts, and it verified what is no host name */
    const char *mta_resolve; /* {client_resolve}: OK, FAIL, TEMP, FORGED; "" not known */
    const char *helo;        /* "" not known */
    bool tls;                /* the client's connection is encrypted */
    bool certificate;        /* and it has shown a certificate that the MTA trusts */
    bool monitor;     /* [gatehouse] mode: the caller speaks no refusal, the log says would= */
    const char *auth; /* authenticated user; NULL: none */

    /* told, or found by gate_connect() where it had to ask; what is told is not
     * asked */
    bool score_known, score_none;
    double score;
    bool owner_known;
    uint32_t owner; /* 0: none */
    bool country_known;
    char country[3];                 /* "JP"; "" none */
    bool lists_known;                /* told: listed is all there is */
    const struct dnslisting *listed; /* DNS lists that have the client */
    size_t nlisted;
    bool score_failed, owner_failed, country_failed; /* asked in vain; counts as none */

    /* found by gate_connect() */
    const struct listener *listener; /* NULL: none matches */
    /* One of our own front hosts: no limit, rate, DHAP or reputation of its address. */
    bool trusted;
    struct host_answer host;
    struct hat_match match;      /* at: "block:ENTRY" without a line where by_block */
    bool by_block;               /* matched an entry made at run time */
    const struct policy *policy; /* match.policy */
    bool refused;                /* by the HAT; spoken at the listener's reject_at */
    bool turned_away;            /* refused too, but by a limit: spoken at connect */
    struct verdict refusal;
    struct lease *at_listener; /* of the connection: whoever ends it gives both back; */
    struct lease *at_address;  /* NULL: none was taken */

    /* kept by gate_mail() */
    uint64_t messages; /* MAIL commands let through */
};

struct mail_facts {
    /* told */
    uint64_t mid;
    struct slice sent; /* argv[0] of MAIL; p NULL: memory was too short to keep it */
    bool size_known;
    uint64_t size;        /* SIZE= */
    const char *queue_id; /* "" not known yet */
    uint64_t received;    /* bytes of the body, line ends as CR LF */
    uint64_t forged;      /* header fields of our own name that came with it (mark.h) */

    /* found */
    struct mailaddr from; /* text NULL until parsed */
    /* The same for judgement: a partial sender completed with default_domain
     * (SPEC 6). text NULL until parsed. */
    struct mailaddr sender;
    uint64_t recipients; /* accepted so far */
};

struct rcpt_facts {
    /* told */
    uint64_t rid;
    struct slice sent; /* argv[0] of RCPT */

    /* found */
    struct mailaddr to; /* text NULL until parsed */
    /* Without its extension, for RAT, LDAP, DHAP and caches: user@ for user+tag@
     * ([listener] recipient_delimiter); else as to. */
    struct mailaddr base;
    const char *delimiters; /* that very key */
    /* Who asks, as his recipients are counted (ratekey.h); "" nobody in particular. Bytes. */
    struct slice client;
};

/* The client's address as text, or "unknown"; returns text. */
const char *facts_client_text(const struct conn_facts *conn, char text[IP_TEXT_MAX]);

/* Does this client relay: by policy, or because it authenticated (SPEC 4)? */
bool facts_may_relay(const struct conn_facts *conn);

#endif
