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

/* To the last parenthesis of the line, so that any text can stand in between.
 * Where something else ends the line, only a '#' may follow the comment. */
static void read_comment(struct hat_tokens *tokens)
{
    struct slice rest = slice_trim(scan_rest(&tokens->scan));
    for (size_t n = rest.n; n > 0; n--) {
        if (rest.p[n - 1] != ')')
            continue;
        struct slice behind = slice_trim((struct slice){rest.p + n, rest.n - n});
        if (behind.n > 0 && behind.p[0] != '#')
            continue;
        tokens->now.kind = HAT_TOKEN_COMMENT;
        tokens->now.text = (struct slice){rest.p + 1, n - 2};
        tokens->scan.at = tokens->scan.line.n;
        return;
    }
    wrong(tokens, "the comment has no closing \")\" in this line, or something follows it");
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
