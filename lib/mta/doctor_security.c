/*
 * doctor_security.c - TLS and AUTH of the MTA's services against what the policies of
 * their listeners ask for; doctor_inner.h has the contract.
 */
#include "lib/mta/doctor_inner.h"

#include <string.h>

#include "lib/mta/offers.h"

static const struct place master_cf = {.file = "master.cf"}, sendmail_cf = {.file = "sendmail.cf"};

/* --- Postfix ------------------------------------------------------------------------ */

/* One service, and what is to be said of it. */
struct desk {
    const struct maps_listener *listener;
    const struct postconf *found;
    const struct postconf_service *service;
    const struct doctor_host *host;
    struct problems *problems;
};

static struct slice value(const struct desk *desk, const char *name)
{
    return postconf_value(desk->found, desk->service, name);
}

static bool is_on(const struct desk *desk, const char *name)
{
    return slice_is(value(desk, name), "yes");
}

static void tell(const struct desk *desk, bool error, const char *what)
{
    (error ? problem_error : problem_warning)(desk->problems, master_cf, "%.*s: %s ([listener %s])",
                                              (int)desk->service->name.n, desk->service->name.p,
                                              what, desk->listener->name);
}

/* An empty level leaves it to the two parameters from before Postfix 2.3. */
static bool offers_tls(const struct desk *desk)
{
    struct slice level = value(desk, "smtpd_tls_security_level");
    if (level.n > 0)
        return !slice_is(level, "none");
    return is_on(desk, "smtpd_use_tls") || is_on(desk, "smtpd_enforce_tls") ||
           is_on(desk, "smtpd_tls_wrappermode");
}

static void look_for(const struct desk *desk, const char *parameter, struct slice path)
{
    char name[600];
    int n = snprintf(name, sizeof name, "%.*s", (int)path.n, path.p);
    if (desk->host == NULL || desk->host->readable == NULL || path.n == 0 || path.p[0] != '/' ||
        n < 0 || (size_t)n >= sizeof name || desk->host->readable(name))
        return;
    problem_error(desk->problems, master_cf,
                  "%.*s: %s names %s, which cannot be read: Postfix offers no TLS",
                  (int)desk->service->name.n, desk->service->name.p, parameter, name);
}

/* Is a certificate named? Each that is must be there. */
static bool has_certificate(const struct desk *desk)
{
    static const char *const files[] = {"smtpd_tls_cert_file", "smtpd_tls_eccert_file",
                                        "smtpd_tls_dcert_file"};
    static const char *const keys[] = {"smtpd_tls_key_file", "smtpd_tls_eckey_file",
                                       "smtpd_tls_dkey_file"};
    struct slice chain = value(desk, "smtpd_tls_chain_files"), word;
    bool any = false;
    while (postconf_word(&chain, &word)) {
        look_for(desk, "smtpd_tls_chain_files", word);
        any = true;
    }
    for (size_t i = 0; !any && i < ARRAY_LEN(files); i++) {
        struct slice file = value(desk, files[i]);
        if (file.n == 0 || slice_is(file, "none"))
            continue;
        look_for(desk, files[i], file);
        look_for(desk, keys[i], value(desk, keys[i]));
        return true;
    }
    return any;
}

static void check_tls(const struct desk *desk, const struct offers *offers)
{
    bool offered = offers_tls(desk);
    if (offers->tls && !offered)
        tell(desk, offers->tls_required,
             offers->tls_required
                 ? "smtpd_tls_security_level offers no TLS, and a policy has tls = "
                   "required: its clients cannot send"
                 : "smtpd_tls_security_level offers no TLS, which policies use");
    if (offered && !has_certificate(desk))
        tell(desk, offers->tls_required,
             "TLS without a certificate (smtpd_tls_chain_files): Postfix does not offer it");
    if (offers->certificate && !is_on(desk, "smtpd_tls_ask_ccert") &&
        !is_on(desk, "smtpd_tls_req_ccert"))
        tell(desk, true,
             "smtpd_tls_ask_ccert is not yes, and a policy has tls_verify_client: its clients "
             "cannot send");
}

