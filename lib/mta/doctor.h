/*
 * doctor.h - is this host's mail server set up as `mta-config` says?
 *
 * Reads what the MTA says of its own configuration and tells what is missing
 * (errors: the filter is not asked, a map is not used, an answer would come too
 * late) and what is dangerous (errors: an open relay, when the filter dies or
 * at once; warnings: checks that come before Gatehouse's). It looks for what
 * mtaconfig.h writes, so a host that reaches the same in another way gets a
 * warning too many. Pure: problems from text. One thread.
 */
#ifndef LIB_MTA_DOCTOR_H
#define LIB_MTA_DOCTOR_H

#include "lib/base/problem.h"
#include "lib/mta/maps.h"

struct doctor_postfix {
    const char *main;     /* `postconf -x`: "name = value" lines */
    const char *services; /* `postconf -M`: master.cf, one service a line */
    const char *changes;  /* `postconf -Px`: "smtp/inet/name = value" lines */
};

/* folder: where `maps --output` writes. Listener names must have passed
 * lint_maps(). */
void doctor_postfix(const struct maps_input *input, const char *folder,
                    const struct doctor_postfix *found, struct problems *problems);

/* Classes with domains whose mail Sendmail would keep, as their lines in sendmail.cf begin. */
#define DOCTOR_CLASSES 3
extern const char *const doctor_classes[DOCTOR_CLASSES];

/* cf: sendmail.cf, and behind it the words of the files that its classes are
 * read from (those of doctor_classes), as lines "C{VirtHost}example.com". */
void doctor_sendmail(const struct maps_input *input, const char *folder, const char *cf,
                     struct problems *problems);

/* "30s", "5m", a bare number of seconds; 0: not a time. Longer units than days
 * are not times either. */
int64_t doctor_seconds(struct slice text);

#endif
