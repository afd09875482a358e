/*
 * blocks_fuzz.c - the content of the file of entries made at run time. It is
 * ours and has a checksum, but the disk is not ours alone.
 */
#include "milter/blocks_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct block *block, void *arg)
{
    size_t *n = arg;
    struct hat_entry entry;
    struct strbuf note;
    struct err err = {0};

    (*n)++;
    CHECK(block->added >= 0 && block->expires >= 0);
    CHECK(block->policy[0] != '\0' && strchr(block->policy, ' ') == NULL);
    CHECK(block->entry[0] != '\0' && strchr(block->entry, '\n') == NULL);
    CHECK(block->comment == NULL || strchr(block->comment, '\n') == NULL);
    strbuf_init(&note);
    if (blocks_check_entry(block->entry, &entry, &note, &err))
        CHECK(strchr(block->entry, ' ') == NULL && str_is_utf8(slice_of(block->entry)));
    else
        CHECK(err.kind != ERR_NONE);
    strbuf_done(&note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct blocks_clock clock;
    size_t n = 0;
    char *text = malloc(size + 1);

    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (blocks_file_parse(text, &clock, check, &n)) {
        CHECK(size == 0 || n > 0 || data[0] == '\0' || data[0] == 'c');
        CHECK(clock.wall >= 0 && clock.since_boot >= 0);
    }
    free(text);
    return 0;
}
