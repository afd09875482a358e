/*
 * mailaddr.c - from the client's words to one canonical address.
 *
 * Loose mode is a salvage step that makes of the words what strict mode would
 * have been given (normalise(), deepest_bracket()); from there both go through
 * the same grammar: [source route] local part ["@" domain or literal].
 */
#include "lib/base/mailaddr.h"

#include <string.h>
#include "lib/base/domain.h"

#define LITERAL_TEXT_MAX (IP_TEXT_MAX + 8) /* "[ipv6:" "]" NUL */

struct parser {
    struct slice rest; /* not yet read */
    struct err *err;
    char local[MAILADDR_PATH_MAX + 1]; /* unquoted */
    size_t local_n;
};

static bool fail(struct parser *ps, const char *what)
{
    return err_set(ps->err, ERR_SYNTAX, "%s", what);
}

static bool is_8bit(char c)
{
    return (unsigned char)c > 127;
}

static bool has_8bit(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_8bit(s.p[i]))
            return true;
    }
    return false;
}

/* RFC 5321 atext, with RFC 6531's 8-bit characters. */
static bool is_atext(char c)
{
    return ascii_is_alnum(c) || is_8bit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static void skip(struct slice *s, size_t n)
{
    s->p += n;
    s->n -= n;
}

static bool starts_with(struct slice s, char c)
{
    return s.n > 0 && s.p[0] == c;
}

/* --- what the address is among the words ---------------------------------- */

static bool check_bytes(struct slice text, struct err *err)
{
    if (text.n > MAILADDR_PATH_MAX)
        return err_set(err, ERR_RANGE, "the address is longer than %d bytes", MAILADDR_PATH_MAX);
    for (size_t i = 0; i < text.n; i++) {
        if (ascii_is_control(text.p[i]))
            return err_set(err, ERR_SYNTAX, "control byte %d in the address",
                           (unsigned char)text.p[i]);
    }
    if (!str_is_utf8(text))
        return err_set(err, ERR_SYNTAX, "the address holds 8-bit bytes that are not UTF-8");
    return true;
}

static bool is_separator(char c)
{
    return c == '@' || c == '.' || c == ',' || c == ':' || c == '<' || c == '>';
}

/* Comments and blanks outside quotes: dropped beside a separator or an end,
 * elsewhere one blank, which the grammar then refuses. Gluing "a(x)b" together
 * would judge another address than the one the MTA makes of it. */
static bool normalise(struct parser *ps, struct slice in, char *out, size_t *n_out)
{
    size_t n = 0, depth = 0;
    bool quoted = false, escaped = false, gap = false;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        bool plain = !escaped;
        escaped = plain && c == '\\' && (quoted || depth > 0);
        if (plain && c == '(' && !quoted)
            depth++;
        if (depth > 0 || (!quoted && ascii_is_space(c))) {
            if (plain && c == ')')
                depth--;
            gap = true;
            continue;
        }
        if (gap && n > 0 && !is_separator(out[n - 1]) && !is_separator(c))
            out[n++] = ' ';
        gap = false;
        if (plain && c == '"')
            quoted = !quoted;
        out[n++] = c;
    }
    *n_out = n;
    return depth == 0 || fail(ps, "a comment is not closed");
}

/* The content of the innermost angle brackets, the first of equally deep
 * ones; all of it where there are none. A missing '>' is forgiven. */
static struct slice deepest_bracket(struct slice in, bool *bracketed_out)
{
    size_t depth = 0, deepest = 0, start = 0, end = in.n;
    bool quoted = false, open = false;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && c == '<') {
            if (++depth > deepest) {
                deepest = depth;
                start = i + 1;
                end = in.n;
                open = true;
            }
        } else if (!quoted && c == '>' && depth > 0) {
            if (open && depth == deepest)
                end = i;
            open = open && depth != deepest;
            depth--;
        }
    }
    *bracketed_out = deepest > 0;
    return (struct slice){in.p + start, end - start};
}

static bool strict_brackets(struct parser *ps, struct slice in, bool *bracketed_out)
{
    while (starts_with(in, ' '))
        skip(&in, 1);
    *bracketed_out = starts_with(in, '<');
    if (*bracketed_out) {
        if (in.p[in.n - 1] != '>')
            return fail(ps, "the address begins with '<' but does not end with '>'");
        skip(&in, 1);
        in.n--;
    }
    ps->rest = in;
    return true;
}

/* --- grammar --------------------------------------------------------------- */

/* RFC 5321 4.1.3; a tag other than IPv6 is none of ours. */
static bool parse_literal(struct slice s, struct ip *ip_out)
{
    static const char tag[] = "IPv6:";
    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    s = (struct slice){s.p + 1, s.n - 2};
    bool tagged = s.n >= sizeof tag && slice_is_nocase((struct slice){s.p, sizeof tag - 1}, tag);
    if (tagged)
        skip(&s, sizeof tag - 1);
    return tagged == (memchr(s.p, ':', s.n) != NULL) && ip_parse(s, ip_out);
}

