/* reader.c - see reader.h. */
#include "lib/tables/reader.h"

#include "lib/base/escape.h"

bool reader_open(struct reader *reader, const char *path, struct place at,
                 struct problems *problems)
{
    *reader = (struct reader){.path = path, .problems = problems, .scratch = arena_new(0)};
    if (reader->scratch == NULL) {
        problem_error(problems, at, "cannot read %s: out of memory", path);
        return false;
    }
    reader->lines = lines_open(path, at, problems);
    return reader->lines != NULL;
}

void reader_close(struct reader *reader)
{
    if (reader->hidden > READER_HIDDEN_MAX)
        problem_warning(reader->problems, (struct place){.file = reader->path},
                        "%zu more rows are never reached", reader->hidden - READER_HIDDEN_MAX);
    lines_close(reader->lines);
    arena_free(reader->scratch);
    *reader = (struct reader){0};
}

bool reader_next(struct reader *reader, struct scan *scan_out)
{
    struct slice line;
    arena_reset(reader->scratch);
    while (lines_next(reader->lines, &line)) {
        *scan_out = (struct scan){.line = lines_strip_comment(line)};
        scan_blanks(scan_out);
        if (!scan_end(scan_out))
            return true;
    }
    return false;
}

unsigned reader_line(const struct reader *reader)
{
    return lines_place(reader->lines, 0).line;
}

bool reader_refuse(struct reader *reader, unsigned column, const char *fmt, ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    problem_error(reader->problems, lines_place(reader->lines, column), "%s", text);
    return false;
}

void reader_warn(struct reader *reader, unsigned column, const char *fmt, ...)
{
    char text[PROBLEM_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    problem_warning(reader->problems, lines_place(reader->lines, column), "%s", text);
}

void reader_warn_hidden(struct reader *reader, unsigned column, const char *row, const char *by,
                        unsigned by_line)
{
    if (++reader->hidden <= READER_HIDDEN_MAX)
        reader_warn(reader, column, "%s is never reached: %s comes first, %s:%u", row, by,
                    reader->path, by_line);
}

bool reader_no_memory(struct reader *reader)
{
    return reader_refuse(reader, 0, "out of memory");
}

const char *reader_shown(struct slice word, char out[READER_SHOWN_MAX])
{
    escape_line(word, out, READER_SHOWN_MAX);
    return out;
}
