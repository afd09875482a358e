/*
 * hat_entry.c - sender entries: look-up entries, keywords, names. Addresses
 * are hat_address.c.
 */
#include "lib/tables/hat_entry.h"

#include <string.h>
#include "lib/base/escape.h"
#include "lib/tables/hat_address.h"

#define SHOWN_MAX 72 /* bytes of a wrong entry that an error repeats */

static const struct {
    const char *word;
    enum hat_unverified class;
} classes[] = {
    {"nx.domain", HAT_NO_PTR},
    {"serv.fail", HAT_PTR_TEMPFAIL},
    {"not.double.verified", HAT_PTR_MISMATCH},
};

const char *hat_class_word(enum hat_unverified class)
{
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (classes[i].class == class)
            return classes[i].word;
    }
    return "";
}

static const char *shown(struct slice text, char out[SHOWN_MAX])
{
    escape_line(text, out, SHOWN_MAX);
    return out;
}

/* The part of text behind prefix, which is compared without case. */
static bool after(struct slice text, const char *prefix, struct slice *rest_out)
{
    size_t n = strlen(prefix);
    if (text.n < n || !slice_is_nocase((struct slice){text.p, n}, prefix))
        return false;
    *rest_out = (struct slice){text.p + n, text.n - n};
    return true;
}

/* --- look-up entries -------------------------------------------------------------- */

/* "-3", "2.5", "10.00" in hundredths. */
static bool parse_score(struct slice text, int *score_out)
{
    bool minus = text.n > 0 && text.p[0] == '-';
    text = (struct slice){text.p + minus, text.n - minus};
    const char *dot = text.n > 0 ? memchr(text.p, '.', text.n) : NULL;
    size_t whole_n = dot != NULL ? (size_t)(dot - text.p) : text.n;
    uint64_t whole, part = 0;
    if (!str_to_uint((struct slice){text.p, whole_n}, HAT_SCORE_MOST / HAT_SCORE_UNIT, &whole))
        return false;
    if (dot != NULL) {
        size_t part_n = text.n - whole_n - 1;
        if (part_n > 2 || !str_to_uint((struct slice){dot + 1, part_n}, HAT_SCORE_UNIT - 1, &part))
            return false;
        part *= part_n == 1 ? 10 : 1;
    }
    int score = (int)(whole * HAT_SCORE_UNIT + part);
    *score_out = minus ? -score : score;
    return score <= HAT_SCORE_MOST;
}

static bool parse_scores(struct slice text, struct slice inside, struct hat_form *form,
                         struct err *err)
{
    char copy[SHOWN_MAX];
    bool closed = inside.n > 0 && inside.p[inside.n - 1] == ']';
    inside.n -= closed;
    form->kind = HAT_ENTRY_LOOKUP;
    form->lookup = HAT_LOOKUP_NO_SCORE;
    if (closed && slice_is_nocase(inside, "none"))
        return true;
    form->lookup = HAT_LOOKUP_SCORE;
    const char *colon = inside.n > 0 ? memchr(inside.p, ':', inside.n) : NULL;
    if (closed && colon != NULL) {
        struct slice from = {inside.p, (size_t)(colon - inside.p)};
        struct slice to = {colon + 1, inside.n - from.n - 1};
        if (parse_score(from, &form->score_from) && parse_score(to, &form->score_to) &&
            form->score_from <= form->score_to)
            return true;
    }
    return err_set(err, ERR_SYNTAX,
                   "\"%s\" is wrong; allowed: SBRS[none] or SBRS[from:to] with from <= to, both "
                   "-10.0 to 10.0 with at most two decimals",
                   shown(text, copy));
}