static bool is_route_host(struct slice host)
{
    char canonical[DOMAIN_MAX];
    struct ip ip;
    return starts_with(host, '[') ? parse_literal(host, &ip) : domain_canon(host, canonical);
}

/* "@" domain { "," "@" domain } ":" in front of the address: checked, dropped. */
static bool skip_route(struct parser *ps)
{
    while (starts_with(ps->rest, '@')) {
        struct slice host = {ps->rest.p + 1, 0};
        bool literal = starts_with((struct slice){host.p, ps->rest.n - 1}, '[');
        while (host.n + 1 < ps->rest.n) {
            char c = host.p[host.n];
            if ((c == ',' || c == ':') && !literal)
                break;
            literal = literal && c != ']';
            host.n++;
        }
        if (!is_route_host(host))
            return fail(ps, "the source route holds something that is not a domain");
        skip(&ps->rest, host.n + 1);
        if (ps->rest.n == 0)
            return fail(ps, "the source route is not followed by ':' and an address");
        bool last = starts_with(ps->rest, ':');
        skip(&ps->rest, 1);
        if (last)
            return true;
        if (!starts_with(ps->rest, '@'))
            return fail(ps, "the source route holds something that is no '@domain'");
    }
    return true;
}

static bool read_quoted(struct parser *ps)
{
    struct slice s = ps->rest;
    skip(&s, 1);
    while (s.n > 0 && s.p[0] != '"') {
        if (s.p[0] == '\\') {
            skip(&s, 1);
            if (s.n == 0 || is_8bit(s.p[0]))
                break;
        }
        ps->local[ps->local_n++] = s.p[0];
        skip(&s, 1);
    }
    if (!starts_with(s, '"'))
        return fail(ps, "the quoted local part is not closed, or quotes an 8-bit character");
    skip(&s, 1);
    ps->rest = s;
    if (s.n > 0 && s.p[0] != '@')
        return fail(ps, "a quoted local part must be followed by '@'");
    return true;
}

static bool read_dots_and_atoms(struct parser *ps)
{
    while (ps->rest.n > 0 && ps->rest.p[0] != '@') {
        char c = ps->rest.p[0];
        if (c != '.' && !is_atext(c))
            return err_set(ps->err, ERR_SYNTAX, "'%c' must be in double quotes in a local part", c);
        ps->local[ps->local_n++] = c;
        skip(&ps->rest, 1);
    }
    return ps->local_n > 0 || fail(ps, "the local part is empty");
}

static bool read_local(struct parser *ps)
{
    size_t before = ps->rest.n;
    bool quoted = starts_with(ps->rest, '"');
    if (!(quoted ? read_quoted(ps) : read_dots_and_atoms(ps)))
        return false;
    if (before - ps->rest.n > MAILADDR_LOCAL_MAX)
        return err_set(ps->err, ERR_RANGE, "the local part is longer than %d bytes",
                       MAILADDR_LOCAL_MAX);
    ps->local[ps->local_n] = '\0';
    return true;
}

static bool read_literal(struct parser *ps, struct mailaddr *addr, char text[LITERAL_TEXT_MAX])
{
    if (!parse_literal(ps->rest, &addr->literal))
        return fail(ps, "no address literal we know: allowed are [192.0.2.1] and "
                        "[IPv6:2001:db8::1]");
    char ip[IP_TEXT_MAX];
    snprintf(text, LITERAL_TEXT_MAX, ip_is_v4(&addr->literal) ? "[%s]" : "[ipv6:%s]",
             ip_text(&addr->literal, ip));
    addr->kind = MAILADDR_LITERAL;
    return true;
}

static bool out_of_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "out of memory");
}

static bool keep_unicode_domain(struct slice sent, struct arena *arena, struct mailaddr *addr)
{
    if (sent.p[sent.n - 1] == '.')
        sent.n--;
    char *text = arena_dup_slice(arena, sent);
    if (text == NULL)
        return false;
    ascii_lower_in_place(text);
    addr->unicode_domain = text;
    addr->utf8 = true;
    return true;
}

/* ps->rest stands at the end or at '@'. */
static bool read_domain(struct parser *ps, struct arena *arena, struct mailaddr *addr)
{
    char canonical[DOMAIN_MAX > LITERAL_TEXT_MAX ? DOMAIN_MAX : LITERAL_TEXT_MAX];
    if (ps->rest.n > 0)
        skip(&ps->rest, 1);
    if (ps->rest.n == 0) {
        addr->kind = MAILADDR_LOCAL;
        addr->domain = "";
        return true;
    }
    addr->kind = MAILADDR_DOMAIN;
    if (starts_with(ps->rest, '[')) {
        if (!read_literal(ps, addr, canonical))
            return false;
    } else if (!domain_canon(ps->rest, canonical)) {
        return fail(ps, "what follows '@' is not a valid domain");
    } else if (has_8bit(ps->rest) && !keep_unicode_domain(ps->rest, arena, addr)) {
        return out_of_memory(ps->err);
    }
    addr->domain = arena_dup(arena, canonical);
    return addr->domain != NULL || out_of_memory(ps->err);
}

