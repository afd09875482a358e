#include "milter/wire.h"

#include <string.h>

#define WIRE_NAME "gatehouse-1"

/* A word ends at the next TAB or at the end. */
static struct slice word_at(const char *p, size_t n)
{
    const char *tab = n > 0 ? memchr(p, '\t', n) : NULL;
    return (struct slice){p, tab != NULL ? (size_t)(tab - p) : n};
}

static bool is_clean(struct slice word)
{
    for (size_t i = 0; i < word.n; i++) {
        if (ascii_is_control(word.p[i]))
            return false;
    }
    return str_is_utf8(word);
}

bool wire_parse_request(char *line, size_t n, struct wire_request *request_out, struct err *err)
{
    struct slice word = word_at(line, n);

    *request_out = (struct wire_request){.nwords = 0};
    if (!slice_is(word, WIRE_NAME))
        return err_set(err, ERR_SYNTAX, "not a request of this version; it begins with " WIRE_NAME);
    for (size_t at = word.n; at < n; at += word.n) {
        at++; /* the TAB */
        word = word_at(line + at, n - at);
        if (!is_clean(word))
            return err_set(err, ERR_SYNTAX, "a word holds control bytes, or is not UTF-8");
        if (request_out->nwords == WIRE_WORDS_MAX)
            return err_set(err, ERR_RANGE, "more than %d words", WIRE_WORDS_MAX);
        request_out->words[request_out->nwords++] = line + at;
        line[at + word.n] = '\0';
    }
    return request_out->nwords > 0 || err_set(err, ERR_SYNTAX, "there is no verb");
}

bool wire_print_request(const char *const *words, size_t nwords, struct strbuf *out,
                        struct err *err)
{
    strbuf_puts(out, WIRE_NAME);
    for (size_t i = 0; i < nwords; i++) {
        if (!is_clean(slice_of(words[i])))
            return err_set(err, ERR_SYNTAX, "\"%.80s\" holds control bytes, or is not UTF-8",
                           words[i]);
        strbuf_putc(out, '\t');
        strbuf_puts(out, words[i]);
    }
    strbuf_putc(out, '\n');
    if (out->failed)
        return err_set(err, ERR_MEMORY, "out of memory");
    return (out->n <= WIRE_REQUEST_MAX && nwords <= WIRE_WORDS_MAX) ||
           err_set(err, ERR_RANGE, "the request has %zu bytes; allowed: at most %d", out->n,
                   WIRE_REQUEST_MAX);
}

size_t wire_print_head(enum wire_status status, size_t length, char out[WIRE_HEAD_MAX])
{
    int n = snprintf(out, WIRE_HEAD_MAX, WIRE_NAME "\t%d\t%zu\n", (int)status, length);
    CHECK(n > 0 && n < WIRE_HEAD_MAX);
    return (size_t)n;
}

bool wire_parse_head(struct slice line, enum wire_status *status_out, size_t *length_out)
{
    struct slice name = word_at(line.p, line.n), status, length;
    uint64_t number;

    if (!slice_is(name, WIRE_NAME) || name.n == line.n)
        return false;
    line = (struct slice){line.p + name.n + 1, line.n - name.n - 1};
    status = word_at(line.p, line.n);
    if (status.n == line.n || !str_to_uint(status, WIRE_UNREACHABLE, &number))
        return false;
    *status_out = (enum wire_status)number;
    length = (struct slice){line.p + status.n + 1, line.n - status.n - 1};
    if (!str_to_uint(length, WIRE_REPLY_MAX, &number))
        return false;
    *length_out = (size_t)number;
    return true;
}
