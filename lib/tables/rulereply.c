/* rulereply.c - see rulereply.h. */
#include "lib/tables/rulereply.h"

#include <string.h>
#include "lib/base/replytext.h"

static bool read_code(struct reader *reader, struct scan *scan, bool accept, int *code_out)
{
    char copy[READER_SHOWN_MAX];
    unsigned column = scan_column(scan);
    uint64_t code = 0, least = accept ? 200 : 400, most = accept ? 299 : 599;
    if (scan_next_is(scan, '"'))
        return reader_refuse(reader, column, "a code of three digits is missing before the text");
    struct slice word = scan_word(scan, "");
    if (word.n != 3 || !str_to_uint(word, most, &code) || code < least)
        return reader_refuse(
            reader, column,
            "\"%s\" is not a code for %s; allowed: %u to %u, then a text in double "
            "quotes",
            reader_shown(word, copy), accept ? "ACCEPT" : "REJECT", (unsigned)least,
            (unsigned)most);
    *code_out = (int)code;
    return true;
}

static bool read_text(struct reader *reader, struct scan *scan, struct arena *arena,
                      struct rulereply *reply)
{
    unsigned column = scan_column(scan);
    const char *written = NULL;
    struct err err;
    if (!scan_next_is(scan, '"'))
        return reader_refuse(reader, column, "a text in double quotes is missing after the code %d",
                             reply->code);
    if (!scan_quoted(scan, reader->scratch, &written, &err))
        return reader_refuse(reader, column, "%s", err.text);
    if (written[0] == '\0')
        return reader_refuse(reader, column, "the text is empty; allowed: 1 to %d bytes",
                             REPLYTEXT_MAX);
    if (!replytext_read(slice_of(written), arena, &reply->text, &err) ||
        !replytext_fits(reply->text, reply->code, &err))
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
        if (*p == '"' || *p == '\\' || *p == '\n')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *p == '\n' ? 'n' : *p);
    }
    strbuf_putc(out, '"');
}
