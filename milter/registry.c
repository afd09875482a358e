/*
 * registry.c - see registry.h. Rows stand beside the modules that use them;
 * what a section is for stands here.
 */
#include "milter/registry.h"

#include "lib/gate/listener.h"
#include "lib/net/callahead.h"
#include "lib/net/dns.h"
#include "lib/net/ldap.h"
#include "lib/net/reputation.h"
#include "lib/net/tls.h"
#include "lib/tables/auth.h"
#include "lib/tables/exceptions.h"
#include "lib/tables/group.h"
#include "lib/tables/lists.h"
#include "lib/tables/policy.h"
#include "lib/tables/routes_keys.h"
#include "milter/mapskeys.h"
#include "milter/settings.h"

#define PRESET_TYPE(name_, arg_, rows_, inherits_, presets_, doc_)                                 \
    &(const struct conf_type)                                                                      \
    {                                                                                              \
        .name = (name_), .arg = (arg_), .rows = rows_##_rows, .nrows = &rows_##_nrows,             \
        .size = sizeof(struct rows_##_keys), .doc = (doc_), .inherits = (inherits_),               \
        .presets = (presets_)                                                                      \
    }
#define TYPE(name, arg, rows, inherits, doc) PRESET_TYPE(name, arg, rows, inherits, NULL, doc)

const struct conf_type *const registry[] = {
    TYPE("gatehouse", NULL, settings, false, "The program as a whole: sockets, user, log, time."),
    TYPE("dns", NULL, dns, false, "How names are looked up."),
    TYPE("tls", NULL, tls, false, "Client TLS for call-ahead and LDAP."),
    TYPE("reputation", NULL, reputation, false,
         "Where reputation scores, network owners and countries of clients come from. Scores run "
         "from -10.0 to +10.0."),
    PRESET_TYPE("policy", "NAME", policy, true, policy_presets,
                "A mail flow policy: what a client may do. A key that is absent is taken from "
                "[policy DEFAULT], and one that is absent there has the default below. ACCEPTED, "
                "TRUSTED, THROTTLED, BLOCKED and RELAYED are predefined; a section with that "
                "name changes single values."),
    PRESET_TYPE("group", "NAME", group, false, group_presets,
                "A sender group: which clients a policy is for. A client belongs to the first "
                "group of its listener that has a matching entry."),
    TYPE("listener", "NAME", listener, false,
         "The rules for one smtpd service of the MTA. A connection belongs to the listener whose "
         "daemon_name, local_address and local_port fit best."),
    TYPE("callahead", "NAME", callahead, false,
         "SMTP call-ahead: asks the mailbox host, while the client waits, whether it accepts a "
         "recipient."),
    TYPE("ldap", "NAME", ldap, false,
         "A directory that knows recipients or where their mail goes."),
    TYPE("routes", NULL, routes, false,
         "SMTP routes: where accepted mail goes. Call-ahead asks there, and gatehousectl maps "
         "writes the MTA's own maps from them."),
    TYPE("maps", NULL, maps, false,
         "Where the MTA's maps are, so that gatehousectl reload, or systemctl reload, can change "
         "them together with the configuration. Without this section a reload leaves maps alone."),
    TYPE("auth", "NAME", auth, false, "Credentials for routes with auth=NAME."),
    TYPE("addresslist", "NAME", lists, false, "A list of addresses that policies refer to."),
    TYPE("exceptions", NULL, exceptions, false,
         "Envelope senders that are accepted or refused before their domain is verified."),
};

const size_t registry_count = ARRAY_LEN(registry);
