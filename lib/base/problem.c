/* problem.c - see problem.h. */
#include "lib/base/problem.h"

#include <stdarg.h>
#include <string.h>
#include "lib/base/escape.h"
#include "lib/base/str.h"
#include "lib/base/strmap.h"

void problems_init(struct problems *problems)
{
    *problems = (struct problems){0};
}

void problems_done(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        free(problems->list[i].line);
    free(problems->list);
    strmap_free(problems->told);
    problems_init(problems);
}

size_t problems_errors(const struct problems *problems)
{
    return problems->errors;
}

static bool append(struct problems *problems, enum problem_severity severity, char *line)
{
    if (problems->count == problems->room) {
        size_t room = problems->room ? problems->room * 2 : 16;
        struct problem *list = realloc(problems->list, room * sizeof *list);
        if (!list)
            return false;
        problems->list = list;
        problems->room = room;
    }
    problems->list[problems->count++] = (struct problem){severity, line};
    return true;
}

/* "file:line:column: " as far as known. */
static void put_place(struct strbuf *out, struct place at)
{
    if (!at.file)
        return;
    strbuf_puts(out, at.file);
    if (at.line > 0) {
        strbuf_printf(out, ":%u", at.line);
        if (at.column > 0)
            strbuf_printf(out, ":%u", at.column);
    }
    strbuf_puts(out, ": ");
}

/* The printable copy of one line; a file may hold, and a text may quote, any
 * bytes. */
static char *printable(const struct strbuf *raw)
{
    if (raw->failed)
        return NULL;
    size_t room = raw->n * ESCAPE_WORST + 1;
    char *line = malloc(room);
    if (line)
        escape_line((struct slice){strbuf_text(raw), raw->n}, line, room);
    return line;
}

/* false: out of memory. */
static bool remember(struct problems *problems, const char *line, bool *was_there_out)
{
    if (!problems->told)
        problems->told = strmap_new();
    return problems->told && strmap_add(problems->told, slice_of(line), 0, was_there_out);
}

static void count(struct problems *problems, enum problem_severity severity)
{
    if (severity == PROBLEM_ERROR)
        problems->errors++;
    else
        problems->warnings++;
}

PRINTF_LIKE(4, 0)
static void add(struct problems *problems, enum problem_severity severity, struct place at,
                const char *fmt, va_list ap)
{
    struct strbuf raw;
    char text[PROBLEM_TEXT_MAX];
    strbuf_init(&raw);
    put_place(&raw, at);
    if (severity == PROBLEM_WARNING)
        strbuf_puts(&raw, "warning: ");
    if (at.key)
        strbuf_printf(&raw, "%s: ", at.key);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    if (n < 0)
        text[0] = '\0';
    strbuf_puts(&raw, text);
    if (n >= (int)sizeof text)
        strbuf_puts(&raw, "...");
    char *line = printable(&raw);
    strbuf_done(&raw);
    bool twice = false;
    bool kept =
        line && remember(problems, line, &twice) && !twice && append(problems, severity, line);
    if (!kept)
        free(line);
    problems->lost = problems->lost || !(kept || twice);
    /* What could not be kept is an error, whatever it was: see problem.h. */
    count(problems, kept || twice ? severity : PROBLEM_ERROR);
}

void problem_error(struct problems *problems, struct place at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(problems, PROBLEM_ERROR, at, fmt, ap);
    va_end(ap);
}

void problem_warning(struct problems *problems, struct place at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add(problems, PROBLEM_WARNING, at, fmt, ap);
    va_end(ap);
}

void problems_print(const struct problems *problems, FILE *out)
{
    for (size_t i = 0; i < problems->count; i++)
        fprintf(out, "%s\n", problems->list[i].line);
    if (problems->lost)
        fputs("out of memory: some problems are missing here\n", out);
}
