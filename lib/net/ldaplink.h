/*
 * ldaplink.h - one connection to one directory server, the one module with
 * <ldap.h>.
 *
 * Opening blocks up to its deadline. After that nothing blocks: searches are sent, the caller polls
 * ldaplink_fd() and then calls ldaplink_next() until it says NOTHING. Referrals
 * are not followed. What the server sends is bounded: 1 MiB a message, entries
 * are looked at one by one. One thread a link; it has SIGPIPE blocked.
 */
#ifndef LIB_NET_LDAPLINK_H
#define LIB_NET_LDAPLINK_H

#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"
#include "lib/net/dial.h"

struct ldaplink_settings {
    const char *bind_dn, *password; /* "": anonymous */
    bool start_tls;                 /* on ldap:// only */
    const char *tls_priority;       /* "": the library's own */
    int tls_min;                    /* enum tls_min_version */
    const char *ca_file, *ca_dir, *certificate, *key;
};

#define LDAPLINK_ATTRIBUTES 3
#define LDAPLINK_VALUE_MAX 2048 /* of all values of one attribute, a line each */

struct ldaplink_search {
    const char *base;
    int scope; /* index into the words of [ldap] scope */
    const char *filter;
    const char *attribute[LDAPLINK_ATTRIBUTES]; /* NULL: none wanted */
    bool mail[LDAPLINK_ATTRIBUTES]; /* addresses: those of other networks are left out */
    mono_us timeout;
};

enum ldaplink_event {
    LDAPLINK_NOTHING,   /* no whole message is here */
    LDAPLINK_ENTRY,     /* values has its attributes */
    LDAPLINK_ELSEWHERE, /* the entry may be in another directory */
    LDAPLINK_SKIPPED,   /* of no meaning, another message may follow */
    LDAPLINK_END,       /* that were all */
    LDAPLINK_REFUSED,   /* the server did not do all of this search; err says why */
    LDAPLINK_UNABLE,    /* ... for a reason that has nothing to do with this search */
    LDAPLINK_BROKEN     /* of no more use; err says why */
};

struct ldaplink_message {
    int id;
    char values[LDAPLINK_ATTRIBUTES][LDAPLINK_VALUE_MAX]; /* with newlines between them */
    bool cut[LDAPLINK_ATTRIBUTES]; /* there are more, which did not fit or are not one line */
};

struct ldaplink;

void ldaplink_setup(void); /* once, before there are threads: sets an environment variable */

/* Is the URI one of a server that can be asked by these settings? tls_out: whether TLS
 * will be spoken; left alone where it is not. */
NODISCARD bool ldaplink_check(const struct ldaplink_settings *settings, const char *uri,
                              bool *tls_out, struct err *err);
/* Can TLS be spoken by this tls_priority? Files are not read. */
NODISCARD bool ldaplink_check_priority(const struct ldaplink_settings *settings, struct err *err);
NODISCARD bool ldaplink_check_dn(const char *dn); /* RFC 4514 */

/* uri: one server, checked; a certificate must be for its host as it stands there, but
 * for "localhost", where libldap wants this host's own name. Bound when it returns. NULL:
 * err, ECANCELED when stop_fd became readable; err_is_shortage() where the server is not
 * to blame. */
struct ldaplink *ldaplink_open(const struct ldaplink_settings *settings,
                               const struct dialer *dialer, const char *uri, int stop_fd,
                               mono_us deadline, struct err *err);
void ldaplink_close(struct ldaplink *link); /* takes NULL */
int ldaplink_fd(const struct ldaplink *link);
NODISCARD bool ldaplink_search(struct ldaplink *link, const struct ldaplink_search *search,
                               int *id_out, struct err *err);
void ldaplink_abandon(struct ldaplink *link, int id);
enum ldaplink_event ldaplink_next(struct ldaplink *link,
                                  const struct ldaplink_search *(*find)(void *arg, int id),
                                  void *arg, struct ldaplink_message *message_out, struct err *err);

#endif
