/* tls.c - see tls.h. */
#include "lib/net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/domain.h"
#include "lib/base/escape.h"
#include "lib/base/ip.h"
#include "lib/base/regular.h"

/* What was read, to see later whether it is still the same. */
struct source {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

enum { SOURCE_CA_FILE, SOURCE_CERTIFICATE, SOURCE_KEY, SOURCES };

struct tls_client {
    atomic_uint refs;
    SSL_CTX *ctx;
    struct strbuf settings; /* all of [tls] as one text */
    struct source sources[SOURCES];
};

struct tls_session {
    SSL *ssl;
    bool established, failed;
};

/* The oldest error of this thread; leaves none behind. */
static bool fail(struct err *err, const char *what)
{
    char reason[200], clean[200];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, reason, sizeof reason);
    const char *text = ERR_reason_error_string(code);
    escape_line(slice_of(text ? text : reason), clean, sizeof clean);
    ERR_clear_error();
    return err_set(err, ERR_TLS, "%s: %s", what, code ? clean : "unknown cause");
}

/* --- the client ----------------------------------------------------------------- */

/* Making one: goes on after a mistake, so that each is told. */
struct making {
    struct tls_client *tls;
    const struct tls_keys *keys;
    void (*wrong)(const char *key, const struct err *err, void *arg);
    void *arg;
    bool failed;
};

static bool tell(struct making *making, const char *key, const struct err *err)
{
    making->failed = true;
    making->wrong(key, err, making->arg);
    return false;
}

/* What OpenSSL says of the last call. path: the file it was about. */
static bool tell_cause(struct making *making, const char *key, const char *path,
                       const char *allowed)
{
    struct err cause, err;
    fail(&cause, path);
    err_set(&err, ERR_TLS, "%s; allowed: %s", cause.text, allowed);
    return tell(making, key, &err);
}

/* OpenSSL would wait for the writer of a FIFO. */
static bool look_at(struct making *making, struct source *source, const char *key, const char *path,
                    const char *allowed)
{
    struct stat st;
    struct err cause = {0}, err;
    if (!regular_check(path, &cause) || stat(path, &st) != 0) {
        if (cause.text[0] == '\0')
            err_system(&cause, errno, "%s", path);
        if (strstr(cause.text, "; allowed: ") != NULL)
            return tell(making, key, &cause);
        err_set(&err, cause.kind, "%s; allowed: %s", cause.text, allowed);
        return tell(making, key, &err);
    }
    *source = (struct source){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    return true;
}

/* Never asks the terminal. */
static int no_password(char *to, int room, int writing, void *arg)
{
    (void)to, (void)room, (void)writing, (void)arg;
    return 0;
}

static void set_versions(struct making *making)
{
    static const int versions[] = {
        [TLS_1_0] = TLS1_VERSION,
        [TLS_1_1] = TLS1_1_VERSION,
        [TLS_1_2] = TLS1_2_VERSION,
        [TLS_1_3] = TLS1_3_VERSION,
    };
    const struct tls_keys *keys = making->keys;
    SSL_CTX *ctx = making->tls->ctx;
    char what[100];
    if (SSL_CTX_set_min_proto_version(ctx, versions[keys->min_version]) != 1)
        tell_cause(making, "min_version", "this OpenSSL cannot", "another version");
    if (SSL_CTX_set_cipher_list(ctx, keys->ciphers) == 1)
        return;
    snprintf(what, sizeof what, "\"%.80s\" is wrong", keys->ciphers);
    tell_cause(making, "ciphers", what, "a list of ciphers as in openssl-ciphers(1)");
}

static const char authorities_allowed[] = "a file of certificates in PEM form";

static void load_folder(struct making *making)
{
    const char *path = making->keys->ca_dir, *allowed = "a folder of certificates";
    struct stat st;
    struct err err;
    if (stat(path, &st) != 0)
        err_set(&err, ERR_SYSTEM, "cannot read %s: %s; allowed: %s", path, strerror(errno),
                allowed);
    else if (!S_ISDIR(st.st_mode))
        err_set(&err, ERR_RANGE, "%s is not a folder; allowed: %s", path, allowed);
    else if (access(path, R_OK | X_OK) != 0)
        err_set(&err, ERR_SYSTEM, "cannot read %s: %s; allowed: %s", path, strerror(errno),
                allowed);
    else if (SSL_CTX_load_verify_dir(making->tls->ctx, path) == 1)
        return;
    else
        fail(&err, path);
    tell(making, "ca_dir", &err);
}

static void load_authorities(struct making *making)
{
    const struct tls_keys *keys = making->keys;
    struct tls_client *tls = making->tls;
    if (keys->ca_file[0] == '\0' && keys->ca_dir[0] == '\0' &&
        SSL_CTX_set_default_verify_paths(tls->ctx) != 1)
        tell_cause(making, "ca_file", "the system's certificates", authorities_allowed);
    if (keys->ca_file[0] &&
        look_at(making, &tls->sources[SOURCE_CA_FILE], "ca_file", keys->ca_file,
                authorities_allowed) &&
        SSL_CTX_load_verify_file(tls->ctx, keys->ca_file) != 1)
        tell_cause(making, "ca_file", keys->ca_file, authorities_allowed);
    if (keys->ca_dir[0])
        load_folder(making);
}

/* NULL: told. key: the one of [tls] that names the file. */
static EVP_PKEY *read_key(struct making *making, const char *key, const char *path)
{
    struct stat st;
    struct err err;
    EVP_PKEY *pkey = NULL;
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &st) != 0) {
        err_system(&err, errno, "%s", path);
        tell(making, key, &err);
    } else if (st.st_mode & (S_IRWXO | S_IWGRP)) {
        err_set(&err, ERR_RANGE,
                "%s holds a private key, and is open to others; allowed: its owner, and its group "
                "to read",
                path);
        tell(making, key, &err);
    } else {
        pkey = PEM_read_PrivateKey(file, NULL, no_password, NULL);
        if (!pkey)
            tell_cause(making, key, path, "a private key in PEM form without a password");
    }
    if (file)
        fclose(file);
    return pkey;
}

