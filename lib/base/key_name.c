/* key_name.c - finding rows by name, right or nearly so, and by member; presets. */
#include "lib/base/key.h"

#include <string.h>

#define NAME_MAX_BYTES 64 /* longer names are near to nothing */
#define SHORT_NAME 4      /* up to here one slip, beyond two */

size_t key_find(const struct key_row *rows, size_t nrows, struct slice name)
{
    for (size_t i = 0; i < nrows; i++)
        if (slice_is(name, rows[i].name))
            return i;
    return SIZE_MAX;
}

struct place key_place(const struct key_row *rows, size_t nrows, const struct place *origins,
                       size_t offset)
{
    size_t i = 0;

    while (i < nrows && rows[i].offset != offset)
        i++;
    CHECK(i < nrows);
    return origins != NULL && origins[i].line != 0 ? origins[i]
                                                   : (struct place){.file = KEY_DEFAULT};
}

const char *key_preset(const struct key_preset *presets, const char *section, const char *key)
{
    for (; presets != NULL && presets->section != NULL; presets++)
        if (strcmp(presets->section, section) == 0 && strcmp(presets->key, key) == 0)
            return presets->value;
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters left out, added, replaced, or two neighbours swapped. Both names
 * have at most NAME_MAX_BYTES. */
static size_t slips(struct slice a, struct slice b)
{
    size_t rows[3][NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        const size_t *above2 = rows[(i + 1) % 3], *above = rows[(i + 2) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            bool differ = ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]);
            row[j] = least(above[j - 1] + differ, 1 + least(above[j], row[j - 1]));
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                row[j] = least(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a.n % 3][b.n];
}

const char *key_nearest(const struct key_row *rows, size_t nrows, struct slice name)
{
    const char *nearest = NULL;
    size_t fewest = name.n <= SHORT_NAME ? 2 : 3;
    if (name.n > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < nrows; i++) {
        struct slice known = slice_of(rows[i].name);
        if (known.n > NAME_MAX_BYTES)
            continue;
        size_t n = slips(name, known);
        if (n < fewest) {
            fewest = n;
            nearest = rows[i].name;
        }
    }
    return nearest;
}
