/*
 * lists_fuzz.c - files of address lists, of the kind the first byte says. The
 * words of one without mistakes are in the list, as far as they are addresses.
 */
#include "lib/tables/lists.h"

#include <string.h>
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match_words(const struct lists *lists, const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0);
    char *text = arena_dup_slice(arena, (struct slice){(const char *)data, size}), *word;
    CHECK(text != NULL);
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        text += 3; /* a byte order mark belongs to the file, not to its first word */
    while (memchr(data, 0, size) == NULL && memchr(data, '"', size) == NULL &&
           memchr(data, '#', size) == NULL && (word = strsep(&text, " \t\r\n,")) != NULL) {
        struct mailaddr addr;
        if (word[0] != '@' && word[0] != '\0' && str_is_utf8(slice_of(word)) &&
            mailaddr_parse(slice_of(word), MAILADDR_STRICT, false, arena, &addr, NULL))
            CHECK(lists_match(lists, "k", &addr, NULL));
    }
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table_memory file;
    struct problems problems;
    struct lists *lists = lists_new();
    CHECK(lists != NULL);
    if (size > 0) {
        struct lists_keys keys = {.kind = data[0] % 4};
        problems_init(&problems);
        table_memory_new(&file, data + 1, size - 1);
        keys.addresses_file = file.path;
        lists_add(lists, &(struct lists_written){"k", &keys, {0}}, &problems);
        if (problems_errors(&problems) == 0)
            match_words(lists, data + 1, size - 1);
        table_memory_done(&file);
        problems_done(&problems);
    }
    lists_free(lists);
    return 0;
}
