/*
 * journal.h - the lines of a connection in the log: one a decision, fixed key order,
 * foreign values escaped. Each begins with the numbers of what it is about (icid= mid= rid=),
 * then event= listener= ip=, so that any of them can be read without the others. Any thread.
 */
#ifndef LIB_GATE_JOURNAL_H
#define LIB_GATE_JOURNAL_H

#include "lib/gate/facts.h"

void journal_connect(const struct conn_facts *conn, const struct verdict *verdict);
void journal_mail(const struct conn_facts *conn, const struct mail_facts *mail,
                  const struct verdict *verdict);
void journal_rcpt(const struct conn_facts *conn, const struct mail_facts *mail,
                  const struct rcpt_facts *rcpt, const struct verdict *verdict);
void journal_eom(const struct conn_facts *conn, const struct mail_facts *mail,
                 const struct verdict *verdict);

struct journal_totals {
    uint64_t messages;          /* MAIL commands let through */
    uint64_t accepted, refused; /* recipients */
    uint64_t ms;                /* life of the connection */
};
void journal_close(const struct conn_facts *conn, const struct journal_totals *totals);

/* An error that is no decision, in words. */
void journal_trouble(const struct conn_facts *conn, const char *event, const char *detail);

#endif
