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
#include "lib/mta/postconf.h"

/* What the doctor asks of the host; NULL: it goes by the texts alone. */
struct doctor_host {
    /* Do both paths lead to one place, by way of links or mounts? The file itself need
     * not be there. */
    bool (*same_place)(const char *a, const char *b);
    /* Permissions of a folder, as in <sys/stat.h>; 0: not known. */
    unsigned (*permissions)(const char *folder);
};

/* folder: where `maps --output` writes. Listener names must have passed
 * lint_maps(). */
void doctor_postfix(const struct maps_input *input, const char *folder,
                    const struct postconf *found, const struct doctor_host *host,
                    struct problems *problems);

/* Classes with domains whose mail Sendmail would keep, as their lines in sendmail.cf begin. */
#define DOCTOR_CLASSES 3
extern const char *const doctor_classes[DOCTOR_CLASSES];

/* cf: sendmail.cf, and behind it the words of the files that its classes are
 * read from (those of doctor_classes), as lines "C{VirtHost}example.com". */
void doctor_sendmail(const struct maps_input *input, const char *folder, const char *cf,
                     const struct doctor_host *host, struct problems *problems);

/* "30s", "5m", "1w", a bare number of seconds; 0: not a time. */
int64_t doctor_seconds(struct slice text);

#endif
