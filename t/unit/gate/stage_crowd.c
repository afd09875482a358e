/* stage_crowd.c - see stage_crowd.h. */
#include "t/unit/gate/stage_crowd.h"

#include "lib/gate/ratekey.h"
#include "lib/state/lease.h"
#include "t/unit/gate/stage_case.h"

bool stage_crowd_keep(struct stage_crowd *crowd, struct conn_facts *conn)
{
    if (crowd->n == STAGE_CROWD_MAX)
        return false;
    crowd->leases[crowd->n][0] = conn->at_listener;
    crowd->leases[crowd->n++][1] = conn->at_address;
    conn->at_listener = conn->at_address = NULL;
    return true;
}

bool stage_crowd_leave(struct stage_crowd *crowd, uint64_t n)
{
    if (n == 0 || n > crowd->n)
        return false;
    for (size_t i = 0; i < 2; i++) {
        lease_give_back(crowd->leases[n - 1][i]);
        crowd->leases[n - 1][i] = NULL;
    }
    return true;
}

bool stage_crowd_pend(struct stage_crowd *crowd, const struct counting *counting, char *words)
{
    const char *number = case_word(&words), *address = case_word(&words);
    uint64_t n = 0;
    struct ip ip = {.b = {0}};

    while (crowd->npending > 0)
        counting->leave(crowd->pending[--crowd->npending]);
    if (number == NULL || !str_to_uint(slice_of(number), STAGE_PENDING_MAX, &n) ||
        (n > 0 && (address == NULL || !ip_parse(slice_of(address), &ip))))
        return false;
    struct ratekey key = ratekey_site(&ip);
    while (crowd->npending < n)
        if (counting->enter(counting->ctx, CROWD_PENDING, ratekey_slice(&key), UINT64_MAX,
                            &crowd->pending[crowd->npending++]) != LEASE_GIVEN)
            return false;
    return true;
}

void stage_crowd_end(struct conn_facts *conn)
{
    lease_give_back(conn->at_listener);
    lease_give_back(conn->at_address);
    conn->at_listener = conn->at_address = NULL;
    conn->refused = conn->turned_away = false;
    conn->messages = 0;
    conn->policy = NULL;
}
