/* smtp_reply.c - see smtp_reply.h. */
#include "lib/net/smtp_reply.h"

#include <string.h>

struct slice smtp_reply_text(const struct smtp_reply *reply)
{
    return (struct slice){reply->text, reply->text_n};
}

static size_t digits(struct slice s, size_t from, size_t max)
{
    size_t n = 0;
    while (n < max && from + n < s.n && ascii_is_digit(s.p[from + n]))
        n++;
    return n;
}

size_t smtp_status_length(struct slice text)
{
    size_t at = text.n > 0 && text.p[0] == '#' ? 1 : 0;
    if (at >= text.n || !strchr("245", text.p[at]) || text.p[at] == '\0')
        return 0;
    at++;
    for (int part = 0; part < 2; part++) {
        if (at >= text.n || text.p[at] != '.')
            return 0;
        size_t n = digits(text, at + 1, 3);
        if (n == 0)
            return 0;
        at += 1 + n;
    }
    return at == text.n || ascii_is_space(text.p[at]) ? at : 0;
}

bool smtp_reply_is_too_many(const struct smtp_reply *reply)
{
    return reply->code == 452 ||
           (reply->code >= 400 && reply->status[0] && strcmp(reply->status + 1, ".5.3") == 0);
}

static bool has_words(struct slice text, const char *words)
{
    size_t n = strlen(words);
    for (; text.n >= n; text.p++, text.n--) {
        if (slice_is_nocase((struct slice){text.p, n}, words))
            return true;
    }
    return false;
}

bool smtp_reply_is_of_server(const struct smtp_reply *reply)
{
    static const char *const words[] = {"insufficient system resources",
                                        "insufficient system storage", "insufficient resources"};
    bool said = false;
    if (reply->code / 100 != 4)
        return false;
    /* The words may also be those of a mailbox (4.2.x) that is full. */
    for (size_t i = 0; i < ARRAY_LEN(words) && strncmp(reply->status, "4.2.", 4) != 0; i++)
        said = said || has_words(smtp_reply_text(reply), words[i]);
    return said || reply->code == 421 || strncmp(reply->status, "4.3.", 4) == 0;
}

void smtp_parser_init(struct smtp_parser *parser)
{
    parser->line_n = 0;
    parser->bytes = 0;
    parser->complete = true;
}

bool smtp_parser_at_start(const struct smtp_parser *parser)
{
    return parser->complete;
}

static void begin_reply(struct smtp_parser *parser)
{
    struct smtp_reply *reply = &parser->reply;
    reply->code = 0;
    reply->status[0] = '\0';
    reply->other_status[0] = '\0';
    reply->text_n = 0;
    reply->lines = 0;
    parser->bytes = 0;
    parser->complete = false;
}

/* As much of text as fits. */
static void keep_text(struct smtp_reply *reply, struct slice text)
{
    if (reply->lines > 1 && reply->text_n < SMTP_TEXT_KEPT)
        reply->text[reply->text_n++] = '\n';
    size_t room = SMTP_TEXT_KEPT - reply->text_n;
    size_t n = text.n < room ? text.n : room;
    if (n > 0)
        memcpy(reply->text + reply->text_n, text.p, n);
    reply->text_n += n;
}

/* The first one counts; of the others is kept that they differ. */
static void keep_status(struct smtp_reply *reply, struct slice status)
{
    char *kept = reply->status[0] == '\0' ? reply->status : reply->other_status;
    if (status.n >= sizeof reply->status || slice_is(status, reply->status))
        return;
    if (kept[0] != '\0') {
        if (!slice_is(status, kept))
            snprintf(kept, sizeof reply->other_status, "several");
        return;
    }
    memcpy(kept, status.p, status.n);
    kept[status.n] = '\0';
}

static struct slice take_status(struct smtp_reply *reply, struct slice text)
{
    size_t n = smtp_status_length(text);
    size_t sharp = n > 0 && text.p[0] == '#' ? 1 : 0;
    if (n == 0)
        return text;
    keep_status(reply, (struct slice){text.p + sharp, n - sharp});
    return slice_trim((struct slice){text.p + n, text.n - n});
}

/* "250", "250 text" or "250-text"; 0 when it is none of them. */
static int line_code(struct slice line)
{
    if (digits(line, 0, 4) != 3 || line.p[0] < '2' || line.p[0] > '5')
        return 0;
    if (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return 0;
    return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
}

static enum smtp_parse end_of_line(struct smtp_parser *parser, const char **why_out)
{
    struct smtp_reply *reply = &parser->reply;
    struct slice line = {parser->line, parser->line_n};
    parser->line_n = 0;
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    int code = line_code(line);
    if (code == 0) {
        *why_out = "a reply line without a reply code";
        return SMTP_PARSE_MALFORMED;
    }
    if (reply->code != 0 && reply->code != code) {
        *why_out = "a reply code that changes inside one reply";
        return SMTP_PARSE_MALFORMED;
    }
    if (++reply->lines > SMTP_LINES_MAX) {
        *why_out = "a reply of too many lines";
        return SMTP_PARSE_MALFORMED;
    }
    reply->code = code;
    struct slice text = {line.p + 3, line.n - 3};
    bool more = text.n > 0 && text.p[0] == '-';
    if (text.n > 0)
        text = (struct slice){text.p + 1, text.n - 1};
    keep_text(reply, take_status(reply, text));
    parser->complete = !more;
    return more ? SMTP_PARSE_MORE : SMTP_PARSE_REPLY;
}

/* May c follow what the line holds so far? NULL: yes. */
static const char *refuse_byte(const struct smtp_parser *parser, char c)
{
    if (c == '\0')
        return "a NUL byte in a reply";
    if (c != '\n' && parser->line_n > 0 && parser->line[parser->line_n - 1] == '\r')
        return "a CR without LF in a reply";
    if (c != '\n' && parser->line_n == SMTP_LINE_MAX)
        return "a reply line that is too long";
    if (parser->bytes == SMTP_REPLY_MAX)
        return "a reply that is too long";
    return NULL;
}

enum smtp_parse smtp_parser_feed(struct smtp_parser *parser, struct slice *in, const char **why_out)
{
    enum smtp_parse parse = SMTP_PARSE_MORE;
    *why_out = NULL;
    while (in->n > 0 && parse == SMTP_PARSE_MORE) {
        char c = in->p[0];
        if (parser->complete)
            begin_reply(parser);
        *why_out = refuse_byte(parser, c);
        if (*why_out)
            return SMTP_PARSE_MALFORMED;
        in->p++;
        in->n--;
        parser->bytes++;
        if (c == '\n')
            parse = end_of_line(parser, why_out);
        else
            parser->line[parser->line_n++] = c;
    }
    return parse;
}
