/*
 * doctor_inner.h - what the files of the doctor share. Nobody else includes this. Pure,
 * any thread.
 */
#ifndef LIB_MTA_DOCTOR_INNER_H
#define LIB_MTA_DOCTOR_INNER_H

#include "lib/mta/doctor.h"

/* A service of Postfix that listener judges: does it offer the TLS and the AUTH which the
 * policies there ask for, and keep AUTH inside TLS? */
void doctor_postfix_security(const struct maps_listener *listener, const struct postconf *found,
                             const struct postconf_service *service, const struct doctor_host *host,
                             struct problems *problems);

/* The same for all services of Sendmail. */
void doctor_sendmail_security(const struct maps_input *input, const char *cf,
                              const struct doctor_host *host, struct problems *problems);

/* [gatehouse] mode = monitor: lines of enforce mode that make the MTA take mail for
 * everybody, which nobody refuses then. */
void doctor_postfix_monitor(const struct postconf *found, struct problems *problems);
void doctor_sendmail_monitor(const char *cf, struct problems *problems);

#endif
