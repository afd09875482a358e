/*
 * answer.h - what directories and servers can say, in words that keep "no"
 * and "cannot tell" apart.
 *
 * Shared vocabulary: lib/net gives these answers, lib/gate judges them, the
 * scripted services of tests and `trace` invent them. Types only. Every enum
 * is switched over without default (-Wswitch-enum), so a new answer makes
 * each judge take a stand.
 */
#ifndef LIB_BASE_ANSWER_H
#define LIB_BASE_ANSWER_H

#include "lib/base/base.h"
#include "lib/base/mono.h"

/* --- a host name by double look-up (SPEC 4, step 3) --------------------- */
enum host_class {
    HOST_VERIFIED,     /* a name, or several, one of whose addresses is the client's */
    HOST_NO_PTR,       /* no PTR record */
    HOST_PTR_TEMPFAIL, /* no answer to PTR; or no name leads back and one may, for all we know */
    HOST_PTR_MISMATCH, /* names exist, none leads back */
    HOST_UNKNOWN       /* not looked up: host_lookup = off, trace --offline */
};

#define HOST_NAME_MAX_BYTES 254

struct host_answer {
    enum host_class class;
    /* Canonical (domain.h). The name to show: of a verified client the one that matched
     * an entry, else the first in the alphabet; with PTR_MISMATCH the first PTR name in
     * the alphabet, for the log only; else "". */
    char name[HOST_NAME_MAX_BYTES];
    /* Verified by several names: all of them, in the order of the alphabet, borrowed.
     * n 0: `name` is the only one. */
    const char *const *names;
    size_t n;
    bool partial; /* verified, but further names could not be asked */
};

/* --- one DNS question --------------------------------------------------- */
enum dns_outcome {
    DNS_FOUND,
    DNS_NXDOMAIN, /* the name does not exist */
    DNS_NODATA,   /* the name exists, not with this type */
    DNS_SERVFAIL, /* a failure, a refusal, nonsense, or no server could be reached */
    DNS_TIMEOUT   /* no answer in time */
};

/* --- the domain of an envelope sender (SPEC 6) --------------------------- */
enum sender_class {
    SENDER_EXISTS,
    SENDER_NONEXISTENT, /* the DNS says so: NXDOMAIN, null MX, no host that can be reached */
    SENDER_NO_MX,       /* it has an address but no MX, and that is not to be enough */
    SENDER_UNRESOLVABLE /* cannot tell: SERVFAIL, time-out */
};

/* --- one recipient by call-ahead (SPEC 8 "What an answer means") --------- */
enum callahead_class {
    CALLAHEAD_VALID,
    CALLAHEAD_USER_UNKNOWN, /* the only "no" */
    CALLAHEAD_MAILBOX_FULL,
    CALLAHEAD_POLICY,
    CALLAHEAD_GREYLISTED,
    CALLAHEAD_TEMPORARY,
    CALLAHEAD_SERVER_ILL /* cannot tell: time-out, connection, protocol, 5xx too early */
};

/* Why no server will ever take the recipient, whoever is asked. With class POLICY; code,
 * status and text are ours then. */
enum callahead_dead_end {
    CALLAHEAD_NO_DEAD_END,
    CALLAHEAD_NEEDS_SMTPUTF8, /* none of them offers it (RFC 6531) */
    CALLAHEAD_TAKES_NO_MAIL   /* the domain has a null MX (RFC 7505) */
};

/* The point of the dialogue an answer came from. */
enum callahead_stage {
    CALLAHEAD_AT_RESOLVE, /* no server found */
    CALLAHEAD_AT_CONNECT,
    CALLAHEAD_AT_GREETING,
    CALLAHEAD_AT_EHLO,
    CALLAHEAD_AT_STARTTLS,
    CALLAHEAD_AT_MAIL,
    CALLAHEAD_AT_RCPT
};

#define ANSWER_TEXT_MAX 512
#define ANSWER_SERVER_MAX 300

struct callahead_answer {
    enum callahead_class class;
    enum callahead_stage stage;
    enum callahead_dead_end dead_end;
    int code;                       /* the server's; 0: none */
    char status[12];                /* "5.1.1" as the server gave it; "" none */
    char text[ANSWER_TEXT_MAX];     /* the server's, through escape_reply(); or our own words */
    char server[ANSWER_SERVER_MAX]; /* "10.0.0.5:25"; "" none was asked */
    bool cached;
    uint32_t ms; /* waited by this caller */
};

/* --- what is said about a client (SPEC 3.1, look-up entries) ------------ */
enum lookup_outcome {
    LOOKUP_NOT_ASKED, /* not wanted, or there is no source to ask */
    LOOKUP_FOUND,
    LOOKUP_NONE,  /* the source has nothing about this client */
    LOOKUP_FAILED /* cannot tell; counts as none and is logged as failed */
};

#define LOOKUP_ZONES_MAX 64

/* A DNS list that has an entry for the client. What the entry means its answers tell:
 * each sender entry has its own opinion of them. */
struct dnslisting {
    const char *zone;        /* canonical */
    const uint32_t *answers; /* IPv4 addresses inside 127.0.0.0/8, no refusal, ascending */
    size_t n;                /* at least 1 */
};

struct lookup_answer {
    enum lookup_outcome score, owner, country;  /* the values mean something when FOUND */
    double value;                               /* of the score: -10.0 ... 10.0 */
    uint32_t owner_number;                      /* never 0 */
    char country_code[3];                       /* "JP" */
    struct dnslisting listed[LOOKUP_ZONES_MAX]; /* in the order asked; a failure is no listing */
    size_t nlisted;
};

/* --- one more connection at a place (lib/state/lease.h) -------------------- */
enum lease_answer { LEASE_GIVEN, LEASE_REFUSED, LEASE_NO_MEMORY };

/* --- a directory (SPEC 9) ------------------------------------------------ */
enum directory_class { DIRECTORY_MATCH, DIRECTORY_NO_MATCH, DIRECTORY_ERROR };

struct directory_answer {
    enum directory_class class;
    char text[ANSWER_TEXT_MAX];     /* of an error; else "" */
    char server[ANSWER_SERVER_MAX]; /* as in `uri`; "" none was asked */
    bool cached;
    uint32_t ms; /* waited by this caller */
};

#endif
