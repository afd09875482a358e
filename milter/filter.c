#include "milter/filter.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/log.h"
#include "milter/reply.h"

/* Longer than the MTAs' own patience with an SMTP client (300 s): an idle
 * session must not be closed under them. Does not bound callbacks. */
#define FILTER_TIMEOUT 7210
#define FILTER_BACKLOG 4096

static struct house *house; /* set once before libmilter starts */

/* --- from verdict to reply ------------------------------------------------------- */

static void reply_refused(const struct session *session, const struct reply *reply)
{
    char words[LOG_VALUE_MAX];

    snprintf(words, sizeof words, "libmilter refused the reply %s %s %.180s", reply->code,
             reply->status, reply->text);
    session_trouble(session, "reply", words);
}

/* The one caller of smfi_setmlreply(), which takes one line as well. Sendmail does not
 * take a 421 of several lines at connect for one: it would greet the client. */
static sfsistat speak(SMFICTX *ctx, const struct session *session, const struct verdict *verdict)
{
    struct reply reply;

    if (verdict->action == VERDICT_CONTINUE || session_monitors(session))
        return SMFIS_CONTINUE;
    reply_make(verdict, verdict->code == 421 && session_greets(session), &reply);
    const char *const *l = reply.lines; /* libmilter reads on to the first NULL */
    if (smfi_setmlreply(ctx, reply.code, reply.status, l[0], l[1], l[2], l[3], l[4], l[5], l[6],
                        l[7], l[8], l[9], l[10], l[11], l[12], l[13], l[14], l[15], l[16], l[17],
                        l[18], l[19], NULL) != MI_SUCCESS)
        reply_refused(session, &reply);
    return verdict->action == VERDICT_TEMPFAIL ? SMFIS_TEMPFAIL : SMFIS_REJECT;
}

_Static_assert(REPLYTEXT_LINES_MAX == 20, "as many lines as speak() hands over");

static const char *macro(SMFICTX *ctx, char *name)
{
    return smfi_getsymval(ctx, name);
}

/* smfi_getsymval() takes char *, and string literals are const here. */
static char macro_daemon_name[] = "{daemon_name}", macro_daemon_addr[] = "{daemon_addr}",
            macro_if_addr[] = "{if_addr}", macro_daemon_port[] = "{daemon_port}",
            macro_client_name[] = "{client_name}", macro_client_resolve[] = "{client_resolve}",
            macro_tls_version[] = "{tls_version}", macro_verify[] = "{verify}",
            macro_cert_subject[] = "{cert_subject}", macro_cert_issuer[] = "{cert_issuer}",
            macro_auth[] = "{auth_authen}", macro_queue_id[] = "i";

/* What each stage needs; the list replaces the MTA's own, so that
 * administrators need no milter_*_macros settings. */
static char connect_macros[] = FILTER_CONNECT_MACROS;
static char mail_macros[] = "i {auth_type} {auth_authen} {tls_version} {verify} {cert_subject} "
                            "{cert_issuer}";
static char rcpt_macros[] = "i";
static char eom_macros[] = "i";

/* --- callbacks ---------------------------------------------------------------------- */

/* Between these two a callback may use what the daemon frees as it stops; all have
 * them. The order matters: counted first, then looked. */
static bool enter(void)
{
    atomic_fetch_add(&house->busy, 1);
    return !atomic_load(&house->stopping);
}

static sfsistat leave(sfsistat status)
{
    atomic_fetch_sub(&house->busy, 1);
    return status;
}

/* Where it stops, any agreement will do: the session gets no further than connect. */
static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *actions_out, unsigned long *steps_out,
                             unsigned long *out2, unsigned long *out3)
{
    const unsigned long not_needed = SMFIP_NOHELO | SMFIP_NOEOH | SMFIP_NODATA | SMFIP_NOUNKNOWN;
    bool headers = enter() && session_reads_headers(house);
    (void)unused2;
    (void)unused3;
    *actions_out = actions & (SMFIF_SETSYMLIST | (headers ? SMFIF_ADDHDRS | SMFIF_CHGHDRS : 0UL));
    *steps_out = steps & (not_needed | SMFIP_NR_BODY | (headers ? SMFIP_NR_HDR : SMFIP_NOHDRS));
    *out2 = 0;
    *out3 = 0;
    if ((actions & SMFIF_SETSYMLIST) != 0) {
        (void)smfi_setsymlist(ctx, SMFIM_CONNECT, connect_macros);
        (void)smfi_setsymlist(ctx, SMFIM_ENVFROM, mail_macros);
        (void)smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt_macros);
        (void)smfi_setsymlist(ctx, SMFIM_EOM, eom_macros);
    }
    return leave(SMFIS_CONTINUE);
}

static sfsistat serve_connect(SMFICTX *ctx, const struct sockaddr *address)
{
    struct session_told told = {
        .daemon_name = macro(ctx, macro_daemon_name),
        .local_address = macro(ctx, macro_daemon_addr),
        .local_port = macro(ctx, macro_daemon_port),
        .client_name = macro(ctx, macro_client_name),
        .client_resolve = macro(ctx, macro_client_resolve),
    };
    struct verdict verdict;

    if (told.local_address == NULL)
        told.local_address = macro(ctx, macro_if_addr);
    /* NULL for "unknown"; a local socket and what may come are families without one. */
    told.no_address = !ip_from_sockaddr(address, &told.client);

    struct session *session = session_open(house, &told, &verdict);
    if (session == NULL)
        return SMFIS_TEMPFAIL;
    smfi_setpriv(ctx, session);
    return speak(ctx, session, &verdict);
}

