#include "lib/mta/offers.h"

#include <string.h>

static bool same_banner(const struct policy_keys *a, const struct policy_keys *b)
{
    return a->banner_code == b->banner_code && strcmp(a->banner_text, b->banner_text) == 0 &&
           strcmp(a->banner_hostname, b->banner_hostname) == 0;
}

static void add_policy(const struct policy_keys *keys, struct offers *offers)
{
    bool greeted = keys->access == POLICY_ACCEPT || keys->access == POLICY_RELAY;

    if (keys->access == POLICY_CONTINUE)
        return;
    offers->other_banners |= greeted && !same_banner(keys, offers->all);
    offers->tls |= keys->tls != POLICY_OFF;
    offers->tls_required |= keys->tls == POLICY_REQUIRED;
    offers->certificate |= keys->tls == POLICY_REQUIRED && keys->tls_verify_client;
    offers->auth_required |= keys->auth == POLICY_REQUIRED;
    offers->auth_in_clear |= keys->auth != POLICY_OFF && !keys->auth_requires_tls;
}

void offers_of(const struct maps_listener *listener, struct offers *offers_out)
{
    size_t n = hat_groups(listener->hat);
    struct hat_match group;

    hat_group_get(listener->hat, n - 1, &group);
    *offers_out = (struct offers){.all = &group.policy->keys};
    offers_out->has_banner =
        offers_out->all->banner_text[0] != '\0' || !policy_greets_as_mta(offers_out->all);
    for (size_t i = 0; i < n; i++) {
        hat_group_get(listener->hat, i, &group);
        add_policy(&group.policy->keys, offers_out);
    }
    offers_out->tls |= offers_out->auth_required && !offers_out->auth_in_clear;
}

void offers_of_all(const struct maps_input *input, struct offers *offers_out)
{
    *offers_out = (struct offers){.all = NULL};
    for (size_t i = 0; i < input->nlisteners; i++) {
        struct offers one;
        offers_of(&input->listeners[i], &one);
        offers_out->has_banner |= one.has_banner;
        offers_out->other_banners |= one.other_banners;
        offers_out->tls |= one.tls;
        offers_out->tls_required |= one.tls_required;
        offers_out->certificate |= one.certificate;
        offers_out->auth_required |= one.auth_required;
        offers_out->auth_in_clear |= one.auth_in_clear;
    }
}

const struct policy_keys *offers_greeting(const struct maps_input *input)
{
    const struct policy_keys *all = NULL;
    for (size_t i = 0; i < input->nlisteners; i++) {
        struct offers one;
        if (input->listeners[i].private)
            continue;
        offers_of(&input->listeners[i], &one);
        if (all != NULL && !same_banner(all, one.all))
            return NULL;
        all = one.all;
    }
    return all;
}
