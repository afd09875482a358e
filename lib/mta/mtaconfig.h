/*
 * mtaconfig.h - the lines an existing MTA needs to work behind Gatehouse
 * (SPEC 10, last paragraphs).
 *
 * main.cf and master.cf of Postfix 3.4 and newer, or sendmail.mc of Sendmail
 * 8.14 and newer: the milter with time-outs that fit command_deadline and
 * tempfail when it is away, the maps, relay checks that hold without the
 * milter, one service a listener with its own clients, limits that leave the
 * last word to the policies. For Postfix also a socket that smtpd reaches from
 * its chroot, for Sendmail the mailers its mailertable names. Pure: text from
 * data.
 */
#ifndef LIB_MTA_MTACONFIG_H
#define LIB_MTA_MTACONFIG_H

#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/mta/maps.h"

#define MTACONFIG_MILTER_SECONDS 30 /* the least time for an answer: Postfix's own default */
#define MTACONFIG_PATIENCE 2        /* so many times what is needed is still no long wait */
#define MTACONFIG_QUEUE_DIRECTORY "/var/spool/postfix" /* Postfix's own default */

struct mtaconfig_options {
    const char *folder;          /* where `maps --output` writes; absolute, no blanks */
    const char *type;            /* map type: lmdb */
    const char *queue_directory; /* of the MTA: where smtpd is chrooted */
};

/* Appends the text. false: err says which path or socket Postfix could not
 * read in its files, or that memory ran out. Listener names must have passed
 * lint_maps(). */
NODISCARD bool mtaconfig_postfix(const struct maps_input *input,
                                 const struct mtaconfig_options *options, struct strbuf *out,
                                 struct err *err);

/* The same; options: folder and type alone count. */
NODISCARD bool mtaconfig_sendmail(const struct maps_input *input,
                                  const struct mtaconfig_options *options, struct strbuf *out,
                                  struct err *err);

/* How many refused commands of one client must do no harm: each recipient of a message, and
 * as many as the harvest limit takes. */
int64_t mtaconfig_errors(const struct maps_limits *limits);

/* Seconds the MTA must wait for one answer: command_deadline and some more. */
int64_t mtaconfig_milter_seconds(const struct maps_limits *limits);

#endif
