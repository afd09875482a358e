/* gatehousectl top: what the daemon decides now, most frequent first, over and over. */
#include "milter/command.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mono.h"
#include "milter/ask.h"

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

/* Returns an exit status; what went wrong is told. */
static int take(const char *conf, const char *word, struct sample *sample_out)
{
    FILE *out = open_memstream(&sample_out->text, &sample_out->size);

    if (out == NULL) {
        fprintf(stderr, "gatehousectl top: out of memory\n");
        return COMMAND_NO;
    }
    int status = ask_daemon_into(conf, &word, 1, out);
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

static void print_status(const struct sample *status)
{
    static const char *const shown[] = {
        "sessions:", "callahead_connections:", "callahead_servers_paused:"};
    struct slice text = {status->text, status->size}, line;

    while (next_line(&text, &line)) {
        for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
            if (line.n > strlen(shown[i]) && memcmp(line.p, shown[i], strlen(shown[i])) == 0)
                printf("  %.*s", (int)line.n, line.p);
        }
    }
}

static void show(const struct sample *before, const struct sample *now, const struct sample *status)
{
    struct row rows[ROWS_MAX];
    size_t n = read_rows(before, now, rows);
    char text[MONO_WALL_TEXT_MAX];

    printf("%s%s", isatty(STDOUT_FILENO) ? "\033[H\033[2J" : "",
           mono_wall_at(mono_wall_seconds(), text));
    print_status(status);
    printf("\n%10s %12s  decision\n", "a second", "since start");
    qsort(rows, n, sizeof *rows, by_rate);
    for (size_t i = 0; i < n && i < ROWS_SHOWN; i++)
        printf("%10.1f %12llu  %.*s\n", rows[i].rate, (unsigned long long)rows[i].count,
               (int)rows[i].name.n, rows[i].name.p);
    printf("\n");
}

/* --- the command ----------------------------------------------------------------------------- */

/* One look: waits, asks, shows; *before becomes what was asked. */
static int look(const char *conf, const struct options *options, struct sample *before)
{
    struct sample now = {.text = NULL}, status = {.text = NULL};

    (void)poll(NULL, 0, (int)options->every * 1000);
    int answer = take(conf, "stats", &now);
    if (answer == COMMAND_YES)
        answer = take(conf, "status", &status);
    if (answer == COMMAND_YES) {
        show(before, &now, &status);
        if (fflush(stdout) != 0)
            answer = COMMAND_NO;
    }
    forget(&status);
    forget(before);
    *before = now;
    return answer;
}

static bool read_options(int argc, char **argv, struct options *options_out)
{
    *options_out = (struct options){.every = EVERY_DEFAULT};
    for (int i = 1; i + 1 < argc; i += 2) {
        struct slice value = slice_of(argv[i + 1]);
        bool ok = false;
        if (strcmp(argv[i], "--every") == 0)
            ok = str_to_uint(value, EVERY_MAX, &options_out->every) && options_out->every > 0;
        else if (strcmp(argv[i], "--times") == 0)
            ok = str_to_uint(value, TIMES_MAX, &options_out->times) && options_out->times > 0;
        if (!ok)
            return false;
    }
    return argc % 2 == 1;
}

int command_top(const struct command *command, const char *conf, int argc, char **argv)
{
    struct options options;
    struct sample before = {.text = NULL};

    if (!read_options(argc, argv, &options))
        return command_usage(command, "wrong arguments");
    int answer = take(conf, "stats", &before);
    for (uint64_t i = 0; answer == COMMAND_YES && (options.times == 0 || i < options.times); i++)
        answer = look(conf, &options, &before);
    forget(&before);
    return answer;
}
