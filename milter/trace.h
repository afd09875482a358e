/*
 * trace.h - what would happen: the very stages of the daemon, run on facts
 * from the command line or from a JSON object (SPEC 14, `trace`).
 */
#ifndef MILTER_TRACE_H
#define MILTER_TRACE_H

#include "lib/gate/facts.h"
#include "milter/blocks.h"
#include "milter/engine.h"

struct trace_query {
    bool no_address; /* ip means nothing */
    struct ip ip;
    const char *listener; /* NULL: as the daemon would choose without macros */
    bool host_given;
    struct host_answer host;
    const char *helo, *from;
    const char *const *to;
    size_t nto;
    bool size_known;
    uint64_t size;
    bool tls, cert;   /* cert: with tls, a client certificate that the MTA trusts */
    const char *auth; /* NULL none */
    bool score_known, score_none;
    double score;
    bool owner_given;
    uint32_t owner;
    bool country_given;
    char country[3];
    const struct dnslisting *listed; /* NULL: not given */
    size_t nlisted;
    bool sender_given;
    enum sender_class sender;
    bool callahead_given;
    enum callahead_class callahead;
    enum callahead_dead_end dead_end; /* with class CALLAHEAD_POLICY */
    bool ldap_given;
    enum directory_class ldap;
};

struct trace_recipient {
    const char *address; /* as given */
    struct verdict verdict;
};

struct trace_result {
    struct conn_facts conn;
    struct verdict connect, mail;
    bool has_mail, has_rcpt;            /* the stage was reached */
    struct trace_recipient *recipients; /* query's nto; an earlier refusal stands for each */
    size_t nrecipients;
    enum verdict_action overall;
};

/* What a trace is made with. */
struct trace_setting {
    const struct snapshot *snapshot;
    const struct blocks_table *blocks; /* entries made at run time; NULL: none */
    struct engine *engine;             /* NULL: offline, nothing is asked */
};

/* Results live in arena and setting. false: out of memory, or no listener of that
 * name (err). */
NODISCARD bool trace_run(const struct trace_query *query, const struct trace_setting *setting,
                         struct arena *arena, struct trace_result *result_out, struct err *err);

/* An address, or "unknown" for a client without one. */
NODISCARD bool trace_parse_ip(const char *text, bool *no_address_out, struct ip *ip_out,
                              struct err *err);
/* "none", "servfail", "mismatch", or a name, or several with commas. */
NODISCARD bool trace_parse_host(const char *text, struct arena *arena, struct host_answer *host_out,
                                struct err *err);
/* "none" or -10.0...10.0 */
NODISCARD bool trace_parse_score(const char *text, struct trace_query *query, struct err *err);
/* "JP" or "jp"; "none" */
NODISCARD bool trace_parse_country(const char *text, struct trace_query *query, struct err *err);
/* "ok", "nonexistent", "no_mx" or "unresolvable" */
NODISCARD bool trace_parse_sender(const char *text, struct trace_query *query, struct err *err);
/* ZONE, which stands for ZONE=127.0.0.2, or ZONE=ANSWER[,ANSWER]..., which may as well
 * stand in several items; given, they are all that list the client. Each item as its own
 * string or with commas between them. */
NODISCARD bool trace_parse_listed(const char *const *items, size_t n, struct arena *arena,
                                  struct trace_query *query, struct err *err);
/* Is it the zone of an entry that could matter on the listener? */
bool trace_is_zone(const struct trace_setting *setting, const struct listener *listener,
                   const char *zone);

/* A class of smtp_class.h, "null_mx" or "needs_smtputf8" */
NODISCARD bool trace_parse_callahead(const char *text, struct trace_query *query, struct err *err);
/* "match", "nomatch" or "error" */
NODISCARD bool trace_parse_ldap(const char *text, struct trace_query *query, struct err *err);

/* --- trace_json.c ------------------------------------------------------------ */

/* One JSON object of facts. Strings go into arena. */
NODISCARD bool trace_from_json(struct slice line, struct arena *arena,
                               struct trace_query *query_out, struct err *err);
/* One line. */
void trace_to_json(const struct trace_result *result, struct strbuf *out);

#endif
