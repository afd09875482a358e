/* proof.c - see proof.h. */
#include "milter/proof.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/escape.h"
#include "lib/mta/service.h"
#include "milter/ask.h"
#include "milter/jsonread.h"
#include "milter/wire.h"

/* --- findings ---------------------------------------------------------------------------- */

/* Foreign words stand in many of them. */
static void print(const char *kind, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void print(const char *kind, const char *fmt, va_list ap)
{
    struct strbuf line;
    char shown[4096];

    strbuf_init(&line);
    strbuf_vprintf(&line, fmt, ap);
    escape_line((struct slice){strbuf_text(&line), line.n}, shown, sizeof shown);
    printf("%s: %s\n", kind, line.failed ? "out of memory" : shown);
    fflush(stdout); /* the next one may take its time */
    strbuf_done(&line);
}

void proof_good(struct proof *proof, const char *fmt, ...)
{
    va_list ap;
    (void)proof;
    va_start(ap, fmt);
    print("good", fmt, ap);
    va_end(ap);
}

void proof_warning(struct proof *proof, const char *fmt, ...)
{
    va_list ap;
    (void)proof;
    va_start(ap, fmt);
    print("warning", fmt, ap);
    va_end(ap);
}

void proof_error(struct proof *proof, const char *fmt, ...)
{
    va_list ap;
    proof->errors++;
    va_start(ap, fmt);
    print("error", fmt, ap);
    va_end(ap);
}

void proof_unknown(struct proof *proof, const char *fmt, ...)
{
    va_list ap;
    proof->unknown++;
    va_start(ap, fmt);
    print("cannot tell", fmt, ap);
    va_end(ap);
}

/* --- services ---------------------------------------------------------------------------- */

/* Any address of this host: by loopback. */
static struct ip meet_at(const struct proof *proof, struct slice text)
{
    static const struct ip six = {.b = {[15] = 1}};
    struct ip ip;
    if (ip_parse(text, &ip) && !slice_is(text, "0.0.0.0") && !slice_is(text, "::"))
        return ip;
    bool only_six = slice_is(postconf_main(&proof->postconf, "inet_protocols"), "ipv6");
    return only_six ? six : ip_from_v4(0x7F000001);
}

/* "25", "127.0.0.1:smtp", "[::1]:25" of master.cf. */
static void place_postfix(const struct proof *proof, struct proof_service *service)
{
    struct slice address = {"", 0}, port = service->postfix.name;
    const char *colon = memrchr(port.p, ':', port.n);
    if (colon != NULL) {
        address = (struct slice){port.p, (size_t)(colon - port.p)};
        port = (struct slice){colon + 1, port.n - address.n - 1};
        if (address.n > 1 && address.p[0] == '[' && address.p[address.n - 1] == ']')
            address = (struct slice){address.p + 1, address.n - 2};
    }
    service->address = meet_at(proof, address);
    service->port = (uint16_t)service_port(port);
}

/* With inet_interfaces a service without an address of its own is not on loopback. */
static void place_by_interfaces(const struct proof *proof, struct proof_service *service)
{
    struct slice list = postconf_main(&proof->postconf, "inet_interfaces"), word;
    struct ip first;
    bool given = false;

    if (memchr(service->postfix.name.p, ':', service->postfix.name.n) != NULL)
        return;
    while (postconf_word(&list, &word)) {
        struct ip one;
        if (!ip_parse(word, &one))
            return; /* "all", "loopback-only", a name */
        if (ip_equal(&one, &service->address))
            return;
        first = given ? first : one;
        given = true;
    }
    if (given)
        service->address = first;
}

static bool add_postfix(struct proof *proof, struct proof_service *list, size_t *n)
{
    struct postconf_service found;
    for (const char *at = proof->postconf.services; postconf_next(&proof->postconf, &at, &found);) {
        if (!slice_is(found.program, "smtpd"))
            continue;
        struct proof_service *service = &list[(*n)++];
        *service = (struct proof_service){
            .name = arena_dup_slice(proof->arena, found.name),
            .listener = doctor_postfix_listener(&proof->input, &proof->postconf, &found),
            .postfix = found,
        };
        if (service->name == NULL)
            return false;
        if (slice_is(found.type, "inet")) {
            place_postfix(proof, service);
            place_by_interfaces(proof, service);
        }
    }
    return true;
}

static bool add_sendmail(struct proof *proof, struct proof_service *list, size_t *n)
{
    struct doctor_port port;
    for (const char *at = proof->cf; doctor_sendmail_port(&proof->input, &at, &port);) {
        struct proof_service *service = &list[(*n)++];
        *service = (struct proof_service){
            .name =
                arena_dup_slice(proof->arena, port.name.p != NULL ? port.name : slice_of("MTA")),
            .listener = port.listener,
            .address = meet_at(proof, port.address.p != NULL ? port.address : slice_of("")),
            .port = port.port.p == NULL ? 25 : (uint16_t)service_port(port.port),
        };
        if (service->name == NULL)
            return false;
    }
    return true;
}

static size_t lines_of(const char *text)
{
    size_t n = 1;
    for (; *text != '\0'; text++)
        n += *text == '\n';
    return n;
}

bool proof_services(struct proof *proof, struct proof_service **list_out, size_t *n_out)
{
    size_t room = lines_of(proof->postconf.services) + lines_of(proof->cf);
    *n_out = 0;
    *list_out = arena_alloc(proof->arena, room * sizeof **list_out);
    return *list_out != NULL && add_postfix(proof, *list_out, n_out) &&
           add_sendmail(proof, *list_out, n_out);
}

/* --- the daemon -------------------------------------------------------------------------- */

static bool same_file(const char *path, const char *other)
{
    struct stat one, two;
    return stat(path, &one) == 0 && stat(other, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

static void compare_digests(struct proof *proof, const char *digest)
{
    char mine[17];
    snprintf(mine, sizeof mine, "%016llx", (unsigned long long)proof->snapshot->digest);
    if (digest == NULL)
        proof_unknown(proof, "daemon: it is of another version, and does not say whether it runs "
                             "the configuration on disk");
    else if (strcmp(digest, mine) == 0)
        proof_good(proof, "daemon: process %llu runs the configuration and tables on disk",
                   (unsigned long long)proof->daemon);
    else
        proof_error(proof,
                    "daemon: process %llu runs another configuration, or other tables, than those "
                    "on disk: gatehousectl reload",
                    (unsigned long long)proof->daemon);
}

static void read_status(struct proof *proof, const struct json_t *status)
{
    const struct json_t *pid = jsonread_member(status, "pid");
    const char *path = jsonread_string(jsonread_member(status, "configuration"));

    if (jsonread_kind(pid) != JSONREAD_INTEGER || jsonread_integer(pid) <= 0 || path == NULL) {
        proof_error(proof, "daemon: what answers at the control socket is not a gatehoused");
        return;
    }
    proof->daemon = (uint64_t)jsonread_integer(pid);
    if (!same_file(proof->conf, path))
        proof_error(proof, "daemon: process %llu runs %s, and not %s",
                    (unsigned long long)proof->daemon, path, proof->conf);
    else
        compare_digests(proof, jsonread_string(jsonread_member(status, "digest")));
}

void proof_daemon(struct proof *proof)
{
    struct strbuf text;
    struct err err = {0};

    strbuf_init(&text);
    int status = ask_daemon_text(proof->conf, (const char *[]){"status", "json"}, 2, &text, &err);
    struct json_t *told = NULL;
    if (status == WIRE_YES)
        told = jsonread_one((struct slice){strbuf_text(&text), text.n}, &err);
    if (status == WIRE_YES)
        read_status(proof, told);
    else if (text.n > 0) /* it lives, and knows us not */
        proof_unknown(proof, "daemon: %.*s", (int)strcspn(text.p, "\n"), text.p);
    else if (err.kind == ERR_SYSTEM && err.sys == EACCES)
        proof_unknown(proof, "daemon: %s", err.text);
    else
        proof_error(proof, "daemon: %s", err.text);
    jsonread_drop(told);
    strbuf_done(&text);
}
