/*
 * mistakes_test.c - every mistake of a section is told: any two of them, and all at once.
 *
 * Driven by the registry: for each key a wrong value is written, by its type where the
 * type has one, else from the table of words below, in which a new key must be entered.
 * Each wrong key has one line of its own, with what is allowed, and no line is there that
 * only follows from another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/replytext.h"
#include "milter/registry.h"
#include "milter/snapshot.h"

/* libldap loses what GnuTLS made of its default priority when it is given another one;
 * nobody else can free it. What was suppressed is no report. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:gnutls_priority_init\n";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}

/* --- the folder ------------------------------------------------------------------- */

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static const char *const files[][2] = {
    {"rat", "example.com ACCEPT\n"},
    {"routes", "example.com: [192.0.2.1] auth=x\n"},
    {"exceptions", "@example.com ALLOW\n"},
    {"hat", "$X ACCEPT {}\nALL $X\n"},
    {"secret", "secret\n"},
    {"gatehouse.conf", ""},
};

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/gatehouse-mistakes-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        write_file(files[i][0], files[i][1]);
    return chmod(path_of("secret"), 0600);
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        (void)unlink(path_of(files[i][0]));
    return rmdir(folder);
}

/* What is said of a configuration; the caller frees it. */
static void build(const char *text, struct problems *problems)
{
    write_file("gatehouse.conf", text);
    problems_init(problems);
    snapshot_drop(snapshot_build(path_of("gatehouse.conf"), problems));
}

/* --- sections ---------------------------------------------------------------------- */

/* What a good section holds and what stands behind it, so that it is used. */
static const struct frame {
    const char *type;
    const char *const good[4][2];
    const char *rest;
} frames[] = {
    {"gatehouse", {{"hostname", "gw.example"}}, "[listener in]\nrat = rat\n"},
    {"dns", {{NULL}}, "[listener in]\nrat = rat\n"},
    {"tls", {{NULL}}, "[listener in]\nrat = rat\ncallahead = c\n[callahead c]\ntls = may\n"},
    {"reputation", {{NULL}}, "[listener in]\nrat = rat\n"},
    {"policy", {{NULL}}, "[listener in]\nrat = rat\ndefault_policy = x\n"},
    {"group", {{NULL}}, "[listener in]\nrat = rat\ngroups = x\n"},
    {"listener", {{"rat", "rat"}}, ""},
    {"callahead",
     {{"type", "static"}, {"servers", "192.0.2.1"}},
     "[listener in]\nrat = rat\ncallahead = x\n"},
    {"ldap",
     {{"uri", "ldaps://192.0.2.1"}, {"accept_query", "(mail={a})"}},
     "[listener in]\nrat = rat\nldap_accept = x\n"},
    {"routes",
     {{"file", "routes"}},
     "[listener in]\nrat = rat\n[auth x]\nuser = u\npassword_file = secret\n"},
    {"auth",
     {{"user", "u"}, {"password_file", "secret"}},
     "[listener in]\nrat = rat\n[routes]\nfile = routes\n"},
    {"addresslist",
     {{"addresses", "@example.com"}},
     "[listener in]\nrat = rat\ndefault_policy = p\n[policy p]\ntls = preferred\n"
     "tls_required_senders = x\n"},
    {"maps", {{"mta", "postfix"}}, "[listener in]\nrat = rat\n"},
    {"exceptions",
     {{"file", "exceptions"}},
     "[listener in]\nrat = rat\ndefault_policy = p\n[policy p]\nuse_exceptions = yes\n"},
};

/* Wrong values of keys whose type takes any text. NULL: there is none, or the host says
 * what is wrong (startcheck.h). */