static sfsistat serve_mail(SMFICTX *ctx, struct session *session, char **argv)
{
    struct verdict verdict;
    struct session_mail_told told = {
        .sender = argv[0],
        .arguments = (const char *const *)argv + 1,
        .tls_version = macro(ctx, macro_tls_version),
        .auth_user = macro(ctx, macro_auth),
        .verify = macro(ctx, macro_verify),
        .cert_subject = macro(ctx, macro_cert_subject),
        .cert_issuer = macro(ctx, macro_cert_issuer),
        .queue_id = macro(ctx, macro_queue_id),
    };

    session_mail(session, &told, &verdict);
    return speak(ctx, session, &verdict);
}

static sfsistat serve_rcpt(SMFICTX *ctx, struct session *session, char **argv)
{
    struct verdict verdict;
    session_rcpt(session, argv[0], macro(ctx, macro_queue_id), &verdict);
    return speak(ctx, session, &verdict);
}

/* From the last one on: with each the MTA may count those after it anew. */
static bool take_out_forged(SMFICTX *ctx, const struct session_mark *mark)
{
    char *name = (char *)(uintptr_t)mark->name; /* libmilter takes no const, and copies */

    for (uint64_t i = mark->forged; i > 0; i--)
        if (smfi_chgheader(ctx, name, (int)i, NULL) != MI_SUCCESS)
            return false;
    return true;
}

static bool put_mark(SMFICTX *ctx, const struct session *session, const struct session_mark *mark)
{
    char words[LOG_VALUE_MAX];
    char *name = (char *)(uintptr_t)mark->name, *value = (char *)(uintptr_t)mark->value;

    if (take_out_forged(ctx, mark) && smfi_insheader(ctx, 0, name, value) == MI_SUCCESS)
        return true;
    snprintf(words, sizeof words, "the MTA does not let the field %s be set", mark->name);
    session_trouble(session, "header", words);
    return false;
}

static sfsistat serve_eom(SMFICTX *ctx, struct session *session)
{
    struct verdict verdict;
    struct session_mark mark;

    session_eom(session, macro(ctx, macro_queue_id), &mark, &verdict);
    session_eom_done(session, mark.name == NULL || put_mark(ctx, session, &mark), &verdict);
    return speak(ctx, session, &verdict);
}

/* libmilter's own shapes. A session without private data is one whose connect
 * ran out of memory, or a peer that leaves the protocol's order: tempfail. */

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
    (void)name;
    if (!enter() || smfi_getpriv(ctx) != NULL)
        return leave(SMFIS_TEMPFAIL);
    return leave(serve_connect(ctx, (const struct sockaddr *)address));
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    struct session *session = smfi_getpriv(ctx);
    if (!enter() || session == NULL || argv == NULL || argv[0] == NULL)
        return leave(SMFIS_TEMPFAIL);
    return leave(serve_mail(ctx, session, argv));
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
    struct session *session = smfi_getpriv(ctx);
    if (!enter() || session == NULL || argv == NULL || argv[0] == NULL)
        return leave(SMFIS_TEMPFAIL);
    return leave(serve_rcpt(ctx, session, argv));
}

/* Where an MTA waits for an answer to each of these two, libmilter gives it. */
static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct session *session = smfi_getpriv(ctx);
    (void)value;
    if (enter() && session != NULL)
        session_header(session, name);
    return leave(SMFIS_NOREPLY);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t size)
{
    struct session *session = smfi_getpriv(ctx);
    (void)bytes;
    if (enter() && session != NULL)
        session_body(session, size);
    return leave(SMFIS_NOREPLY);
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (!enter() || session == NULL)
        return leave(SMFIS_TEMPFAIL);
    return leave(serve_eom(ctx, session));
}

/* May run under libmilter's pool lock, and without private data (self-connect). What it
 * uses is there until the last session is reaped, so it may run while the daemon stops. */
static sfsistat on_close(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    (void)enter();
    if (session != NULL) {
        smfi_setpriv(ctx, NULL);
        session_close(session);
    }
    return leave(SMFIS_CONTINUE);
}

/* --- life of the listener -------------------------------------------------------------- */

static char filter_name[] = "gatehouse";

bool filter_open(struct house *shared, const char *socket, unsigned mode, struct err *err)
{
    struct smfiDesc description = {
        .xxfi_name = filter_name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_header = on_header,
        .xxfi_body = on_body,
        .xxfi_eom = on_eom,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };
    char *connection = strdup(socket); /* libmilter takes no const, and copies */

    house = shared;
    bool taken = connection != NULL && smfi_setconn(connection) == MI_SUCCESS &&
                 smfi_register(description) == MI_SUCCESS;
    free(connection);
    if (!taken)
        return err_set(err, ERR_MEMORY, "libmilter does not take \"%s\"", socket);
    (void)smfi_settimeout(FILTER_TIMEOUT);
    (void)smfi_setbacklog(FILTER_BACKLOG);

    mode_t before = umask((mode_t)(0777 & ~mode));
    errno = 0;
    bool opened = smfi_opensocket(true) == MI_SUCCESS;
    int sys = errno;
    umask(before);
    if (!opened)
        return err_system(err, sys, "cannot listen on %s", socket);
    return true;
}

void filter_run(void)
{
    if (smfi_main() != MI_SUCCESS)
        log_note(LOG_AT_ERROR, "stop", "libmilter failed");
}
