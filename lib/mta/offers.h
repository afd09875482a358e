/*
 * offers.h - what the policies of a listener want of the MTA's own service
 * before Gatehouse can judge: its greeting, TLS, client certificates, AUTH
 * (SPEC 2, 5, 12). Pure, any thread.
 */
#ifndef LIB_MTA_OFFERS_H
#define LIB_MTA_OFFERS_H

#include "lib/mta/maps.h"

struct offers {
    const struct policy_keys *all; /* of ALL: the greeting of most clients */
    bool has_banner;               /* and that is one of its own */
    bool other_banners;            /* some policy has another one, which nobody will hear */
    bool tls;                      /* some policy prefers or requires it, or requires AUTH, which
                                      is kept inside it */
    bool tls_required;             /* some policy requires it */
    bool certificate;              /* some policy requires one of the client */
    bool auth_required;            /* some policy requires it */
    bool auth_in_clear;            /* some policy with AUTH has auth_requires_tls off */
};

/* listener->hat is walked once. */
void offers_of(const struct maps_listener *listener, struct offers *offers_out);

/* What all listeners together want; `all` is NULL. */
void offers_of_all(const struct maps_input *input, struct offers *offers_out);

/* The policy of ALL, where all public listeners greet alike; NULL: they do not, or there is
 * none. */
const struct policy_keys *offers_greeting(const struct maps_input *input);

#endif
