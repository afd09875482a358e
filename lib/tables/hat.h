/*
 * hat.h - the Host Access Table: which sender group a client belongs to and
 * which mail flow policy follows (SPEC 2 [group], 3.1, 4).
 *
 * Groups in order; a group matches if any of its entries does; the first
 * group whose target is not `continue` decides. Entries are numbered in
 * written order over the whole table, static ones (addresses, ranges, names,
 * ALL) are indexed by ipmap and strmap, so that the cost of a look-up does not
 * grow with groups or entries; look-up entries (score, owner, country, DNS
 * lists) are asked only in groups that can still win. At most 64 bytes an
 * entry in memory, the text as written included.
 *
 * A struct hat is immutable once built; building: one thread; matching: any.
 * Nothing here asks the network: the caller learns from hat_wants() what to
 * ask, asks it all at once, and calls hat_decide().
 */
#ifndef LIB_TABLES_HAT_H
#define LIB_TABLES_HAT_H

#include "lib/base/answer.h"
#include "lib/base/ip.h"
#include "lib/base/key.h"
#include "lib/tables/policy.h"

enum hat_unverified {                       /* bits of [group] unverified */
                      HAT_NO_PTR = 1,       /* nx.domain */
                      HAT_PTR_TEMPFAIL = 2, /* serv.fail */
                      HAT_PTR_MISMATCH = 4  /* not.double.verified */
};

/* One group as written, for building. All borrowed for the call only, but
 * policy, which must outlive the table. */
struct hat_group {
    const char *name;            /* NULL: bare entries */
    struct place at;             /* in the same file as all groups of the table */
    const struct policy *policy; /* access POLICY_CONTINUE: the group is passed over */
    struct key_list senders;
    const char *senders_file; /* absolute path, "" none: entries after `senders` */
    struct place senders_file_at;
    unsigned unverified; /* enum hat_unverified bits */
    const char *comment; /* "" none */
};

struct hat;

/* Every wrong entry becomes a problem at its place; the return value is NULL
 * when there was any error. fallback: the ALL entry (never POLICY_CONTINUE).
 * From a HAT text file: hat_text.h. */
struct hat *hat_build(const struct hat_group *groups, size_t n, const struct policy *fallback,
                      struct problems *problems);
void hat_free(struct hat *hat);
size_t hat_bytes(const struct hat *hat);
size_t hat_entries(const struct hat *hat);

/* What is known of a client. */
struct hat_client {
    bool no_address; /* it has none: only ALL matches, whatever else is said here */
    struct ip ip;
    const struct host_answer *host; /* NULL: not looked up (no name, no class) */
    bool score_known;               /* score_none or score mean something */
    bool score_none;
    double score;                    /* -10.0 ... 10.0 */
    uint32_t owner;                  /* 0: none */
    char country[3];                 /* "JP"; "" none */
    const struct dnslisting *listed; /* DNS lists that have the client */
    size_t nlisted;
};

/* What must be asked before hat_decide() can be right: only conditions that
 * stand ahead of everything that matches by what is known already, so that they
 * could still change the match. A sort whose answer is known may be among them
 * where it did not match. zones borrows from the table; at most HAT_ZONES_MAX of
 * them exist in a table. */
#define HAT_ZONES_MAX LOOKUP_ZONES_MAX
struct hat_wants {
    bool score, owner, country;
    const char *zones[HAT_ZONES_MAX];
    size_t nzones;
};
void hat_wants(const struct hat *hat, const struct hat_client *client, struct hat_wants *wants_out);
/* All that any client could make the table want. */
void hat_asks(const struct hat *hat, struct hat_wants *asks_out);

struct hat_match {
    const char *group;           /* NULL: bare entry or ALL ($Group is None) */
    const char *entry;           /* as written; "ALL" for the fallback; arena or table */
    const char *host;            /* the verified name that the entry matched, the first in the
                                    alphabet of several, as the client's; NULL: none did */
    const char *comment;         /* of the group; NULL: none */
    struct place at;             /* of the group (file:line of its rule) */
    const struct policy *policy; /* never NULL, never POLICY_CONTINUE */
    bool by_owner;               /* classified by SBO: (SPEC 7, counters) */
    bool fallback;               /* nothing matched: what follows all groups */
};
void hat_decide(const struct hat *hat, const struct hat_client *client,
                struct hat_match *match_out);

/* --- walking, for map writers, find and export ---------------------------- */
enum hat_entry_kind {
    HAT_ENTRY_RANGE,       /* first...last; CIDR, single address, octets */
    HAT_ENTRY_GROUP_RANGE, /* IPv6 with a range in one group */
    HAT_ENTRY_NAME,        /* verified host name, exactly */
    HAT_ENTRY_SUFFIX,      /* .example.com */
    HAT_ENTRY_LOOKUP,      /* score, owner, country, DNS list */
    HAT_ENTRY_UNVERIFIED,  /* nx.domain ... */
    HAT_ENTRY_ALL
};
struct hat_entry {
    enum hat_entry_kind kind;
    const char *text;      /* as written */
    struct ip first, last; /* RANGE; GROUP_RANGE: lowest and highest address */
    size_t group;          /* index in written order */
};
/* Parses again from the text kept; index 0 ... hat_entries() - 1. */
void hat_entry_get(const struct hat *hat, size_t index, struct hat_entry *entry_out);
/* Is it of the DNS list's zone, and does it mean one of the answers? */
bool hat_entry_lists(const struct hat *hat, size_t index, const struct dnslisting *listing);
/* Is it made of addresses, and ip one of them? */
bool hat_entry_holds(const struct hat *hat, size_t index, const struct ip *ip);
/* Bare addresses or names in a row that lead to the same policy may be one group here. */
size_t hat_groups(const struct hat *hat);
/* Name (NULL bare), policy, place of a group; the last group is ALL. */
void hat_group_get(const struct hat *hat, size_t index, struct hat_match *group_out);
/* Its entries have the numbers from first to before end. */
void hat_group_span(const struct hat *hat, size_t index, size_t *first_out, size_t *end_out);
const char *hat_group_comment(const struct hat *hat, size_t index); /* NULL none */
/* Policies that groups may lead to; a policy of the configuration may come
 * more than once. own_out: it stands in the HAT text file itself. */
size_t hat_policies(const struct hat *hat);
const struct policy *hat_policy_get(const struct hat *hat, size_t index, bool *own_out);
/* enum hat_unverified bits: the classes this group is the first to take. */
unsigned hat_group_classes(const struct hat *hat, size_t index);

#endif