static const struct word {
    const char *type, *key, *wrong;
} words[] = {
    {"gatehouse", "socket", "tcp:1"},
    {"gatehouse", "socket_mode", "9"},
    {"gatehouse", "socket_group", NULL},
    {"gatehouse", "control_socket", ""},
    {"gatehouse", "control_group", NULL},
    {"gatehouse", "user", "root"},
    {"gatehouse", "hostname", "a b"},
    {"gatehouse", "log", "paper"},
    {"gatehouse", "header", "X y"},
    {"gatehouse", "state_dir", ""},
    {"dns", "servers", "1.2.3"},
    {"tls", "ciphers", "nope"},
    {"tls", "ca_file", "gone"},
    {"tls", "ca_dir", "gone"},
    {"tls", "certificate", "gone"},
    {"tls", "key", "gone"},
    {"reputation", "source", "paper"},
    {"reputation", "map", "nope"},
    {"reputation", "owner_source", "file:rat"},
    {"reputation", "country_source", "mmdb:gone"},
    {"policy", "banner_hostname", NULL},
    {"group", "policy", "nosuch"},
    {"group", "senders", "300.1.1.1"},
    {"group", "senders_file", "gone"},
    {"group", "comment", NULL},
    {"listener", "daemon_name", NULL},
    {"listener", "local_address", "here"},
    {"listener", "groups", "nosuch"},
    {"listener", "hat", "gone"},
    {"listener", "default_policy", "nosuch"},
    {"listener", "rat", "gone"},
    {"listener", "default_domain", "a b"},
    {"listener", "trusted_hops", "here"},
    {"listener", "recipient_delimiter", "@"},
    {"callahead", "servers", "a:b"},
    {"callahead", "interface", "nope"},
    {"callahead", "mail_from", "nobody"},
    {"ldap", "uri", "http://x"},
    {"ldap", "bind_dn", NULL},
    {"ldap", "bind_password", NULL},
    {"ldap", "bind_password_file", "gone"},
    {"ldap", "tls_priority", "nope"},
    {"ldap", "base_dn", "nope"},
    {"ldap", "accept_query", "(a"},
    {"ldap", "routing_query", "b)"},
    {"ldap", "routing_address_attr", "a b"},
    {"ldap", "routing_host_attr", "-"},
    {"ldap", "callahead_attr", "a,b"},
    {"routes", "file", "gone"},
    {"routes", "transport", "a b"},
    {"auth", "user", NULL},
    {"auth", "password_file", "gone"},
    {"addresslist", "addresses", "here"},
    {"addresslist", "addresses_file", "gone"},
    {"exceptions", "file", "gone"},
    {"maps", "output", NULL},
    {"maps", "reload_program", NULL},
    {"maps", "compiler", NULL},
};

static const struct frame *frame_of(const struct conf_type *type)
{
    for (size_t i = 0; i < ARRAY_LEN(frames); i++)
        if (strcmp(frames[i].type, type->name) == 0)
            return &frames[i];
    fail_msg("[%s] has no frame", type->name);
    return NULL;
}

static const char *wrong_word(const struct conf_type *type, const struct key_row *row)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].type, type->name) == 0 && strcmp(words[i].key, row->name) == 0)
            return words[i].wrong;
    fail_msg("[%s] %s: which value is wrong?", type->name, row->name);
    return NULL;
}

/* NULL: every value is right. */
static const char *wrong_value(const struct conf_type *type, const struct key_row *row)
{
    static char text[REPLYTEXT_MAX + 2];
    switch (row->type) {
    case KEY_BOOL:
    case KEY_COUNT:
    case KEY_DURATION:
    case KEY_SIZE:
    case KEY_CODE:
    case KEY_WORD:
    case KEY_SET:
    case KEY_REF:
        return "nosuch";
    case KEY_TEXT:
        memset(text, 'x', sizeof text - 1);
        return text;
    case KEY_STRING:
    case KEY_PATH:
    case KEY_LIST:
        break;
    }
    return wrong_word(type, row);
}

static void put_title(const struct conf_type *type, struct strbuf *out)
{
    strbuf_printf(out, "[%s%s]", type->name, type->arg != NULL ? " x" : "");
}

/* --- one configuration ---------------------------------------------------------------- */

