/* rulereply.c - see rulereply.h. */
#include "lib/tables/rulereply.h"

#include <string.h>
#include "lib/base/replytext.h"

#define TEXT_MAX 900 /* bytes of a reply text (SPEC 2) */

static bool read_code(struct reader *reader, struct scan *scan, bool accept, int *code_out)
{
    char copy[READER_SHOWN_MAX];
    unsigned column = scan_column(scan);
    uint64_t code = 0, least = accept ? 200 : 400, most = accept ? 299 : 599;
    if (scan_next_is(scan, '"'))
        return reader_refuse(reader, column, "a code of three digits is missing before the text");
    struct slice word = scan_word(scan, "");
    if (word.n != 3 || !str_to_uint(word, most, &code) || code < least)
        return reader_refuse(reader, column,
                             "\"%s\" is no code for %s; allowed: %u to %u, then a text in double "
                             "quotes",
                             reader_shown(word, copy), accept ? "ACCEPT" : "REJECT",
                             (unsigned)least, (unsigned)most);
    *code_out = (int)code;
    return true;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        bool c1 = (uint8_t)text[0] == 0xc2 && (uint8_t)text[1] < 0xa0;
        if (ascii_is_control(*text) || c1)
            return true;
    }
    return false;
}

static bool read_text(struct reader *reader, struct scan *scan, struct arena *arena,
                      struct rulereply *reply)
{
    unsigned column = scan_column(scan);
    struct err err;
    if (!scan_next_is(scan, '"'))
        return reader_refuse(reader, column, "a text in double quotes is missing after the code %d",
                             reply->code);
    if (!scan_quoted(scan, arena, &reply->text, &err))
        return reader_refuse(reader, column, "%s", err.text);
    if (reply->text[0] == '\0' || strlen(reply->text) > TEXT_MAX || has_control(reply->text))
        return reader_refuse(
            reader, column, "the text must have 1 to %d bytes and no control characters", TEXT_MAX);
    if (!replytext_fits(reply->text, reply->code, &err))
        return reader_refuse(reader, column, "%s", err.text);
    return true;
}

bool rulereply_read(struct reader *reader, struct scan *scan, bool accept, struct arena *arena,
                    struct rulereply *reply_out)
{
    *reply_out = (struct rulereply){0};
    if (scan_end(scan))
        return true;
    if (!read_code(reader, scan, accept, &reply_out->code))
        return false;
    scan_blanks(scan);
    if (!read_text(reader, scan, arena, reply_out))
        return false;
    scan_blanks(scan);
    return scan_end(scan) ||
           reader_refuse(reader, scan_column(scan), "nothing may follow the reply text");
}

void rulereply_export(const struct rulereply *reply, struct strbuf *out)
{
    if (reply->text == NULL)
        return;
    strbuf_printf(out, " %d \"", reply->code);
    for (const char *p = reply->text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *p);
    }
    strbuf_putc(out, '"');
}
