#include "milter/sheet.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "lib/base/escape.h"
#include "lib/base/mono.h"

#define GAP 2     /* blanks between columns */
#define PIECE 512 /* bytes that are escaped at once */

/* --- colours ------------------------------------------------------------------------- */

bool sheet_on_terminal(void)
{
    const char *kind = getenv("TERM");

    return kind != NULL && kind[0] != '\0' && strcmp(kind, "dumb") != 0 &&
           isatty(STDOUT_FILENO) == 1;
}

bool sheet_is_coloured(void)
{
    const char *forbidden = getenv("NO_COLOR");

    return (forbidden == NULL || forbidden[0] == '\0') && sheet_on_terminal();
}

void sheet_paint(const char *text, enum sheet_tone tone, struct strbuf *out)
{
    static const char *const colours[] = {
        [SHEET_GOOD] = "\033[32m", [SHEET_DOUBT] = "\033[33m", [SHEET_BAD] = "\033[31m"};

    if (tone == SHEET_PLAIN || !sheet_is_coloured())
        strbuf_puts(out, text);
    else
        strbuf_printf(out, "%s%s\033[0m", colours[tone], text);
}

enum sheet_tone sheet_tone(const char *key, struct slice word)
{
    static const char *const keys[] = {"verdict", "action", "access",  "class",
                                       "accept",  "health", "routing", "mode"};
    static const struct {
        const char *word;
        enum sheet_tone tone;
    } words[] = {
        {"accept", SHEET_GOOD},        {"relay", SHEET_GOOD},       {"valid", SHEET_GOOD},
        {"match", SHEET_GOOD},         {"good", SHEET_GOOD},        {"enforce", SHEET_GOOD},
        {"tempfail", SHEET_DOUBT},     {"temporary", SHEET_DOUBT},  {"greylisted", SHEET_DOUBT},
        {"mailbox_full", SHEET_DOUBT}, {"server_ill", SHEET_DOUBT}, {"error", SHEET_DOUBT},
        {"monitor", SHEET_DOUBT},      {"unchecked", SHEET_DOUBT},  {"reject", SHEET_BAD},
        {"tcprefuse", SHEET_BAD},      {"user_unknown", SHEET_BAD}, {"policy", SHEET_BAD},
        {"nomatch", SHEET_BAD},
    };
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        known = known || strcmp(key, keys[i]) == 0;
    for (size_t i = 0; known && i < ARRAY_LEN(words); i++) {
        if (slice_is(word, words[i].word))
            return words[i].tone;
    }
    return known && strcmp(key, "health") == 0 ? SHEET_BAD : SHEET_PLAIN;
}

/* --- width ----------------------------------------------------------------------------- */

static wchar_t decode(const char *p, size_t n)
{
    static const unsigned char first_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned long c = (unsigned char)p[0] & first_bits[n];

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3F);
    return (wchar_t)c;
}

/* wcwidth(3) answers by the locale, and ours may be one that knows ASCII only. */
static locale_t begin_unicode(void)
{
    static locale_t unicode;

    if (unicode == (locale_t)0)
        unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    return unicode != (locale_t)0 ? uselocale(unicode) : (locale_t)0;
}

size_t sheet_width(const char *text)
{
    locale_t before = begin_unicode();
    struct slice rest = slice_of(text);
    size_t width = 0;

    while (rest.n > 0) {
        size_t n = str_utf8_length(rest);
        int columns = n > 1 && before != (locale_t)0 ? wcwidth(decode(rest.p, n)) : 1;
        width += columns >= 0 ? (size_t)columns : 1;
        n = n > 0 ? n : 1;
        rest = (struct slice){rest.p + n, rest.n - n};
    }
    if (before != (locale_t)0)
        uselocale(before);
    return width;
}

/* --- cells -------------------------------------------------------------------------------- */

static void add_cell(struct sheet *sheet, struct sheet_cell cell)
{
    if (sheet->n == sheet->room) {
        size_t room = sheet->room > 0 ? 2 * sheet->room : 64;
        struct sheet_cell *cells = realloc(sheet->cells, room * sizeof *cells);
        if (cells == NULL) {
            sheet->texts.failed = true;
            return;
        }
        sheet->cells = cells;
        sheet->room = room;
    }
    sheet->cells[sheet->n++] = cell;
}

