/*
 * postconf.h - reads what postconf prints of Postfix's configuration.
 *
 * The texts are taken as they come: what is not understood is not there. Slices
 * point into them. Pure, any thread.
 */
#ifndef LIB_MTA_POSTCONF_H
#define LIB_MTA_POSTCONF_H

#include "lib/base/base.h"
#include "lib/base/str.h"

struct postconf {
    const char *main;     /* `postconf -x`: "name = value" lines */
    const char *services; /* `postconf -M`: master.cf, one service a line */
    const char *changes;  /* `postconf -Px`: "smtp/inet/name = value" lines */
};

/* A line of master.cf. */
struct postconf_service {
    struct slice name, type, program; /* "127.0.0.1:25", "inet", "smtpd" */
    bool privileged;                  /* runs as root, and not as mail_owner */
    bool chrooted;                    /* in queue_directory */
    struct slice processes;           /* at once, or "-": default_process_limit */
};

/* The next service from *at on, at first text->services; moves *at behind it. Lines with
 * fewer columns are passed over. */
bool postconf_next(const struct postconf *text, const char **at,
                   struct postconf_service *service_out);

/* A parameter of main.cf; p NULL: it is not printed. */
struct slice postconf_main(const struct postconf *text, const char *name);
/* What a service has of its own (-o); p NULL: nothing. */
struct slice postconf_own(const struct postconf *text, const struct postconf_service *service,
                          const char *name);
/* The value a service has: its own, or that of main.cf. */
struct slice postconf_value(const struct postconf *text, const struct postconf_service *service,
                            const char *name);

/* Cut the next word off a list: blanks, commas and braces stand between. */
bool postconf_word(struct slice *list, struct slice *word_out);

/* The file that a service reaches as path, as this host sees it, into out: relative paths
 * begin in queue_directory, and absolute ones do in a chroot. false: it does not fit. */
bool postconf_path(const struct postconf *text, const struct postconf_service *service,
                   struct slice path, char *out, size_t room);

#endif
