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
#include "lib/base/domain.h"
#include "lib/base/escape.h"
#include "lib/base/ip.h"

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

static bool look_at(struct source *source, const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_system(err, errno, "%s", path);
    *source = (struct source){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    return true;
}

/* Never asks the terminal. */
static int no_password(char *to, int room, int writing, void *arg)
{
    (void)to, (void)room, (void)writing, (void)arg;
    return 0;
}

static bool set_versions(SSL_CTX *ctx, const struct tls_keys *keys, struct err *err)
{
    static const int versions[] = {
        [TLS_1_0] = TLS1_VERSION,
        [TLS_1_1] = TLS1_1_VERSION,
        [TLS_1_2] = TLS1_2_VERSION,
        [TLS_1_3] = TLS1_3_VERSION,
    };
    if (SSL_CTX_set_min_proto_version(ctx, versions[keys->min_version]) != 1)
        return fail(err, "min_version");
    if (SSL_CTX_set_cipher_list(ctx, keys->ciphers) != 1)
        return fail(err, "ciphers");
    return true;
}

static bool load_authorities(struct tls_client *tls, const struct tls_keys *keys, struct err *err)
{
    if (keys->ca_file[0] == '\0' && keys->ca_dir[0] == '\0') {
        return SSL_CTX_set_default_verify_paths(tls->ctx) == 1 ||
               fail(err, "the system's certificates");
    }
    if (keys->ca_file[0]) {
        if (!look_at(&tls->sources[SOURCE_CA_FILE], keys->ca_file, err))
            return false;
        if (SSL_CTX_load_verify_file(tls->ctx, keys->ca_file) != 1)
            return fail(err, keys->ca_file);
    }
    if (keys->ca_dir[0]) {
        struct stat st;
        if (stat(keys->ca_dir, &st) != 0)
            return err_system(err, errno, "%s", keys->ca_dir);
        if (!S_ISDIR(st.st_mode))
            return err_set(err, ERR_RANGE, "%s is no folder", keys->ca_dir);
        if (SSL_CTX_load_verify_dir(tls->ctx, keys->ca_dir) != 1)
            return fail(err, keys->ca_dir);
    }
    return true;
}

static bool load_key(struct tls_client *tls, const char *path, struct err *err)
{
    struct stat st;
    EVP_PKEY *key = NULL;
    bool ok = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return err_system(err, errno, "%s", path);
    if (fstat(fileno(file), &st) != 0) {
        err_system(err, errno, "%s", path);
        goto out;
    }
    if (st.st_mode & (S_IRWXO | S_IWGRP)) {
        err_set(err, ERR_RANGE, "%s holds a private key: allow its owner, and its group to read",
                path);
        goto out;
    }
    key = PEM_read_PrivateKey(file, NULL, no_password, NULL);
    if (!key)
        fail(err, path);
    else if (SSL_CTX_use_PrivateKey(tls->ctx, key) != 1)
        fail(err, path);
    else if (SSL_CTX_check_private_key(tls->ctx) != 1)
        fail(err, path);
    else
        ok = true;
out:
    EVP_PKEY_free(key);
    fclose(file);
    return ok;
}

static bool load_certificate(struct tls_client *tls, const struct tls_keys *keys, struct err *err)
{
    const char *key = keys->key[0] ? keys->key : keys->certificate;
    if (keys->certificate[0] == '\0')
        return keys->key[0] == '\0' || err_set(err, ERR_RANGE, "key needs certificate");
    if (!look_at(&tls->sources[SOURCE_CERTIFICATE], keys->certificate, err) ||
        !look_at(&tls->sources[SOURCE_KEY], key, err))
        return false;
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, keys->certificate) != 1)
        return fail(err, keys->certificate);
    return load_key(tls, key, err);
}

static bool build(struct tls_client *tls, const struct tls_keys *keys, struct err *err)
{
    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (!tls->ctx)
        return fail(err, "TLS");
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* A close without close_notify is a close: half a reply is never taken for a whole one. */
    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                      SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_default_passwd_cb(tls->ctx, no_password);
    strbuf_printf(&tls->settings, "%d\n%s\n%s\n%s\n%s\n%s\n", keys->min_version, keys->ciphers,
                  keys->ca_file, keys->ca_dir, keys->certificate, keys->key);
    if (tls->settings.failed)
        return err_set(err, ERR_MEMORY, "out of memory");
    return set_versions(tls->ctx, keys, err) && load_authorities(tls, keys, err) &&
           load_certificate(tls, keys, err);
}

struct tls_client *tls_client_new(const struct tls_keys *keys, struct err *err)
{
    struct tls_client *tls = calloc(1, sizeof *tls);
    if (!tls) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    atomic_init(&tls->refs, 1);
    ERR_clear_error();
    if (build(tls, keys, err))
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
