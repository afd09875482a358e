#include "milter/blocks_file.h"

#include <string.h>

#include "lib/state/statefile.h"

#define KIND "blocks-1"

bool blocks_file_write(const char *folder, const struct block *list, size_t n, struct err *err)
{
    struct strbuf text;

    strbuf_init(&text);
    for (size_t i = n; i-- > 0;)
        strbuf_printf(&text, "%lld %lld %s %s\n", (long long)list[i].added,
                      (long long)list[i].expires, list[i].policy, list[i].entry);
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

static bool cut_seconds(char **rest, int64_t *seconds_out)
{
    const char *word = cut_word(rest);
    uint64_t number;

    if (word == NULL || !str_to_uint(slice_of(word), INT64_MAX, &number))
        return false;
    *seconds_out = (int64_t)number;
    return true;
}

static bool parse_line(char *line, struct block *block)
{
    *block = (struct block){.in_force = false};
    if (!cut_seconds(&line, &block->added) || !cut_seconds(&line, &block->expires))
        return false;
    block->policy = cut_word(&line);
    block->entry = line;
    return block->policy != NULL && line[0] != '\0';
}

bool blocks_file_parse(char *text, void (*take)(const struct block *block, void *arg), void *arg)
{
    struct block block;

    while (*text != '\0') {
        char *end = strchr(text, '\n');
        if (end == NULL)
            return false;
        *end = '\0';
        if (!parse_line(text, &block))
            return false;
        take(&block, arg);
        text = end + 1;
    }
    return true;
}

bool blocks_file_read(const char *folder, bool ours,
                      void (*take)(const struct block *block, void *arg), void *arg,
                      struct err *err)
{
    struct strbuf text;
    bool good = false;

    strbuf_init(&text);
    switch ((ours ? statefile_read : statefile_peek)(folder, BLOCKS_FILE, KIND, &text, err)) {
    case STATEFILE_READ:
        good = text.n == 0 || blocks_file_parse(text.p, take, arg) ||
               err_set(err, ERR_SYNTAX, "%s/" BLOCKS_FILE " holds lines that are none of ours",
                       folder);
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