/* The good keys that are not among the wrong ones, and these; their lines. */
static void put_section(const struct conf_type *type, const bool *wrong, unsigned *lines,
                        struct strbuf *out)
{
    const struct frame *frame = frame_of(type);
    unsigned line = 1;
    put_title(type, out);
    strbuf_putc(out, '\n');
    for (size_t i = 0; i < ARRAY_LEN(frame->good) && frame->good[i][0] != NULL; i++) {
        size_t row = key_find(type->rows, *type->nrows, slice_of(frame->good[i][0]));
        assert_true(row < *type->nrows);
        if (wrong[row])
            continue;
        strbuf_printf(out, "%s = %s\n", frame->good[i][0], frame->good[i][1]);
        line++;
    }
    for (size_t i = 0; i < *type->nrows; i++) {
        if (!wrong[i])
            continue;
        strbuf_printf(out, "%s = %s\n", type->rows[i].name, wrong_value(type, &type->rows[i]));
        lines[i] = ++line;
    }
    strbuf_puts(out, frame->rest);
    if (strcmp(type->name, "gatehouse") != 0)
        strbuf_puts(out, "[gatehouse]\nhostname = gw.example\n");
}

static bool tells_what_is_allowed(const char *line)
{
    static const char *const signs[] = {"allowed: ", "is outside ", "must begin with ",
                                        "cannot open "};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++)
        if (strstr(line, signs[i]) != NULL)
            return true;
    return false;
}

/* Every wrong key in one line, and no other line. */
static void check_lines(const struct conf_type *type, const bool *wrong, const unsigned *lines,
                        const struct problems *problems, const char *written)
{
    size_t expected = 0;
    struct strbuf title;
    strbuf_init(&title);
    put_title(type, &title);
    for (size_t i = 0; i < *type->nrows; i++) {
        struct strbuf begin;
        size_t found = 0;
        if (!wrong[i])
            continue;
        expected++;
        strbuf_init(&begin);
        strbuf_printf(&begin, "%s:%u: %s %s: ", path_of("gatehouse.conf"), lines[i],
                      strbuf_text(&title), type->rows[i].name);
        for (size_t k = 0; k < problems->count; k++) {
            const char *line = problems->list[k].line;
            if (strncmp(line, strbuf_text(&begin), begin.n) != 0)
                continue;
            found++;
            if (!tells_what_is_allowed(line) || strstr(line + begin.n, strbuf_text(&title)) != NULL)
                fail_msg("%s", line);
        }
        if (found != 1)
            fail_msg("%zu times:\n%s\n%s", found, strbuf_text(&begin), written);
        strbuf_done(&begin);
    }
    strbuf_done(&title);
    for (size_t k = 0; k < problems->count && problems->count > expected; k++)
        print_error("%s\n", problems->list[k].line);
    if (problems->count > expected)
        fail_msg("more than %zu lines for\n%s", expected, written);
}

static void check_wrong(const struct conf_type *type, const bool *wrong)
{
    unsigned lines[128] = {0};
    struct problems problems;
    struct strbuf text;
    strbuf_init(&text);
    put_section(type, wrong, lines, &text);
    build(strbuf_text(&text), &problems);
    check_lines(type, wrong, lines, &problems, strbuf_text(&text));
    problems_done(&problems);
    strbuf_done(&text);
}

static void check_pairs(const struct conf_type *type)
{
    bool all[128] = {false};
    size_t n = *type->nrows;
    assert_true(n <= ARRAY_LEN(all));
    check_wrong(type, all);
    for (size_t i = 0; i < n; i++) {
        all[i] = wrong_value(type, &type->rows[i]) != NULL;
        for (size_t k = 0; all[i] && k <= i; k++) {
            bool wrong[128] = {false};
            wrong[i] = true;
            wrong[k] = all[k];
            check_wrong(type, wrong);
        }
    }
    check_wrong(type, all);
}

static void any_two_mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < registry_count; i++)
        check_pairs(registry[i]);
}

/* --- what hangs together --------------------------------------------------------------- */

#define GROUPS "allowed: the name of a [group] section, or a predefined group"

