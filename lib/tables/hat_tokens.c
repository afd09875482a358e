/*
 * hat_tokens.c - take a HAT text file apart.
 */
#include "lib/tables/hat_tokens.h"

#include <string.h>

bool hat_tokens_open(struct hat_tokens *tokens, const char *path, struct place at,
                     struct arena *arena, struct problems *problems)
{
    *tokens = (struct hat_tokens){.problems = problems, .arena = arena};
    tokens->lines = lines_open(path, at, problems);
    if (tokens->lines == NULL)
        return false;
    hat_tokens_next(tokens);
    return true;
}

void hat_tokens_close(struct hat_tokens *tokens)
{
    lines_close(tokens->lines);
    tokens->lines = NULL;
}

static void wrong(struct hat_tokens *tokens, const char *what)
{
    tokens->now.kind = HAT_TOKEN_WRONG;
    problem_error(tokens->problems, tokens->now.at, "%s", what);
    tokens->scan.at = tokens->scan.line.n;
}

/* Go past blanks, comments and ends of lines. */
static bool find_token(struct hat_tokens *tokens)
{
    struct scan *scan = &tokens->scan;
    for (;;) {
        scan_blanks(scan);
        bool blank = scan->at == 0 || ascii_is_space(scan->line.p[scan->at - 1]);
        if (blank && scan_next_is(scan, '#'))
            scan->at = scan->line.n;
        if (!scan_end(scan))
            return true;
        *scan = (struct scan){.at = 0};
        if (!lines_next(tokens->lines, &scan->line))
            return false;
    }
}

static bool is_first(const struct scan *scan)
{
    return slice_trim((struct slice){scan->line.p, scan->at}).n == 0;
}

/* The text up to the last parenthesis of the line, so that any text can stand in between.
 * Where something else ends the line, only a '#' may follow. false: there is none. */
static bool find_close(struct slice rest, struct slice *text_out)
{
    for (size_t n = rest.n; n > 0; n--) {
        if (rest.p[n - 1] != ')')
            continue;
        struct slice behind = slice_trim((struct slice){rest.p + n, rest.n - n});
        if (behind.n > 0 && behind.p[0] != '#')
            continue;
        *text_out = (struct slice){rest.p, n - 1};
        return true;
    }
    return false;
}

/* Can the line be the rest of a comment that an earlier one began? A comment that lacks
 * its end must not take the next statement with it. */
static bool goes_on(struct slice line)
{
    static const char signs[] = "(){}=$";
    for (size_t i = 0; i < line.n; i++)
        if (memchr(signs, line.p[i], sizeof signs - 1) != NULL)
            return false;
    return line.n == 0 || line.p[line.n - 1] != ':';
}

static bool add_line(struct strbuf *text, struct slice line)
{
    line = slice_trim(line);
    if (line.n > 0 && text->n > 0)
        strbuf_putc(text, ' ');
    strbuf_add(text, line.p, line.n);
    return text->n <= HAT_COMMENT_MAX;
}

/* The vendor breaks long comments. Lines are joined by a blank; the scan ends up behind
 * the comment, or at the line that cannot belong to it. */
static bool read_broken_comment(struct hat_tokens *tokens, struct strbuf *text)
{
    struct scan *scan = &tokens->scan;
    bool good = true;
    while (good) {
        struct slice close = {NULL, 0};
        *scan = (struct scan){.at = 0};
        if (!lines_next(tokens->lines, &scan->line))
            return false;
        bool ends = find_close(scan->line, &close);
        good = goes_on(slice_trim(ends ? close : scan->line)) || (ends && close.n == 0);
        if (good)
            good = add_line(text, ends ? close : scan->line);
        if (good)
            scan->at = scan->line.n;
        if (good && ends)
            return true;
    }
    return false;
}

static void read_comment(struct hat_tokens *tokens)
{
    struct slice close, rest = scan_rest(&tokens->scan);
    struct strbuf text;
    rest = (struct slice){rest.p + 1, rest.n - 1};
    if (find_close(rest, &close)) {
        tokens->now.kind = HAT_TOKEN_COMMENT;
        tokens->now.text = close;
        tokens->scan.at = tokens->scan.line.n;
        return;
    }
    strbuf_init(&text);
    tokens->scan.at = tokens->scan.line.n; /* wherever it ends, we get on */
    bool good = memchr(rest.p, ')', rest.n) == NULL && add_line(&text, rest) &&
                read_broken_comment(tokens, &text) && !text.failed;
    tokens->now.kind = good ? HAT_TOKEN_COMMENT : HAT_TOKEN_WRONG;
    tokens->now.text = (struct slice){
        good ? arena_dup_slice(tokens->arena, (struct slice){strbuf_text(&text), text.n}) : NULL,
        text.n};
    if (tokens->now.text.p == NULL) {
        tokens->now.kind = HAT_TOKEN_WRONG;
        problem_error(tokens->problems, tokens->now.at, "%s",
                      good || text.failed
                          ? "out of memory"
                          : "the comment has no closing \")\" at the end of this line or of one "
                            "that follows, or something follows it");
    }
    strbuf_done(&text);
}

static void read_quoted(struct hat_tokens *tokens)
{
    const char *text = NULL;
    struct err err = {0};
    if (!scan_quoted(&tokens->scan, tokens->arena, &text, &err)) {
        wrong(tokens, err.text);
        return;
    }
    tokens->now.kind = HAT_TOKEN_QUOTED;
    tokens->now.text = slice_of(text);
}

static void read_word(struct hat_tokens *tokens)
{
    struct scan *scan = &tokens->scan, ahead;
    bool policy = scan_take(scan, '$');
    size_t from = scan->at;
    scan->at += str_item(scan_rest(scan), " \t,{}(=\"$");
    tokens->now.text = (struct slice){scan->line.p + from, scan->at - from};
    tokens->now.kind = policy ? HAT_TOKEN_POLICY : HAT_TOKEN_WORD;
    ahead = *scan;
    scan_blanks(&ahead);
    if (!policy && !scan_next_is(&ahead, ',') &&
        policy_access_word(tokens->now.text, &tokens->now.access))
        tokens->now.kind = HAT_TOKEN_ACTION;
}

void hat_tokens_next(struct hat_tokens *tokens)
{
    static const char signs[] = ",={}";
    static const enum hat_token_kind kinds[] = {HAT_TOKEN_COMMA, HAT_TOKEN_EQUALS, HAT_TOKEN_OPEN,
                                                HAT_TOKEN_CLOSE};
    struct scan *scan = &tokens->scan;
    bool more = find_token(tokens);
    tokens->now = (struct hat_token){.at = lines_place(tokens->lines, 0), .first = !more};
    if (!more)
        return;
    char c = scan->line.p[scan->at];
    const char *sign = memchr(signs, c, sizeof signs - 1);
    tokens->now.at.column = scan_column(scan);
    tokens->now.first = is_first(scan);
    if (c == '(') {
        read_comment(tokens);
    } else if (c == '"') {
        read_quoted(tokens);
    } else if (sign != NULL) {
        scan->at++;
        tokens->now.kind = kinds[sign - signs];
    } else {
        read_word(tokens);
    }
}