static void check_auth(const struct desk *desk, const struct offers *offers)
{
    bool sasl = is_on(desk, "smtpd_sasl_auth_enable");
    bool safe = is_on(desk, "smtpd_tls_auth_only") ||
                slice_is(value(desk, "smtpd_tls_security_level"), "encrypt") ||
                is_on(desk, "smtpd_tls_wrappermode");
    if (offers->auth_required && !sasl)
        tell(desk, true,
             "smtpd_sasl_auth_enable is not yes, and a policy has auth = required: its clients "
             "cannot send");
    if (sasl && !safe && !offers->auth_in_clear)
        tell(desk, true,
             "smtpd_tls_auth_only is not yes: passwords are sent in clear, which auth_requires_tls "
             "forbids");
    if (offers->auth_required && sasl && safe && !offers_tls(desk))
        tell(desk, true,
             "AUTH is offered only inside TLS, and TLS is not offered: nobody can authenticate, as "
             "a policy requires");
}

void doctor_postfix_security(const struct maps_listener *listener, const struct postconf *found,
                             const struct postconf_service *service, const struct doctor_host *host,
                             struct problems *problems)
{
    struct desk desk = {listener, found, service, host, problems};
    struct offers offers;
    offers_of(listener, &offers);
    check_tls(&desk, &offers);
    check_auth(&desk, &offers);
}

/* --- Sendmail ----------------------------------------------------------------------- */

static bool has_letter(struct slice text, char letter)
{
    return text.n > 0 && memchr(text.p, letter, text.n) != NULL;
}

/* Certificate and key, which are one for all services. */
static bool has_files(const char *cf, const struct doctor_host *host, struct problems *problems)
{
    static const char *const names[] = {"ServerCertFile", "ServerKeyFile"};
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct slice file = doctor_sendmail_option(cf, names[i]);
        char path[600];
        int n = snprintf(path, sizeof path, "%.*s", (int)file.n, file.n > 0 ? file.p : "");
        all = all && file.n > 0;
        if (host != NULL && host->readable != NULL && path[0] == '/' && n > 0 &&
            (size_t)n < sizeof path && !host->readable(path))
            problem_error(problems, sendmail_cf,
                          "%s names %s, which cannot be read: Sendmail offers no TLS", names[i],
                          path);
    }
    return all;
}

static void tell_of(const struct doctor_port *port, bool error, const char *what,
                    struct problems *problems)
{
    (error ? problem_error : problem_warning)(problems, sendmail_cf, "%.*s: %s ([listener %s])",
                                              (int)port->name.n, port->name.p, what,
                                              port->listener->name);
}

static void check_port(const struct doctor_port *port, const char *cf, bool certificate,
                       bool any_in_clear, struct problems *problems)
{
    struct offers offers;
    offers_of(port->listener, &offers);
    bool offered = certificate && !has_letter(port->modifiers, 'S');
    bool auth = !has_letter(port->modifiers, 'A');
    if (offers.tls && !offered)
        tell_of(port, offers.tls_required,
                certificate ? "M=S offers no TLS, which policies use"
                            : "confSERVER_CERT and confSERVER_KEY name no certificate: Sendmail "
                              "offers no TLS, which policies use",
                problems);
    if (offers.certificate && has_letter(doctor_sendmail_option(cf, "TLSSrvOptions"), 'V'))
        tell_of(port, true,
                "TLSSrvOptions=V asks for no client certificate, and a policy has "
                "tls_verify_client: its clients cannot send",
                problems);
    if (offers.auth_required && !auth)
        tell_of(port, true,
                "M=A offers no AUTH, and a policy has auth = required: its clients cannot send",
                problems);
    if (auth && !offers.auth_in_clear &&
        !has_letter(doctor_sendmail_option(cf, "AuthOptions"), 'p') &&
        !has_letter(port->modifiers, 's'))
        tell_of(port, !any_in_clear,
                "AuthOptions has no p: passwords are sent in clear, which auth_requires_tls "
                "forbids",
                problems);
}

void doctor_sendmail_security(const struct maps_input *input, const char *cf,
                              const struct doctor_host *host, struct problems *problems)
{
    bool certificate = has_files(cf, host, problems);
    struct doctor_port port;
    struct offers all;
    offers_of_all(input, &all);
    for (const char *at = cf; doctor_sendmail_port(input, &at, &port);)
        if (port.listener != NULL)
            check_port(&port, cf, certificate, all.auth_in_clear, problems);
}
