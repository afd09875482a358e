/* gatehousectl top: what the daemon decides now, most frequent first, over and over. */
#include "milter/command.h"

#include <getopt.h>
#include <poll.h>
#include <string.h>

#include "lib/base/mono.h"
#include "milter/ask.h"
#include "milter/jsonread.h"
#include "milter/sheet.h"

#define EVERY_DEFAULT 5
#define EVERY_MAX 3600
#define TIMES_MAX 1000000
#define ROWS_MAX 200  /* decisions told apart; there are fewer reasons and stages */
#define ROWS_SHOWN 20 /* a screen */

struct options {
    uint64_t every; /* seconds */
    uint64_t times; /* 0: until interrupted */
};

/* What the daemon said of one word ("stats", "status") at one time. */
struct sample {
    char *text; /* malloc'd */
    size_t size;
    mono_us at;
};

struct row {
    struct slice name; /* "rcpt reject rat/rat_reject" */
    uint64_t count;    /* since the start */
    double rate;       /* a second */
};

/* --- asking ------------------------------------------------------------------------------ */

static void forget(struct sample *sample)
{
    free(sample->text);
    *sample = (struct sample){.text = NULL};
}

static const char *const ask_stats[] = {"stats"}, *const ask_status[] = {"status", "json"};

/* Returns an exit status; what went wrong is told. */
static int take(const char *conf, const char *const *words, size_t n, struct sample *sample_out)
{
    FILE *out = open_memstream(&sample_out->text, &sample_out->size);

    if (out == NULL) {
        fprintf(stderr, "gatehousectl top: out of memory\n");
        return COMMAND_NO;
    }
    int status = ask_daemon_into(conf, words, n, out);
    sample_out->at = mono_now();
    if (fclose(out) == 0)
        return status;
    fprintf(stderr, "gatehousectl top: out of memory\n");
    return COMMAND_NO;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool next_line(struct slice *text, struct slice *line_out)
{
    const char *end = text->n > 0 ? memchr(text->p, '\n', text->n) : NULL;

    if (end == NULL)
        return false;
    *line_out = (struct slice){text->p, (size_t)(end - text->p)};
    *text = (struct slice){end + 1, text->n - line_out->n - 1};
    return true;
}

/* "NAME COUNT" */
static bool read_row(struct slice line, struct row *row_out)
{
    size_t n = line.n;

    while (n > 0 && line.p[n - 1] != ' ')
        n--;
    row_out->name = (struct slice){line.p, n > 0 ? n - 1 : 0};
    return n > 1 &&
           str_to_uint((struct slice){line.p + n, line.n - n}, UINT64_MAX, &row_out->count);
}

static uint64_t count_before(const struct sample *before, struct slice name)
{
    struct slice text = {before->text, before->size}, line;
    struct row row;

    while (next_line(&text, &line)) {
        if (read_row(line, &row) && row.name.n == name.n && memcmp(row.name.p, name.p, name.n) == 0)
            return row.count;
    }
    return 0;
}

/* Those that happened in between. A daemon that was restarted counts from nothing. */
static size_t read_rows(const struct sample *before, const struct sample *now, struct row *rows)
{
    struct slice text = {now->text, now->size}, line;
    double seconds = (double)(now->at - before->at) / (double)MONO_SECONDS(1);
    size_t n = 0;

    while (n < ROWS_MAX && next_line(&text, &line)) {
        struct row *row = &rows[n];
        if (!read_row(line, row))
            continue;
        uint64_t then = count_before(before, row->name);
        uint64_t more = row->count >= then ? row->count - then : row->count;
        row->rate = seconds > 0 ? (double)more / seconds : 0;
        n += more > 0;
    }
    return n;
}

static int by_rate(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->rate < y->rate || x->rate > y->rate)
        return x->rate < y->rate ? 1 : -1;
    return (x->count < y->count) - (x->count > y->count);
}

/* --- showing --------------------------------------------------------------------------------- */

/* Some numbers of it, on the line of the time. */
static void put_status(const struct sample *status, struct strbuf *out)
{
    static const char *const shown[] = {"sessions", "callahead_connections",
                                        "callahead_servers_paused"};
    struct json_t *object = jsonread_one((struct slice){status->text, status->size}, NULL);

    for (size_t i = 0; object != NULL && i < ARRAY_LEN(shown); i++)
        strbuf_printf(out, "  %s: %lld", shown[i],
                      (long long)jsonread_integer(jsonread_member(object, shown[i])));
    strbuf_putc(out, '\n');
    jsonread_drop(object);
}