void sheet_escape(struct slice text, struct strbuf *out)
{
    char escaped[PIECE * ESCAPE_WORST + 1];

    while (text.n > 0) {
        size_t n = text.n < PIECE ? text.n : PIECE;
        while (n < text.n && n > PIECE - 4 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
            n--; /* a character stays whole */
        escape_line((struct slice){text.p, n}, escaped, sizeof escaped);
        strbuf_puts(out, escaped);
        text = (struct slice){text.p + n, text.n - n};
    }
}

void sheet_put(struct sheet *sheet, struct slice text, enum sheet_tone tone)
{
    size_t at = sheet->texts.n;

    sheet_escape(text, &sheet->texts);
    strbuf_putc(&sheet->texts, '\0');
    if (!sheet->texts.failed)
        add_cell(sheet, (struct sheet_cell){at, sheet_width(sheet->texts.p + at), tone});
}

void sheet_number(struct sheet *sheet, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    sheet->right[sheet->n % sheet->columns] = true;
    sheet_put(sheet, slice_of(text), SHEET_PLAIN);
}

void sheet_begin(struct sheet *sheet, const char *const *headers, size_t columns)
{
    CHECK(columns > 0 && columns <= SHEET_COLUMNS_MAX);
    *sheet = (struct sheet){.columns = columns};
    strbuf_init(&sheet->texts);
    for (size_t i = 0; headers != NULL && i < columns; i++)
        sheet_put(sheet, slice_of(headers[i]), SHEET_PLAIN);
}

/* --- printing ------------------------------------------------------------------------------- */

static void put_blanks(size_t n, struct strbuf *out)
{
    for (; n > 0; n--)
        strbuf_putc(out, ' ');
}

/* No blanks at the end of a line. */
static void print_row(const struct sheet *sheet, const struct sheet_cell *row, size_t n,
                      const size_t *widths, struct strbuf *out)
{
    size_t owed = 0;

    for (size_t i = 0; i < n; i++) {
        const char *text = sheet->texts.p + row[i].at;
        size_t rest = widths[i] - row[i].width;
        if (text[0] != '\0') {
            put_blanks(owed + (sheet->right[i] ? rest : 0), out);
            sheet_paint(text, row[i].tone, out);
            owed = sheet->right[i] ? 0 : rest;
        } else {
            owed += rest;
        }
        owed += GAP;
    }
    strbuf_putc(out, '\n');
}

void sheet_end(struct sheet *sheet, struct strbuf *out)
{
    size_t widths[SHEET_COLUMNS_MAX] = {0};

    out->failed = out->failed || sheet->texts.failed;
    for (size_t i = 0; !out->failed && i < sheet->n; i++) {
        size_t *width = &widths[i % sheet->columns];
        *width = sheet->cells[i].width > *width ? sheet->cells[i].width : *width;
    }
    for (size_t i = 0; !out->failed && i < sheet->n; i += sheet->columns) {
        size_t n = sheet->n - i < sheet->columns ? sheet->n - i : sheet->columns;
        print_row(sheet, sheet->cells + i, n, widths, out);
    }
    strbuf_done(&sheet->texts);
    free(sheet->cells);
    *sheet = (struct sheet){.columns = sheet->columns};
}

/* --- time ------------------------------------------------------------------------------------- */

const char *sheet_span(int64_t seconds, char text[SHEET_TEXT_MAX])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;

    if (seconds < 0)
        seconds = 0;
    while (i + 1 < ARRAY_LEN(units) && seconds < units[i].seconds)
        i++;
    int64_t whole = seconds / units[i].seconds, rest = seconds % units[i].seconds;
    int n = snprintf(text, SHEET_TEXT_MAX, "%lld %s", (long long)whole, units[i].name);
    /* Two units, but for minutes: those are exact enough, from ten on. */
    if (i + 1 < ARRAY_LEN(units) && !(units[i].seconds == 60 && whole >= 10))
        rest /= units[i + 1].seconds;
    else
        rest = 0;
    if (rest > 0)
        snprintf(text + n, SHEET_TEXT_MAX - (size_t)n, " %lld %s", (long long)rest,
                 units[i + 1].name);
    return text;
}

const char *sheet_moment(int64_t seconds, char text[SHEET_TEXT_MAX])
{
    time_t at = (time_t)seconds;
    int64_t now = mono_wall_seconds();
    char span[SHEET_TEXT_MAX];
    struct tm tm = {0};

    localtime_r(&at, &tm);
    size_t n = strftime(text, SHEET_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
    if (n > 0 && seconds > now)
        snprintf(text + n, SHEET_TEXT_MAX - n, ", in %.24s", sheet_span(seconds - now, span));
    return text;
}
