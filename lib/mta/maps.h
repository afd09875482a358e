/*
 * maps.h - what the MTA's maps are made from, and the files they become
 * (SPEC 10).
 *
 * struct maps_input is plain data, filled from one snapshot, so that maps,
 * lint and mta-config speak of the very configuration the daemon runs with.
 * Everything in it is borrowed. struct maps holds the finished text of every
 * file; nothing is on disk before publish.h puts it there. One thread.
 */
#ifndef LIB_MTA_MAPS_H
#define LIB_MTA_MAPS_H

#include "lib/base/key.h"
#include "lib/base/problem.h"
#include "lib/base/str.h"
#include "lib/tables/hat.h"
#include "lib/tables/rat.h"
#include "lib/tables/routes.h"

enum maps_mta { MAPS_POSTFIX, MAPS_SENDMAIL };

/* "postfix", "sendmail" */
NODISCARD bool maps_mta_parse(const char *text, enum maps_mta *mta_out);

struct maps_listener {
    const char *name;
    struct place at;
    bool private;            /* type = private */
    const char *daemon_name; /* "" none, as written */
    const char *local_address;
    int64_t local_port;       /* 0: none */
    int64_t max_connections;  /* 1... */
    const struct hat *hat;    /* never NULL */
    const struct rat *rat;    /* NULL: none */
    const struct hat *blocks; /* entries made at run time, which go before hat; NULL: none */
};

/* [auth NAME]: what a route with auth=NAME says to its hosts. */
struct maps_auth {
    const char *name, *user;
    const char *password; /* NULL: not read */
};

/* [ldap NAME] of [routes] ldap, with what [tls] says. "" is what is not set. */
struct maps_directory {
    const char *name;
    const char *const *uris;
    size_t nuris;
    const char *bind_dn, *password;
    bool start_tls;
    const char *tls_priority, *ca_file, *ca_dir, *certificate, *key;
    const char *base_dn;
    const char *scope; /* "base", "one", "sub" */
    int64_t timeout;   /* of a search, ms */
    const char *query; /* routing_query, which passed ldapfilter_check() */
    const char *host_attr, *address_attr;
};

/* The largest value of any policy a listener can reach. KEY_NO_LIMIT: some
 * policy sets no limit. */
struct maps_limits {
    int64_t max_message_size;   /* bytes */
    int64_t max_recipients;     /* per message */
    int64_t max_connections_ip; /* per address */
    int64_t max_invalid;        /* DHAP: the largest finite one; 0: none is finite */
    int64_t command_deadline;   /* ms */
};

struct maps_input {
    const struct maps_listener *listeners; /* in written order */
    size_t nlisteners;
    const struct routes *routes; /* never NULL: routes_empty() */
    const char *transport;       /* [routes] transport: "relay" */
    const struct maps_auth *auths;
    size_t nauths;
    const struct maps_directory *directory; /* whose mail hosts go before the routes; NULL: none */
    const char *socket;                     /* [gatehouse] socket, a libmilter string */
    const char *hostname;                   /* [gatehouse] hostname; NULL: not known */
    bool (*is_own)(const struct ip *ip);    /* an address of this host? NULL: not known */
    bool monitor;                           /* [gatehouse] mode = monitor: refuse nobody */
    struct maps_limits limits;
};

struct maps_file {
    char *name;            /* owned; inside the output folder, no '/' */
    unsigned mode;         /* 0644, or 0600 for secrets */
    bool compile;          /* a "key<TAB>value" table for the MTA's compiler; its lines stand
                              in strcmp() order, no key twice */
    bool if_there;         /* empty: written only where one was, so that nothing stays in it */
    bool reload;           /* the MTA reads it only when it starts or reloads */
    struct strbuf content; /* owned */
};

/* The first line of every file. */
#define MAPS_HEADING "# Written by gatehousectl maps; a change made here is lost at its next run.\n"

#define MAPS_MODE 0644
#define MAPS_SECRET_MODE 0600

struct maps {
    struct maps_file *list; /* owned */
    size_t count, room;
};

void maps_init(struct maps *maps);
void maps_done(struct maps *maps);

/* Append an empty file named name, or name.suffix when suffix is not NULL.
 * NULL: out of memory. Valid until the next call. */
struct maps_file *maps_add(struct maps *maps, const char *name, const char *suffix, unsigned mode);

/* Append an empty file for the compiler, fill its table by add, and write that
 * behind the heading. false: out of memory. */
struct keytable;
NODISCARD bool maps_add_compiled(struct maps *maps, const char *name, unsigned mode,
                                 const struct maps_input *input,
                                 void (*add)(const struct maps_input *, struct keytable *));
/* The same for what no route may ask for: wanted says whether one does. */
NODISCARD bool maps_add_wanted(struct maps *maps, const char *name, unsigned mode, bool wanted,
                               const struct maps_input *input,
                               void (*add)(const struct maps_input *, struct keytable *));

/* Add what put writes of each route, if anything, under its domain; all: key of
 * the route ALL. */
void maps_add_routes(const struct maps_input *input, struct keytable *table, const char *all,
                     void (*put)(const struct route *, const char *transport, struct strbuf *));

/* The profile of a route with auth=; NULL: it has none, or there is none. */
const struct maps_auth *maps_auth_of(const struct maps_input *input, const struct route *route);

/* The tls= that holds: a route with auth= sends a password, and never without
 * encryption. */
enum route_tls maps_tls_of(const struct route *route);

/* Has any route auth=, or a tls= of its own? */
bool maps_have_auth(const struct maps_input *input);
bool maps_have_tls(const struct routes *routes);
bool maps_have_verify(const struct routes *routes); /* tls=verify */
/* Does ALL say where the mail of domains without a route goes? */
bool maps_have_default(const struct routes *routes);

/* May a listener of this name have files of its own? Letters, digits, '-',
 * '_' and '.', not first a '.' or '-', at most 64 bytes: it becomes part of file names
 * and of words in master.cf. */
bool maps_name_ok(const char *listener);

#endif