static bool parse_owner(struct slice text, struct slice digits, struct hat_form *form,
                        struct err *err)
{
    char copy[SHOWN_MAX];
    uint64_t owner;
    form->kind = HAT_ENTRY_LOOKUP;
    form->lookup = HAT_LOOKUP_OWNER;
    if (!str_to_uint(digits, UINT32_MAX, &owner) || owner == 0)
        return err_set(err, ERR_SYNTAX, "\"%s\" is wrong; allowed: SBO:1 to SBO:4294967295",
                       shown(text, copy));
    form->owner = (uint32_t)owner;
    return true;
}

static bool parse_country(struct slice text, struct slice code, struct hat_form *form,
                          struct err *err)
{
    char copy[SHOWN_MAX];
    form->kind = HAT_ENTRY_LOOKUP;
    form->lookup = HAT_LOOKUP_COUNTRY;
    if (code.n != 2 || !ascii_is_alpha(code.p[0]) || !ascii_is_alpha(code.p[1]))
        return err_set(err, ERR_SYNTAX,
                       "\"%s\" is wrong; allowed: country: and two letters, as in country:JP",
                       shown(text, copy));
    for (size_t i = 0; i < 2; i++)
        form->country[i] = (char)(ascii_lower(code.p[i]) - 'a' + 'A');
    form->country[2] = '\0';
    return true;
}

/* Without answers named: all but 127.0.0.1, which some lists give to those they know as
 * good. */
#define LOOPBACK 0x7f000000u    /* 127.0.0.0 */
#define TEST_ANSWER 0x7f000002u /* 127.0.0.2 */
#define LAST_ANSWER 0x7ffffeffu /* 127.255.254.255: behind it are refusals */
#define LAST_REFUSAL 0x7fffffffu

static bool parse_answer(struct slice text, uint32_t *answer_out)
{
    struct ip ip;
    if (!ip_parse(text, &ip) || !ip_is_v4(&ip) || memchr(text.p, ':', text.n) != NULL)
        return false;
    *answer_out = ip_v4(&ip);
    return *answer_out >= LOOPBACK && *answer_out <= LAST_REFUSAL;
}

/* "127.0.0.2" or "127.0.0.4-127.0.0.8" */
static bool parse_answer_range(struct slice text, struct hat_answers *answers, struct err *err)
{
    char copy[SHOWN_MAX];
    const char *dash = text.n > 0 ? memchr(text.p, '-', text.n) : NULL;
    size_t n = dash != NULL ? (size_t)(dash - text.p) : text.n;
    struct slice from = {text.p, n};
    struct slice to = dash != NULL ? (struct slice){dash + 1, text.n - n - 1} : from;
    if (!parse_answer(from, &answers->first) || !parse_answer(to, &answers->last) ||
        answers->first > answers->last)
        return err_set(
            err, ERR_SYNTAX,
            "\"%s\" is not an answer of a DNS list; allowed: an address inside 127.0.0.0/8, "
            "or two, from-to, the lower one first",
            shown(text, copy));
    if (answers->first > LAST_ANSWER)
        return err_set(err, ERR_RANGE,
                       "\"%s\" can never match: with 127.255.255.0/24 a DNS list refuses to answer",
                       shown(text, copy));
    return true;
}

static bool parse_answers(struct slice text, struct hat_form *form, struct err *err)
{
    form->nanswers = 0;
    for (bool more = true; more;) {
        const char *comma = text.n > 0 ? memchr(text.p, ',', text.n) : NULL;
        size_t n = comma != NULL ? (size_t)(comma - text.p) : text.n;
        if (form->nanswers == HAT_ANSWERS_MAX)
            return err_set(err, ERR_RANGE,
                           "more than %d answers in one entry; the others may be another one",
                           HAT_ANSWERS_MAX);
        if (!parse_answer_range((struct slice){text.p, n}, &form->answers[form->nanswers], err))
            return false;
        form->nanswers++;
        more = comma != NULL;
        text = (struct slice){text.p + n + more, text.n - n - more};
    }
    return true;
}