/* "rcpt reject rat/rat_reject" as three cells. */
static void put_decision(struct sheet *sheet, struct slice name)
{
    for (size_t i = 0; i < 3; i++) {
        const char *end = i < 2 ? memchr(name.p, ' ', name.n) : NULL;
        size_t n = end != NULL ? (size_t)(end - name.p) : name.n;
        struct slice cell = {name.p, n};
        sheet_put(sheet, cell, i == 1 ? sheet_tone("verdict", cell) : SHEET_PLAIN);
        n += end != NULL;
        name = (struct slice){name.p + n, name.n - n};
    }
}

static void put_rows(const struct row *rows, size_t n, struct strbuf *out)
{
    static const char *const headers[] = {"A SECOND", "SINCE START", "STAGE", "VERDICT", "BY"};
    struct sheet sheet;
    char text[32];

    sheet_begin(&sheet, headers, ARRAY_LEN(headers));
    sheet.right[0] = sheet.right[1] = true;
    for (size_t i = 0; i < n && i < ROWS_SHOWN; i++) {
        snprintf(text, sizeof text, "%.1f", rows[i].rate);
        sheet_put(&sheet, slice_of(text), SHEET_PLAIN);
        sheet_number(&sheet, rows[i].count);
        put_decision(&sheet, rows[i].name);
    }
    sheet_end(&sheet, out);
}

static int show(const struct command *command, const struct sample *before,
                const struct sample *now, const struct sample *status)
{
    struct row rows[ROWS_MAX];
    size_t n = read_rows(before, now, rows);
    char text[SHEET_TEXT_MAX];
    struct strbuf out;

    strbuf_init(&out);
    strbuf_printf(&out, "%s%s", sheet_on_terminal() ? "\033[H\033[2J" : "",
                  sheet_moment(mono_wall_seconds(), text));
    put_status(status, &out);
    strbuf_putc(&out, '\n');
    qsort(rows, n, sizeof *rows, by_rate);
    put_rows(rows, n, &out);
    strbuf_putc(&out, '\n');
    int answer = command_print(command, &out);
    strbuf_done(&out);
    return answer;
}

/* --- the command ----------------------------------------------------------------------------- */

/* One look: waits, asks, shows; *before becomes what was asked. */
static int look(const struct command *command, const char *conf, const struct options *options,
                struct sample *before)
{
    struct sample now = {.text = NULL}, status = {.text = NULL};

    (void)poll(NULL, 0, (int)options->every * 1000);
    int answer = take(conf, ask_stats, ARRAY_LEN(ask_stats), &now);
    if (answer == COMMAND_YES)
        answer = take(conf, ask_status, ARRAY_LEN(ask_status), &status);
    if (answer == COMMAND_YES)
        answer = show(command, before, &now, &status);
    forget(&status);
    forget(before);
    *before = now;
    return answer;
}

static bool read_options(const struct command *command, int argc, char **argv,
                         struct options *options_out)
{
    int option;
    bool good = true;

    *options_out = (struct options){.every = EVERY_DEFAULT};
    while (good && (option = command_option(command, argc, argv)) != -1) {
        struct slice value = slice_of(optarg);
        if (option == 'e')
            good = str_to_uint(value, EVERY_MAX, &options_out->every) && options_out->every > 0;
        else if (option == 't')
            good = str_to_uint(value, TIMES_MAX, &options_out->times) && options_out->times > 0;
        else
            good = false;
    }
    return good && optind == argc;
}

int command_top(const struct command *command, const char *conf, int argc, char **argv)
{
    struct options options;
    struct sample before = {.text = NULL};

    if (!read_options(command, argc, argv, &options))
        return command_usage(command, "wrong arguments");
    int answer = take(conf, ask_stats, ARRAY_LEN(ask_stats), &before);
    for (uint64_t i = 0; answer == COMMAND_YES && (options.times == 0 || i < options.times); i++)
        answer = look(command, conf, &options, &before);
    forget(&before);
    return answer;
}
