/* gatehousectl status, stats, cache, counter: what the running daemon knows. */
#include "milter/command.h"

#include <getopt.h>
#include <string.h>

#include "milter/ask.h"
#include "milter/listing.h"

/* The one option that the command may have, then so many words. false: told. */
static bool read_arguments(const struct command *command, int argc, char **argv, int words,
                           bool *given_out)
{
    int option;

    *given_out = false;
    while ((option = command_option(command, argc, argv)) != -1) {
        if (option == '?') {
            command_usage(command, NULL);
            return false;
        }
        *given_out = true;
    }
    if (argc - optind == words)
        return true;
    command_usage(command, "wrong arguments");
    return false;
}

int command_status(const struct command *command, const char *conf, int argc, char **argv)
{
    struct listing listing = {.words = (const char *[]){"status", "json"}, .n = 2, .object = true};

    if (!read_arguments(command, argc, argv, 0, &listing.json))
        return COMMAND_USAGE;
    return listing_run(&listing, command, conf);
}

/* --- stats ------------------------------------------------------------------------------- */

/* "rcpt reject rat/rat_reject 17" as four cells, and the number. */
static void put_decision(struct sheet *sheet, const char *line, size_t n)
{
    static const char ends[] = {' ', ' ', '/', ' '};
    uint64_t count = 0;

    for (size_t i = 0; i < sizeof ends; i++) {
        const char *end = memchr(line, ends[i], n);
        size_t length = end != NULL ? (size_t)(end - line) : n;
        struct slice cell = {line, length};
        sheet_put(sheet, cell, i == 1 ? sheet_tone("verdict", cell) : SHEET_PLAIN);
        length += end != NULL;
        line += length;
        n -= length;
    }
    if (str_to_uint((struct slice){line, n}, UINT64_MAX, &count))
        sheet_number(sheet, count);
    else
        sheet_put(sheet, (struct slice){line, n}, SHEET_PLAIN);
}

static int print_decisions(const struct command *command, const char *text)
{
    static const char *const headers[] = {"STAGE", "VERDICT", "BY", "DETAIL", "COUNT"};
    struct sheet sheet;
    struct strbuf out;

    strbuf_init(&out);
    sheet_begin(&sheet, headers, ARRAY_LEN(headers));
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1)
        put_decision(&sheet, text, (size_t)(end - text));
    if (sheet.n == ARRAY_LEN(headers))
        strbuf_puts(&out, "no decisions since the start\n");
    struct strbuf unused;
    strbuf_init(&unused);
    sheet_end(&sheet, out.n > 0 ? &unused : &out);
    strbuf_done(&unused);
    int status = command_print(command, &out);
    strbuf_done(&out);
    return status;
}

int command_stats(const struct command *command, const char *conf, int argc, char **argv)
{
    bool prometheus;
    char *text = NULL;
    size_t size = 0;

    if (!read_arguments(command, argc, argv, 0, &prometheus))
        return COMMAND_USAGE;
    if (prometheus)
        return ask_daemon(conf, (const char *[]){"stats", "prometheus"}, 2);
    FILE *out = open_memstream(&text, &size);
    int status =
        out != NULL ? ask_daemon_into(conf, (const char *[]){"stats"}, 1, out) : COMMAND_NO;
    if (out == NULL || fclose(out) != 0) {
        fprintf(stderr, "gatehousectl stats: out of memory\n");
        status = status == COMMAND_YES ? COMMAND_NO : status;
    } else if (status == COMMAND_YES) {
        status = print_decisions(command, text);
    }
    free(text);
    return status;
}

/* --- cache, counter ------------------------------------------------------------------------ */

int command_cache_list(const struct command *command, const char *conf, int argc, char **argv)
{
    struct listing listing = {.words = (const char *[]){"cache-list", "json"},
                              .n = 2,
                              .nothing = "the cache of call-ahead is empty"};

    if (!read_arguments(command, argc, argv, 0, &listing.json))
        return COMMAND_USAGE;
    return listing_run(&listing, command, conf);
}

int command_cache_flush(const struct command *command, const char *conf, int argc, char **argv)
{
    if (argc != 2)
        return command_usage(command, "wrong arguments");
    return ask_daemon(conf, (const char *[]){"cache-flush", argv[1]}, 2);
}

/* A key that nothing is counted of is an answer of the daemon's, and no row. */
int command_counter_show(const struct command *command, const char *conf, int argc, char **argv)
{
    struct listing listing = {.n = 3, .nothing = "nothing is counted"};

    if (!read_arguments(command, argc, argv, 1, &listing.json))
        return COMMAND_USAGE;
    const char *words[] = {"counter-show", argv[optind], "json"};
    listing.words = words;
    return listing_run(&listing, command, conf);
}

int command_counter_reset(const struct command *command, const char *conf, int argc, char **argv)
{
    if (argc != 2)
        return command_usage(command, "wrong arguments");
    return ask_daemon(conf, (const char *[]){"counter-reset", argv[1]}, 2);
}
