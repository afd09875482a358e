#include "milter/blocks_file.h"

#include <string.h>

#include "lib/state/statefile.h"

#define KIND "blocks-1"
#define MOST_SECONDS 100000000000LL /* what is later is no time of ours, and would overflow */
#define CLOCK "clock "
#define COMMENT "#" /* no name of a policy */

bool blocks_file_write(const char *folder, const struct blocks_clock *clock,
                       const struct block *list, size_t n, struct err *err)
{
    struct strbuf text;

    strbuf_init(&text);
    strbuf_printf(&text, CLOCK "%lld %lld\n", (long long)clock->wall, (long long)clock->since_boot);
    for (size_t i = n; i-- > 0;) {
        if (list[i].comment != NULL)
            strbuf_printf(&text, "0 0 " COMMENT " " COMMENT "%s\n", list[i].comment);
        strbuf_printf(&text, "%lld %lld %s %s\n", (long long)list[i].added,
                      (long long)list[i].expires, list[i].policy, list[i].entry);
    }
    bool good = text.failed ? err_set(err, ERR_MEMORY, "out of memory")
                            : statefile_write(folder, BLOCKS_FILE, KIND,
                                              (struct slice){strbuf_text(&text), text.n}, err);
    strbuf_done(&text);
    return good;
}

/* The word up to the next blank, which becomes its end; NULL: there is none. */
static char *cut_word(char **rest)
{
    char *word = *rest, *blank = strchr(word, ' ');

    if (blank == NULL || blank == word)
        return NULL;
    *blank = '\0';
    *rest = blank + 1;
    return word;
}

static bool to_number(const char *word, int64_t most, int64_t *number_out)
{
    uint64_t number;

    if (!str_to_uint(slice_of(word), (uint64_t)most, &number))
        return false;
    *number_out = (int64_t)number;
    return true;
}

static bool cut_number(char **rest, int64_t most, int64_t *number_out)
{
    const char *word = cut_word(rest);
    return word != NULL && to_number(word, most, number_out);
}

static bool parse_line(char *line, struct block *block)
{
    *block = (struct block){.in_force = false};
    if (!cut_number(&line, MOST_SECONDS, &block->added) ||
        !cut_number(&line, MOST_SECONDS, &block->expires))
        return false;
    block->policy = cut_word(&line);
    block->entry = line;
    return block->policy != NULL && line[0] != '\0';
}

static bool parse_clock(char *line, struct blocks_clock *clock_out)
{
    return cut_number(&line, MONO_SECONDS(MOST_SECONDS), &clock_out->wall) &&
           to_number(line, MONO_SECONDS(MOST_SECONDS), &clock_out->since_boot);
}

/* Cuts the first line off if it is that of the clock. */
static bool take_clock(char **text, struct blocks_clock *clock_out)
{
    *clock_out = (struct blocks_clock){.wall = 0};
    if (strncmp(*text, CLOCK, strlen(CLOCK)) != 0)
        return true;
    char *line = *text + strlen(CLOCK), *end = strchr(line, '\n');
    if (end == NULL)
        return false;
    *end = '\0';
    *text = end + 1;
    return parse_clock(line, clock_out);
}

bool blocks_file_parse(char *text, struct blocks_clock *clock_out,
                       void (*take)(const struct block *block, void *arg), void *arg)
{
    struct block block;
    char *comment = NULL;

    if (!take_clock(&text, clock_out))
        return false;
    while (*text != '\0') {
        char *end = strchr(text, '\n');
        if (end == NULL)
            return false;
        *end = '\0';
        if (!parse_line(text, &block))
            return false;
        text = end + 1;
        if (strcmp(block.policy, COMMENT) == 0) {
            if (comment != NULL || strncmp(block.entry, COMMENT, strlen(COMMENT)) != 0)
                return false;
            comment = block.entry + strlen(COMMENT);
            continue;
        }
        block.comment = comment;
        comment = NULL;
        take(&block, arg);
    }
    return comment == NULL;
}

bool blocks_file_read(const char *folder, bool ours, struct blocks_clock *clock_out,
                      void (*take)(const struct block *block, void *arg), void *arg,
                      struct err *err)
{
    struct strbuf text;
    bool good = false;

    *clock_out = (struct blocks_clock){.wall = 0};
    strbuf_init(&text);
    switch ((ours ? statefile_read : statefile_peek)(folder, BLOCKS_FILE, KIND, &text, err)) {
    case STATEFILE_READ:
        good = text.n == 0 || blocks_file_parse(text.p, clock_out, take, arg) ||
               err_set(err, ERR_SYNTAX,
                       "%s/" BLOCKS_FILE " holds lines that gatehoused did not write", folder);
        break;
    case STATEFILE_NONE:
        good = true;
        break;
    case STATEFILE_DAMAGED:
    case STATEFILE_FAILED:
        break;
    }
    strbuf_done(&text);
    return good;
}