static void load_certificate(struct making *making)
{
    static const char allowed[] = "a certificate in PEM form, and those between it and its root";
    const struct tls_keys *keys = making->keys;
    struct tls_client *tls = making->tls;
    bool apart = keys->key[0] != '\0', good = keys->certificate[0] != '\0';
    const char *name = apart ? "key" : "certificate", *path = apart ? keys->key : keys->certificate;
    EVP_PKEY *key = NULL;
    struct err err;
    if (good)
        good = look_at(making, &tls->sources[SOURCE_CERTIFICATE], "certificate", keys->certificate,
                       allowed) &&
               (SSL_CTX_use_certificate_chain_file(tls->ctx, keys->certificate) == 1 ||
                tell_cause(making, "certificate", keys->certificate, allowed));
    if ((apart || good) && look_at(making, &tls->sources[SOURCE_KEY], name, path, "a private key"))
        key = read_key(making, name, path);
    if (key && keys->certificate[0] == '\0') {
        err_set(&err, ERR_RANGE, "is missing, and key is given; allowed: %s", allowed);
        tell(making, "certificate", &err);
    }
    if (key && good && SSL_CTX_use_PrivateKey(tls->ctx, key) != 1)
        tell_cause(making, name, path, "the key of certificate");
    EVP_PKEY_free(key);
}

static void build(struct making *making)
{
    struct tls_client *tls = making->tls;
    const struct tls_keys *keys = making->keys;
    struct err err;
    /* A close without close_notify is a close: half a reply is never taken for a whole one. */
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                      SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_default_passwd_cb(tls->ctx, no_password);
    strbuf_printf(&tls->settings, "%d\n%s\n%s\n%s\n%s\n%s\n", keys->min_version, keys->ciphers,
                  keys->ca_file, keys->ca_dir, keys->certificate, keys->key);
    if (tls->settings.failed) {
        err_set(&err, ERR_MEMORY, "out of memory");
        tell(making, NULL, &err);
    }
    set_versions(making);
    load_authorities(making);
    load_certificate(making);
}

struct tls_client *tls_client_new(const struct tls_keys *keys,
                                  void (*wrong)(const char *key, const struct err *err, void *arg),
                                  void *arg)
{
    struct tls_client *tls = calloc(1, sizeof *tls);
    struct making making = {tls, keys, wrong, arg, false};
    struct err err;
    ERR_clear_error();
    if (tls) {
        atomic_init(&tls->refs, 1);
        tls->ctx = SSL_CTX_new(TLS_client_method());
    }
    if (!tls || !tls->ctx) {
        err_set(&err, ERR_MEMORY, "out of memory");
        tell(&making, NULL, &err);
    } else {
        build(&making);
    }
    if (!making.failed)
        return tls;
    tls_client_drop(tls);
    return NULL;
}

