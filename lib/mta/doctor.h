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
    /* Is there such a file, that root, or who runs this, can read? */
    bool (*readable)(const char *path);
};

/* folder: where `maps --output` writes. Listener names must have passed
 * lint_maps(). */
void doctor_postfix(const struct maps_input *input, const char *folder,
                    const struct postconf *found, const struct doctor_host *host,
                    struct problems *problems);

/* The word of smtpd_milters by which a service reaches our socket, into word_out; false: it
 * does not. */
NODISCARD bool doctor_postfix_word(const struct maps_input *input, const struct postconf *found,
                                   const struct doctor_host *host,
                                   const struct postconf_service *service, struct slice *word_out);
/* Whose service is it? NULL: no listener's. */
const struct maps_listener *doctor_postfix_listener(const struct maps_input *input,
                                                    const struct postconf *found,
                                                    const struct postconf_service *service);

/* The next DaemonPortOptions line of sendmail.cf, from *at on; moves *at behind it. */
struct doctor_port {
    const struct maps_listener *listener;        /* NULL: no listener's */
    struct slice name, address, port, modifiers; /* p NULL: not given */
};
NODISCARD bool doctor_sendmail_port(const struct maps_input *input, const char **at,
                                    struct doctor_port *port_out);
/* The value of the last "O NAME=value" of sendmail.cf; p NULL: there is none. */
struct slice doctor_sendmail_option(const char *cf, const char *name);

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
