/* key_print.c - values and what is allowed, in an administrator's words. */
#include "lib/base/key.h"

#include <string.h>
#include "lib/base/replytext.h"

static const void *member(const struct key_row *row, const void *section)
{
    return (const char *)section + row->offset;
}

static void print_number(const struct key_row *row, int64_t value, struct strbuf *out)
{
    if (value == KEY_NO_LIMIT)
        /* Without KEY_UNLIMITED only KEY_ZERO_UNLIMITED leads here. */
        strbuf_puts(out, row->flags & KEY_UNLIMITED ? "unlimited" : "0");
    else if (row->type == KEY_DURATION)
        key_print_duration(value, out);
    else if (row->type == KEY_SIZE)
        key_print_size(value, out);
    else
        strbuf_printf(out, "%lld", (long long)value);
}

static void print_list(const struct key_list *list, struct strbuf *out)
{
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            strbuf_puts(out, ", ");
        strbuf_puts(out, list->v[i].text);
    }
}

static void print_set(const struct key_row *row, unsigned set, struct strbuf *out)
{
    const char *before = "";
    for (unsigned i = 0; row->words[i]; i++) {
        if (set & 1u << i) {
            strbuf_printf(out, "%s%s", before, row->words[i]);
            before = ", ";
        }
    }
}

static void print_value(const struct key_row *row, const void *value, struct strbuf *out)
{
    switch (row->type) {
    case KEY_BOOL:
        strbuf_puts(out, *(const bool *)value ? "yes" : "no");
        break;
    case KEY_COUNT:
    case KEY_DURATION:
    case KEY_SIZE:
        print_number(row, *(const int64_t *)value, out);
        break;
    case KEY_CODE:
        strbuf_printf(out, "%03d", *(const int *)value);
        break;
    case KEY_STRING:
    case KEY_PATH:
    case KEY_REF:
        strbuf_puts(out, *(const char *const *)value);
        break;
    case KEY_TEXT:
        replytext_print(*(const char *const *)value, out);
        break;
    case KEY_LIST:
        print_list(value, out);
        break;
    case KEY_WORD:
        strbuf_puts(out, row->words[*(const int *)value]);
        break;
    case KEY_SET:
        print_set(row, *(const unsigned *)value, out);
        break;
    }
}

void key_print(const struct key_row *row, const void *section, struct strbuf *out)
{
    if (!(row->flags & KEY_SECRET)) {
        print_value(row, member(row, section), out);
        return;
    }
    struct strbuf value;
    strbuf_init(&value);
    print_value(row, member(row, section), &value);
    if (value.n > 0 || value.failed)
        strbuf_puts(out, "(set)");
    out->failed = out->failed || value.failed;
    strbuf_done(&value);
}

static void allow_range(const struct key_row *row, const char *noun, struct strbuf *out)
{
    if (row->max < KEY_ANY_MAX) {
        print_number(row, row->min, out);
        strbuf_puts(out, "..");
        print_number(row, row->max, out);
    } else if (row->min > 0) {
        strbuf_puts(out, "at least ");
        print_number(row, row->min, out);
    } else {
        strbuf_printf(out, "any %s", noun);
    }
    if (row->flags & KEY_UNLIMITED)
        strbuf_puts(out, row->flags & KEY_ZERO_UNLIMITED ? " or unlimited (0)" : " or unlimited");
    else if (row->flags & KEY_ZERO_UNLIMITED)
        strbuf_puts(out, ", 0 is unlimited");
}

/* "a, b or c". */
static void allow_words(const char *const *words, const char *last, struct strbuf *out)
{
    for (size_t i = 0; words[i]; i++) {
        if (i > 0)
            strbuf_puts(out, words[i + 1] ? ", " : last);
        strbuf_puts(out, words[i]);
    }
}

void key_allowed(const struct key_row *row, struct strbuf *out)
{
    switch (row->type) {
    case KEY_BOOL:
        strbuf_puts(out, "yes or no");
        break;
    case KEY_COUNT:
        allow_range(row, "number", out);
        break;
    case KEY_DURATION:
        allow_range(row, "duration", out);
        break;
    case KEY_SIZE:
        allow_range(row, "size", out);
        break;
    case KEY_CODE:
        strbuf_printf(out, "%03d..%03d", (int)row->min, (int)row->max);
        break;
    case KEY_STRING:
        strbuf_puts(out, "one line of text");
        break;
    case KEY_TEXT:
        strbuf_printf(out, "at most %d bytes of UTF-8 without control characters", REPLYTEXT_MAX);
        break;
    case KEY_PATH:
        strbuf_puts(out, "a file name");
        break;
    case KEY_LIST:
        strbuf_puts(out, "items separated by commas or blanks");
        break;
    case KEY_WORD:
        allow_words(row->words, " or ", out);
        break;
    case KEY_SET:
        strbuf_puts(out, "any of ");
        allow_words(row->words, " and ", out);
        break;
    case KEY_REF:
        strbuf_printf(out, "a [%s] section", row->refers);
        break;
    }
}
