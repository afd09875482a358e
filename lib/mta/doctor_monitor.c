/*
 * doctor_monitor.c - who exists is for the MTA to say as long as Gatehouse refuses nobody;
 * doctor_inner.h has the contract.
 */
#include "lib/mta/doctor_inner.h"

#include <string.h>

static const struct place main_cf = {.file = "main.cf"}, sendmail_cf = {.file = "sendmail.cf"};

void doctor_postfix_monitor(const struct postconf *found, struct problems *problems)
{
    struct slice locals = postconf_main(found, "local_recipient_maps");
    struct slice relayed = postconf_main(found, "relay_recipient_maps");
    if (relayed.n == 0)
        problem_warning(
            problems, main_cf,
            "relay_recipient_maps is empty, and with mode = monitor Gatehouse refuses "
            "nobody: mail for unknown recipients of relay_domains is accepted, and bounced");
    if (locals.p != NULL && locals.n == 0)
        problem_warning(problems, main_cf,
                        "local_recipient_maps is empty, and with mode = monitor Gatehouse refuses "
                        "nobody: mail for unknown users of this host is accepted, and bounced");
    if (slice_is(postconf_main(found, "smtpd_reject_unlisted_recipient"), "no"))
        problem_warning(problems, main_cf,
                        "smtpd_reject_unlisted_recipient = no, and with mode = monitor Gatehouse "
                        "refuses nobody: mail for unknown recipients is accepted, and bounced");
}

/* The features leave no more than these marks. */
void doctor_sendmail_monitor(const char *cf, struct problems *problems)
{
    if (strstr(cf, "... unresolvable OK") != NULL)
        problem_warning(problems, sendmail_cf,
                        "FEATURE(`accept_unresolvable_domains'), and with mode = monitor Gatehouse "
                        "refuses nobody: senders whose domain does not exist are accepted");
    if (strstr(cf, "Domain name required for sender address") == NULL)
        problem_warning(problems, sendmail_cf,
                        "FEATURE(`accept_unqualified_senders'), and with mode = monitor Gatehouse "
                        "refuses nobody: senders without a domain are accepted");
}