/* --- canonical text -------------------------------------------------------- */

/* Is it a Dot-string, that is atoms with single dots between them? */
static bool needs_no_quotes(const char *local)
{
    char before = '.';
    for (const char *p = local; *p != '\0'; p++) {
        if (*p == '.' ? before == '.' : !is_atext(*p))
            return false;
        before = *p;
    }
    return before != '.';
}

static char *put_local(char *out, const char *local)
{
    bool quotes = !needs_no_quotes(local);
    if (quotes)
        *out++ = '"';
    for (const char *p = local; *p != '\0'; p++) {
        if (quotes && (*p == '"' || *p == '\\'))
            *out++ = '\\';
        *out++ = *p;
    }
    if (quotes)
        *out++ = '"';
    return out;
}

/* text and key from local and domain. */
static bool set_text(struct mailaddr *addr, struct arena *arena)
{
    size_t domain_n = strlen(addr->domain);
    char *text = arena_alloc(arena, 2 * strlen(addr->local) + domain_n + 4); /* quotes, '@', NUL */
    if (text == NULL)
        return false;
    char *end = put_local(text, addr->local);
    if (addr->kind != MAILADDR_LOCAL) {
        *end++ = '@';
        memcpy(end, addr->domain, domain_n);
        end += domain_n;
    }
    *end = '\0';
    char *key = arena_dup(arena, text);
    if (key == NULL)
        return false;
    ascii_lower_in_place(key);
    addr->text = text;
    addr->key = key;
    return true;
}

static bool parse_address(struct parser *ps, struct arena *arena, struct mailaddr *addr)
{
    if (!skip_route(ps) || !read_local(ps))
        return false;
    addr->utf8 = has_8bit((struct slice){ps->local, ps->local_n});
    if (!read_domain(ps, arena, addr))
        return false;
    addr->local = arena_dup(arena, ps->local);
    if (addr->local == NULL || !set_text(addr, arena))
        return out_of_memory(ps->err);
    return true;
}

bool mailaddr_parse(struct slice text, enum mailaddr_mode mode, bool allow_null,
                    struct arena *arena, struct mailaddr *addr_out, struct err *err)
{
    struct parser ps = {.err = err};
    char words[MAILADDR_PATH_MAX];
    bool bracketed = false;
    *addr_out =
        (struct mailaddr){.kind = MAILADDR_NULL, .local = "", .domain = "", .text = "", .key = ""};
    if (!check_bytes(text, err))
        return false;
    if (mode == MAILADDR_LOOSE) {
        size_t n = 0;
        if (!normalise(&ps, text, words, &n))
            return false;
        ps.rest = deepest_bracket((struct slice){words, n}, &bracketed);
    } else if (!strict_brackets(&ps, text, &bracketed)) {
        return false;
    }
    if (ps.rest.n > 0)
        return parse_address(&ps, arena, addr_out);
    if (bracketed && allow_null)
        return true;
    return fail(&ps, bracketed ? "<> is not a recipient" : "the address is empty");
}

/* --- addresses made of others ----------------------------------------------- */

bool mailaddr_with_domain(const struct mailaddr *addr, const char *domain, struct arena *arena,
                          struct mailaddr *addr_out)
{
    char canonical[DOMAIN_MAX];
    struct mailaddr made = *addr;
    if (addr->kind == MAILADDR_NULL || !domain_canon(slice_of(domain), canonical))
        return false;
    made.kind = MAILADDR_DOMAIN;
    made.domain = arena_dup(arena, canonical);
    made.unicode_domain = NULL;
    made.utf8 = has_8bit(slice_of(made.local));
    if (made.domain == NULL || !set_text(&made, arena))
        return false;
    *addr_out = made;
    return true;
}

bool mailaddr_without_extension(const struct mailaddr *addr, const char *delimiters,
                                struct arena *arena, struct mailaddr *addr_out)
{
    struct mailaddr made = *addr;
    size_t n = strcspn(addr->local, delimiters != NULL ? delimiters : "");
    if (n > 0 && addr->local[n] != '\0') {
        made.local = arena_dup_slice(arena, (struct slice){addr->local, n});
        if (made.local == NULL || !set_text(&made, arena))
            return false;
        made.utf8 = made.unicode_domain != NULL || has_8bit(slice_of(made.local));
    }
    *addr_out = made;
    return true;
}

bool mailaddr_is_postmaster(const struct mailaddr *addr)
{
    return addr->kind == MAILADDR_LOCAL && slice_is_nocase(slice_of(addr->local), "postmaster");
}
