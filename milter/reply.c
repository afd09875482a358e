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

void reply_make(const struct verdict *verdict, struct reply *reply_out)
{
    char clean[REPLY_TEXT_MAX];
    int class = verdict->action == VERDICT_TEMPFAIL ? 4 : 5;

    CHECK(verdict->action != VERDICT_CONTINUE);
    CHECK(verdict->code / 100 == class && verdict->status[0] == '0' + class);
    snprintf(reply_out->code, sizeof reply_out->code, "%d", verdict->code);
    memcpy(reply_out->status, verdict->status, sizeof reply_out->status);
    escape_reply(slice_of(verdict->text), clean, sizeof clean);
    double_percent(clean, reply_out->text, sizeof reply_out->text);
}

void reply_said(const struct verdict *verdict, char text_out[REPLY_TEXT_MAX + 1])
{
    struct reply reply;
    size_t n = 0;

    reply_make(verdict, &reply);
    for (const char *from = reply.text; *from != '\0'; from++) {
        text_out[n++] = *from;
        if (*from == '%')
            from++;
    }
    text_out[n] = '\0';
}