/* A configuration, and all that is said of it, with F for its path and without folder. */
static const struct whole {
    const char *text, *lines;
} wholes[] = {
    /* each item of a list */
    {"[dns]\nservers = 1.2.3, 192.0.2.1\n  nope\n[listener in]\nrat = rat\n",
     "F:2: [dns] servers: \"1.2.3\" is not a host; allowed: host, host:port, [host], 192.0.2.1, "
     "[2001:db8::1]:25\n"
     "F:3: [dns] servers: \"nope\" is neither an address nor address:port; allowed: 192.0.2.1, "
     "192.0.2.1:53 "
     "or [2001:db8::1]:53\n"},
    {"[listener in]\nrat = rat\ngroups = a,\n  b\ntrusted_hops = c d\n",
     "F:3: [listener in] groups: there is no [group a]; " GROUPS "\n"
     "F:4: [listener in] groups: there is no [group b]; " GROUPS "\n"
     "F:5: [listener in] trusted_hops: \"c\" is not an address; allowed: addresses, ranges and "
     "networks, "
     "as in 192.0.2.1 or 2001:db8::/32\n"
     "F:5: [listener in] trusted_hops: \"d\" is not an address; allowed: addresses, ranges and "
     "networks, "
     "as in 192.0.2.1 or 2001:db8::/32\n"},
    {"[callahead c]\ntype = static\nservers = a:b c:d\n[listener in]\nrat = rat\ncallahead = c\n",
     "F:3: [callahead c] servers: \"b\" is not a port; allowed: 1 to 65535\n"
     "F:3: [callahead c] servers: \"d\" is not a port; allowed: 1 to 65535\n"},
    /* a password that cannot be read hides nothing, and is one as far as bind_dn goes */
    {"[ldap l]\nuri = http://x ldap://a_b:1\nbind_dn = cn=x\nbind_password_file = "
     "gone\naccept_query = "
     "(a\n[listener in]\nrat = rat\nldap_accept = l\n",
     "F:4: [ldap l] bind_password_file: cannot open gone: No such file or directory\n"
     "F:5: [ldap l] accept_query: a closing \")\" is missing; allowed: a filter (RFC 4515) such as "
     "(mail={a}), with {a}, {u}, {d}, {f}\n"
     "F:2: [ldap l] uri: \"http://x\" is wrong; allowed: ldap://HOST[:PORT], ldaps://HOST[:PORT] "
     "or "
     "ldapi://PATH with %2F for each /\n"},
    {"[ldap l]\nuri = ldaps://192.0.2.1 ldaps://192.0.2.2\ntls_priority = NOPE\naccept_query = "
     "(a={a})\n[listener in]\nrat = rat\nldap_accept = l\n",
     "F:3: [ldap l] tls_priority: \"NOPE\" is wrong, or leaves nothing of [tls] min_version; "
     "allowed: "
     "words of the TLS library that libldap has, as NORMAL\n"},
    /* a misspelled key is the one that is missing */
    {"[ldap l]\nurl = ldap://192.0.2.1\nacept_query = (a={a})\n[listener in]\nratt = "
     "rat\nldap_accept "
     "= l\n",
     "F:2: [ldap l] url: unknown key; did you mean \"uri\"?\n"
     "F:3: [ldap l] acept_query: unknown key; did you mean \"accept_query\"?\n"
     "F:5: [listener in] ratt: unknown key; did you mean \"rat\"?\n"},
    /* a misspelled section is the one that is referred to */
    {"[grup a]\n[polcy p]\n[calahead c]\n[group b]\npolicy = p\n[listener in]\nrat = rat\ngroups = "
     "a "
     "b\ndefault_policy = p\ncallahead = c\n",
     "F:1: [grup a] unknown section; did you mean [group NAME]?\n"
     "F:2: [polcy p] unknown section; did you mean [policy NAME]?\n"
     "F:3: [calahead c] unknown section; did you mean [callahead NAME]?\n"},
    {"[auht x]\n[routes]\nfile = routes\n[listener in]\nrat = rat\n",
     "F:1: [auht x] unknown section; did you mean [auth NAME]?\n"},
    /* a wrong group is a group */
    {"[group a]\nunverified = noptr\npolicy = nosuch\nsenders = 300.1.1.1 1..2\n[listener in]\nrat "
     "= "
     "rat\ngroups = a\n",
     "F:2: [group a] unverified: \"noptr\" is unknown; allowed: any of no_ptr, ptr_tempfail and "
     "ptr_mismatch\n"
     "F:3: [group a] policy: there is no policy \"nosuch\"; allowed: the name of a policy, or "
     "accept, "
     "reject, tcprefuse, relay or continue\n"
     "F:4: [group a] senders: \"300.1.1.1\": is not an IPv4 address; allowed: 192.0.2.7, 192.0.2., "
     "192.0.2.1-9, 192.0.2.1-192.0.2.9, 192.0.2.0/24\n"
     "F:4: [group a] senders: \"1..2\": is not an IPv4 address; allowed: 192.0.2.7, 192.0.2., "
     "192.0.2.1-9, 192.0.2.1-192.0.2.9, 192.0.2.0/24\n"},
    {"[group a b]\n[listener in]\nrat = rat\ngroups = nosuch\n",
     "F:1: [group a b] this is not a name; allowed: letters, digits, \"_\", \".\", \"-\", at most "
     "255 "
     "bytes\n"
     "F:4: [listener in] groups: there is no [group nosuch]; " GROUPS "\n"},
    /* a section with a wrong name, or twice: its keys are read all the same */
    {"[dns x]\nservers = nope\n[dns]\ntimeout = nope\nservers = nope\n[listener in]\nrat = rat\n",
     "F:1: [dns x] this section has no name; allowed: [dns]\n"
     "F:4: [dns] timeout: \"nope\" is not a duration; allowed: 100ms..1m\n"
     "F:2: [dns x] servers: \"nope\" is neither an address nor address:port; allowed: 192.0.2.1, "
     "192.0.2.1:53 "
     "or [2001:db8::1]:53\n"},
    {"[dns]\ntimeout = x\n[dns]\ntimeout = y\ntries = z\ntries = 1\n[listener in]\nrat = rat\n",
     "F:2: [dns] timeout: \"x\" is not a duration; allowed: 100ms..1m\n"
     "F:3: [dns] written twice, first on line 1\n"
     "F:4: [dns] timeout: \"y\" is not a duration; allowed: 100ms..1m\n"
     "F:5: [dns] tries: \"z\" is not a number; allowed: 1..10\n"
     "F:6: [dns] tries: given twice, first on line 5\n"},
    {"[listener in]\nrat = rat\n[listener in]\nrat = gone\n",
     "F:3: [listener in] written twice, first on line 1\n"
     "F:4: [listener in] rat: cannot open gone: No such file or directory\n"},
    /* which service a listener is for cannot be said when a key of these is wrong */
    {"[listener a]\nrat = rat\nlocal_port = x\n[listener b]\nrat = rat\nlocal_address = "
     "y\n[listener "
     "c]\nrat = rat\n",
     "F:3: [listener a] local_port: \"x\" is not a number; allowed: 0..65535\n"
     "F:6: [listener b] local_address: \"y\" is not an IPv4 or IPv6 address; allowed: 192.0.2.1 or "
     "2001:db8::1\n"},
    {"[listener a]\nrat = rat\nlocal_address = 2001:db8::1\n[listener b]\nrat = rat\nlocal_address "
     "= "
     "2001:DB8:0::1\n[listener c]\nrat = rat\ndaemon_name = c\n[listener d]\nrat = "
     "rat\ndaemon_name = "
     "c\n[listener e]\nrat = rat\ndaemon_name = c\nlocal_port = 25\n",
     "F:4: [listener b] never serves: [listener a] at line 1 has the same daemon_name, "
     "local_address "
     "and local_port; allowed: one listener for a service\n"
     "F:10: [listener d] never serves: [listener c] at line 7 has the same daemon_name, "
     "local_address and local_port; allowed: one listener for a service\n"},
    {"[listener in]\nrat = rat\n[listener b]\ntype = privat\nlocal_port = 587\n",
     "F:4: [listener b] type: \"privat\" is unknown; allowed: public or private\n"},
    /* a reply is not judged by a code that is wrong */
    {"[policy DEFAULT]\nreject_code = x\ndhap_text = 4.7.1 a\n[policy BLOCKED]\nreject_text = "
     "4.7.1 "
     "a\n[listener in]\nrat = rat\n",
     "F:2: [policy DEFAULT] reject_code: \"x\" is not an SMTP code of three digits; allowed: "
     "400..599\n"
     "F:3: [policy DEFAULT] dhap_text: the status 4.7.1 does not fit the code 550: it must begin "
     "with 5\n"},
    {"[callahead c]\nunknown_code = x\nunknown_text = 4.1.1 a\nfailure_text = 5.1.1 b\n[listener "
     "in]\nrat = rat\ncallahead = c\n",
     "F:2: [callahead c] unknown_code: \"x\" is not an SMTP code of three digits; allowed: "
     "400..599\n"
     "F:4: [callahead c] failure_text: the status 5.1.1 does not fit the code 451: it must begin "
     "with 4\n"},
    {"[gatehouse]\ncommand_deadline = x\nhostname = gw.example\n[callahead c]\ntimeout = "
     "60s\n[listener "
     "in]\nrat = rat\ncallahead = c\n",
     "F:2: [gatehouse] command_deadline: \"x\" is not a duration; allowed: 1s..10m\n"},
    {"[reputation]\nsource = x\nmap = y\n[listener in]\nrat = rat\n",
     "F:2: [reputation] source: \"x\" is not a source; allowed: none or file:PATH or dns:ZONE\n"
     "F:3: [reputation] map: \"y\" is not a map; allowed: 127.A.B.LOW-HIGH -> FROM..TO, LOW under "
     "HIGH, "
     "scores from -10.0 to 10.0, as in 127.0.4.0-100 -> -10..10\n"},
    {"[tls]\nciphers = nope\nca_file = rat\nca_dir = rat\ncertificate = rat\nkey = "
     "secret\n[listener "
     "in]\nrat = rat\ncallahead = c\n[callahead c]\ntls = may\n",
     "F:2: [tls] ciphers: \"nope\" is wrong: no cipher match; allowed: a list of ciphers as in "
     "openssl-ciphers(1)\n"
     "F:3: [tls] ca_file: rat: no certificate or crl found; allowed: a file of certificates in PEM "
     "form\n"
     "F:4: [tls] ca_dir: rat is not a folder; allowed: a folder of certificates\n"
     "F:5: [tls] certificate: rat: no start line; allowed: a certificate in PEM form, and those "
     "between it and its root\n"
     "F:6: [tls] key: secret: unsupported; allowed: a private key in PEM form without a "
     "password\n"},
};

/* The lines with "F" for the configuration, and other files by their names alone. */
static void put_lines(const struct problems *problems, struct strbuf *out)
{
    size_t n = strlen(folder);
    for (size_t i = 0; i < problems->count; i++) {
        const char *line = problems->list[i].line, *at = line + n + strlen("/gatehouse.conf");
        assert_memory_equal(line, folder, n);
        strbuf_puts(out, "F");
        for (line = at; (at = strstr(line, folder)) != NULL; line = at + n + 1)
            strbuf_add(out, line, (size_t)(at - line));
        strbuf_printf(out, "%s\n", line);
    }
}

static void nothing_follows_from_a_mistake(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wholes); i++) {
        struct problems problems;
        struct strbuf lines;
        strbuf_init(&lines);
        build(wholes[i].text, &problems);
        put_lines(&problems, &lines);
        if (strcmp(strbuf_text(&lines), wholes[i].lines) != 0)
            fail_msg("%s\nsays\n%s\nnot\n%s", wholes[i].text, strbuf_text(&lines), wholes[i].lines);
        problems_done(&problems);
        strbuf_done(&lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_follows_from_a_mistake),
        cmocka_unit_test(any_two_mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
