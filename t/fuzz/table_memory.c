/* table_memory.c - see table_memory.h. */
#include "t/fuzz/table_memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void table_memory_new(struct table_memory *table, const void *data, size_t size)
{
    table->fd = memfd_create("table", MFD_CLOEXEC);
    CHECK(table->fd >= 0);
    CHECK(size == 0 || write(table->fd, data, size) == (ssize_t)size);
    snprintf(table->path, sizeof table->path, "/proc/self/fd/%d", table->fd);
}

void table_memory_done(struct table_memory *table)
{
    close(table->fd);
}

void table_memory_round_trip(const uint8_t *data, size_t size,
                             void (*export)(const void *data, size_t size, bool must_load,
                                            struct strbuf *out))
{
    struct strbuf first, second;
    strbuf_init(&first);
    strbuf_init(&second);
    export(data, size, false, &first);
    if (first.n > 0) {
        export(first.p, first.n, true, &second);
        CHECK(strcmp(strbuf_text(&first), strbuf_text(&second)) == 0);
    }
    strbuf_done(&first);
    strbuf_done(&second);
}
