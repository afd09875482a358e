#include "lib/gate/mark.h"

#include <string.h>

#define VALUE_MAX 128 /* bytes of one value, escaped; the field stays below the 998 of a line */

static void put_word(struct strbuf *out, const char *key, const char *value)
{
    size_t n = 0;

    strbuf_printf(out, "%s%s=", strbuf_text(out)[0] != '\0' ? " " : "", key);
    for (; *value != '\0' && n < VALUE_MAX; value++) {
        unsigned char c = (unsigned char)*value;
        bool plain = c > ' ' && c < 127 && strchr("=\\\"'", c) == NULL;
        n += plain ? 1 : 4;
        if (plain)
            strbuf_putc(out, *value);
        else
            strbuf_printf(out, "\\x%02X", c);
    }
}

const char *mark_value(const struct conn_facts *conn, struct arena *arena)
{
    const struct policy *policy = conn->policy; /* NULL: not classified, let through by monitor */
    const char *name = policy != NULL && policy->name[0] == '\0' ? "DEFAULT" : NULL;
    char score[16] = "none";
    struct strbuf out;

    if (policy != NULL && name == NULL)
        name = policy->name;
    if (conn->score_known && !conn->score_none)
        snprintf(score, sizeof score, "%.1f", conn->score);
    strbuf_init(&out);
    put_word(&out, "group", conn->match.group != NULL ? conn->match.group : "None");
    put_word(&out, "policy", name != NULL ? name : "None");
    put_word(&out, "score", score);
    put_word(&out, "spam_scan", policy == NULL || policy->keys.spam_scan ? "yes" : "no");
    put_word(&out, "virus_scan", policy == NULL || policy->keys.virus_scan ? "yes" : "no");
    const char *value = out.failed ? NULL : arena_dup(arena, strbuf_text(&out));
    strbuf_done(&out);
    return value;
}

bool mark_name_ok(const char *name)
{
    size_t n = strlen(name);

    if (n < 3 || n > MARK_NAME_MAX || strncmp(name, "X-", 2) != 0)
        return false;
    for (; *name != '\0'; name++)
        if (!ascii_is_alnum(*name) && *name != '-')
            return false;
    return true;
}

/* Blanks between name and colon are no part of the name (RFC 5322 4.5). */
bool mark_is_forged(const char *name, const char *field)
{
    size_t n = strlen(field);

    while (n > 0 && ascii_is_space(field[n - 1]))
        n--;
    return name[0] != '\0' && slice_is_nocase((struct slice){field, n}, name);
}
