/*
 * ini.c - inih behind a reader of ours.
 *
 * inih as Debian builds it reads lines of 200 bytes and takes the rest of a
 * longer one as a line of its own, which invents keys; it drops values' text
 * after " ;", takes indented keys as second values of the key above, cuts
 * section names at 49 bytes, accepts ':' for '=' and counts no lines. So it
 * never sees the file. The reader below looks at each whole line, keeps its
 * value and number, and hands inih a line without any of these traps: the key,
 * checked and short, and "x" for its value. The handler then joins what inih
 * understood with what the reader kept.
 */
#include "lib/conf/ini.h"

#include <ini.h>
#include <string.h>
#include "lib/base/lines.h"

struct reader {
    struct lines *lines;
    void (*take)(const struct ini_event *event, void *arg);
    void *arg;
    struct slice name, value; /* of the key line that inih has in hand */
    bool in_hand;
    char why[64];
};

static void emit(const struct reader *reader, enum ini_kind kind, struct slice name,
                 struct slice value, const char *wrong)
{
    struct ini_event event = {kind, slice_trim(name), slice_trim(value),
                              lines_place(reader->lines, 0), wrong};
    reader->take(&event, reader->arg);
}

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_alnum(name.p[i]) && !memchr("_-.", name.p[i], 3))
            return false;
    return name.n > 0;
}

/* The first control byte as a sentence, or NULL. */
static const char *control_byte(struct reader *reader, struct slice line)
{
    size_t bad = lines_control_byte(line);
    if (bad == line.n)
        return NULL;
    snprintf(reader->why, sizeof reader->why, "control byte 0x%02x; allowed: text and tabs",
             (unsigned)(unsigned char)line.p[bad]);
    return reader->why;
}

static void take_section(struct reader *reader, struct slice line, const char *wrong)
{
    const char *end = memchr(line.p, ']', line.n);
    struct slice name = {line.p + 1, line.n - 1};
    if (end)
        name.n = (size_t)(end - name.p);
    if (!wrong && !end)
        wrong = "\"]\" is missing";
    else if (!wrong && end + 1 < line.p + line.n)
        wrong = "text after \"]\"; allowed: nothing, comments have lines of their own";
    emit(reader, INI_SECTION, name, (struct slice){line.p, 0}, wrong);
}

/* Splits a key line into reader->name and ->value. wrong: what is known to be.
 * false: it was broken and has been reported. */
static bool split_key(struct reader *reader, struct slice line, const char *wrong)
{
    const char *equals = memchr(line.p, '=', line.n);
    struct slice name = line, value = {line.p + line.n, 0};
    if (equals) {
        name.n = (size_t)(equals - line.p);
        value = (struct slice){equals + 1, line.n - name.n - 1};
    }
    name = slice_trim(name);
    /* The rest of a line without "=" may be a password: not for errors. */
    for (size_t i = 0; !equals && i < name.n; i++)
        if (ascii_is_space(name.p[i]) || name.p[i] == ':')
            name.n = i;
    if (!wrong && !equals)
        wrong = "\"=\" is missing; allowed: key = value";
    else if (!wrong && name.n > INI_NAME_MAX)
        wrong = "unknown key";
    else if (!wrong && !is_name(name))
        wrong = "no name of a key; allowed: letters, digits and \"_\" before \"=\"";
    if (wrong) {
        emit(reader, INI_KEY, name, value, wrong);
        return false;
    }
    reader->name = name;
    reader->value = value;
    return true;
}

/* Is the line one for inih? The others are dealt with here. */
static bool is_key_line(struct reader *reader, struct slice line)
{
    struct slice text = slice_trim(line);
    struct slice none = {line.p, 0};
    const char *wrong = control_byte(reader, line);
    if (text.n == 0 || text.p[0] == '#' || text.p[0] == ';') {
        if (wrong)
            emit(reader, INI_KEY, none, none, wrong);
        return false;
    }
    if (ascii_is_space(line.p[0])) {
        emit(reader, INI_MORE, none, text, wrong);
        return false;
    }
    if (line.p[0] == '[') {
        take_section(reader, text, wrong);
        return false;
    }
    return split_key(reader, text, wrong);
}

static void report_lost_key(struct reader *reader)
{
    if (reader->in_hand)
        emit(reader, INI_KEY, reader->name, reader->value, "cannot be read");
    reader->in_hand = false;
}

/* inih's fgets(). */
static char *read_line(char *to, int room, void *stream)
{
    struct reader *reader = stream;
    struct slice line;
    report_lost_key(reader);
    while (lines_next_any(reader->lines, &line)) {
        if (!is_key_line(reader, line))
            continue;
        reader->in_hand = true;
        snprintf(to, (size_t)room, "%.*s = x\n", (int)reader->name.n, reader->name.p);
        return to;
    }
    return NULL;
}

static int take_key(void *user, const char *section, const char *name, const char *value)
{
    struct reader *reader = user;
    (void)section;
    (void)value;
    reader->in_hand = false;
    emit(reader, INI_KEY, slice_of(name), reader->value, NULL);
    return 1;
}

bool ini_read(const char *path, void (*take)(const struct ini_event *event, void *arg), void *arg,
              struct problems *problems)
{
    struct reader reader = {.take = take, .arg = arg};
    reader.lines = lines_open_any(path, (struct place){0}, problems);
    if (!reader.lines)
        return false;
    /* Line errors cannot come from what it gets to see: only lack of memory. */
    if (ini_parse_stream(read_line, &reader, take_key, &reader) != 0)
        problem_error(problems, (struct place){.file = path}, "cannot read further: out of memory");
    lines_close(reader.lines);
    return true;
}
