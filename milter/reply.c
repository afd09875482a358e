#include "milter/reply.h"

#include <string.h>

#include "lib/base/escape.h"

/* Copy with each '%' doubled, ending before a character that does not fit. */
static void double_percent(const char *from, char *to, size_t room)
{
    size_t n = 0;
    for (; *from != '\0' && n + 2 < room; from++) {
        if (*from == '%')
            to[n++] = '%';
        to[n++] = *from;
    }
    while (*from != '\0' && n > 0 && ((unsigned char)*from & 0xC0) == 0x80) {
        from--; /* do not cut inside a UTF-8 character */
        n--;
    }
    to[n] = '\0';
}

/* All of text as one line. */
static void put_joined(const char *text, struct reply *reply)
{
    char clean[REPLY_TEXT_MAX];
    size_t n = 0, line;

    for (;; text += line + 1) {
        line = strcspn(text, "\n");
        n += escape_reply((struct slice){text, line}, clean + n, sizeof clean - n);
        if (text[line] == '\0')
            break;
        n += (size_t)snprintf(clean + n, sizeof clean - n, "%s", n + 1 < sizeof clean ? " " : "");
    }
    double_percent(clean, reply->text, REPLY_TEXT_MAX + 1);
    reply->lines[0] = reply->text;
}

/* The last line there may be takes all the rest, where LF is a control byte. */
static struct slice first_line(const char *text, size_t lines_left)
{
    return (struct slice){text, lines_left > 1 ? strcspn(text, "\n") : strlen(text)};
}

static void put_lines(const char *text, struct reply *reply)
{
    char clean[REPLY_TEXT_MAX];
    size_t used = 0;

    for (size_t n = 0; n < REPLYTEXT_LINES_MAX && used + 1 < sizeof reply->text; n++) {
        struct slice line = first_line(text, REPLYTEXT_LINES_MAX - n);
        size_t room = sizeof reply->text - used;
        escape_reply(line, clean, sizeof clean);
        reply->lines[n] = reply->text + used;
        double_percent(clean, reply->text + used,
                       room < REPLY_TEXT_MAX + 1 ? room : REPLY_TEXT_MAX + 1);
        used += strlen(reply->lines[n]) + 1;
        if (line.p[line.n] == '\0')
            return;
        text = line.p + line.n + 1;
    }
}

void reply_make(const struct verdict *verdict, bool single_line, struct reply *reply_out)
{
    int class = verdict->action == VERDICT_TEMPFAIL ? 4 : 5;

    CHECK(verdict->action != VERDICT_CONTINUE);
    CHECK(verdict->code / 100 == class && verdict->status[0] == '0' + class);
    snprintf(reply_out->code, sizeof reply_out->code, "%d", verdict->code);
    memcpy(reply_out->status, verdict->status, sizeof reply_out->status);
    memset(reply_out->lines, 0, sizeof reply_out->lines);
    if (single_line)
        put_joined(verdict->text, reply_out);
    else
        put_lines(verdict->text, reply_out);
}

void reply_said(const struct verdict *verdict, char text_out[REPLY_ALL_MAX])
{
    struct reply reply;
    size_t n = 0;

    reply_make(verdict, false, &reply);
    for (size_t i = 0; reply.lines[i] != NULL; i++) {
        if (i > 0)
            text_out[n++] = '\n';
        for (const char *from = reply.lines[i]; *from != '\0'; from++) {
            text_out[n++] = *from;
            if (*from == '%')
                from++;
        }
    }
    text_out[n] = '\0';
}