struct tls_client *tls_client_take(struct tls_client *tls)
{
    if (tls)
        atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void tls_client_drop(struct tls_client *tls)
{
    if (!tls || atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(tls->ctx);
    strbuf_done(&tls->settings);
    free(tls);
}

static bool same_source(const struct source *a, const struct source *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

bool tls_client_same(const struct tls_client *a, const struct tls_client *b)
{
    if (a == b)
        return true;
    if (!a || !b || strcmp(strbuf_text(&a->settings), strbuf_text(&b->settings)) != 0)
        return false;
    for (int i = 0; i < SOURCES; i++) {
        if (!same_source(&a->sources[i], &b->sources[i]))
            return false;
    }
    return true;
}

/* --- a session ------------------------------------------------------------------ */

/* From a copy: OpenSSL's macro casts const away, at which clang takes offence. */
static bool set_server_name(SSL *ssl, const char *host)
{
    char name[DOMAIN_MAX];
    int n = snprintf(name, sizeof name, "%s", host);
    return n >= 0 && (size_t)n < sizeof name && SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool set_host(SSL *ssl, const char *host, bool verify)
{
    struct ip ip;
    bool literal = ip_parse(slice_of(host), &ip);
    SSL_set_verify(ssl, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!literal && !set_server_name(ssl, host))
        return false;
    if (!verify)
        return true;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return literal ? X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1
                   : X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

struct tls_session *tls_session_new(struct tls_client *tls, int fd, const char *host, bool verify,
                                    struct err *err)
{
    struct tls_session *session = calloc(1, sizeof *session);
    if (!session) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    ERR_clear_error();
    session->ssl = SSL_new(tls->ctx);
    if (session->ssl && SSL_set_fd(session->ssl, fd) == 1 && set_host(session->ssl, host, verify))
        return session;
    fail(err, "TLS");
    tls_session_free(session);
    return NULL;
}

void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    if (session->established && !session->failed) {
        (void)SSL_shutdown(session->ssl);
        ERR_clear_error();
    }
    SSL_free(session->ssl);
    free(session);
}

static enum tls_result failed(struct tls_session *session, int saved_errno, struct err *err)
{
    long verify = SSL_get_verify_result(session->ssl);
    session->failed = true;
    if (!session->established && verify != X509_V_OK &&
        SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE)
        err_set(err, ERR_TLS, "the server's certificate: %s",
                X509_verify_cert_error_string(verify));
    else if (ERR_peek_error() == 0 && saved_errno != 0)
        err_system(err, saved_errno, "TLS");
    else if (ERR_peek_error() == 0)
        err_set(err, ERR_TLS, "TLS: the connection was cut off");
    else
        fail(err, "TLS");
    ERR_clear_error();
    return TLS_FAILED;
}

/* rc: what an SSL_ function returned, errno still its own. */
static enum tls_result result_of(struct tls_session *session, int rc, struct err *err)
{
    int saved_errno = errno;
    if (rc > 0)
        return TLS_DONE;
    switch (SSL_get_error(session->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return failed(session, saved_errno, err);
    }
}

static void prepare(void)
{
    ERR_clear_error();
    errno = 0;
}

enum tls_result tls_handshake(struct tls_session *session, struct err *err)
{
    prepare();
    enum tls_result result = result_of(session, SSL_connect(session->ssl), err);
    session->established = result == TLS_DONE;
    return result;
}

enum tls_result tls_read(struct tls_session *session, void *to, size_t room, size_t *n_out,
                         struct err *err)
{
    prepare();
    return result_of(session, SSL_read_ex(session->ssl, to, room, n_out), err);
}

enum tls_result tls_write(struct tls_session *session, const void *from, size_t size, size_t *n_out,
                          struct err *err)
{
    prepare();
    return result_of(session, SSL_write_ex(session->ssl, from, size, n_out), err);
}

bool tls_readable(struct tls_session *session)
{
    char byte;
    size_t n = 0;
    prepare();
    enum tls_result result = result_of(session, SSL_peek_ex(session->ssl, &byte, 1, &n), NULL);
    return result != TLS_WANT_READ && result != TLS_WANT_WRITE;
}