static bool parse_zone(struct slice text, struct slice inside, struct hat_form *form,
                       struct err *err)
{
    static const struct hat_answers others[] = {{LOOPBACK, LOOPBACK}, {TEST_ANSWER, LAST_ANSWER}};
    char copy[SHOWN_MAX];
    bool closed = inside.n > 0 && inside.p[inside.n - 1] == ']';
    inside.n -= closed;
    const char *equals = inside.n > 0 ? memchr(inside.p, '=', inside.n) : NULL;
    size_t zone_n = equals != NULL ? (size_t)(equals - inside.p) : inside.n;
    form->kind = HAT_ENTRY_LOOKUP;
    form->lookup = HAT_LOOKUP_ZONE;
    if (!closed || !domain_canon((struct slice){inside.p, zone_n}, form->name))
        return err_set(err, ERR_SYNTAX,
                       "\"%s\" is wrong; allowed: dnslist[zone], as in dnslist[bl.example.org], or "
                       "dnslist[zone=127.0.0.2,127.0.0.4-127.0.0.8], without blanks",
                       shown(text, copy));
    if (equals != NULL)
        return parse_answers((struct slice){equals + 1, inside.n - zone_n - 1}, form, err);
    memcpy(form->answers, others, sizeof others);
    form->nanswers = ARRAY_LEN(others);
    return true;
}

bool hat_form_lists(const struct hat_form *form, const struct dnslisting *listing)
{
    if (form->kind != HAT_ENTRY_LOOKUP || form->lookup != HAT_LOOKUP_ZONE ||
        strcmp(form->name, listing->zone) != 0)
        return false;
    for (size_t i = 0; i < form->nanswers; i++) {
        for (size_t k = 0; k < listing->n; k++) {
            if (listing->answers[k] >= form->answers[i].first &&
                listing->answers[k] <= form->answers[i].last)
                return true;
        }
    }
    return false;
}

/* --- the rest ----------------------------------------------------------------------- */

static bool parse_keyword(struct slice text, struct hat_form *form)
{
    if (slice_is_nocase(text, "ALL")) {
        form->kind = HAT_ENTRY_ALL;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (slice_is_nocase(text, classes[i].word)) {
            form->kind = HAT_ENTRY_UNVERIFIED;
            form->class = classes[i].class;
            return true;
        }
    }
    return false;
}

static bool parse_name(struct slice text, struct hat_form *form, struct err *err)
{
    char copy[SHOWN_MAX];
    bool dot = text.n > 0 && text.p[0] == '.';
    form->kind = dot ? HAT_ENTRY_SUFFIX : HAT_ENTRY_NAME;
    form->name[0] = '.';
    if (domain_canon((struct slice){text.p + dot, text.n - dot}, form->name + dot) &&
        !domain_is_numeric(form->name + dot))
        return true;
    if (text.n > 0 && text.p[0] == '*')
        return err_set(err, ERR_SYNTAX,
                       "\"%s\" is no sender; hosts below a domain are written "
                       ".example.com",
                       shown(text, copy));
    return err_set(err, ERR_SYNTAX,
                   "\"%s\" is no sender; allowed: address, range, network, host name, .domain, "
                   "SBRS[], SBO:, country:, dnslist[], nx.domain, serv.fail, "
                   "not.double.verified, ALL",
                   shown(text, copy));
}

bool hat_form_parse(struct slice text, struct hat_form *form_out, struct err *err)
{
    struct slice rest;
    if (hat_address_is(text))
        return hat_address_parse(text, form_out, err);
    if (after(text, "SBRS[", &rest))
        return parse_scores(text, rest, form_out, err);
    if (after(text, "SBO:", &rest))
        return parse_owner(text, rest, form_out, err);
    if (after(text, "country:", &rest))
        return parse_country(text, rest, form_out, err);
    if (after(text, "dnslist[", &rest))
        return parse_zone(text, rest, form_out, err);
    return parse_keyword(text, form_out) || parse_name(text, form_out, err);
}
