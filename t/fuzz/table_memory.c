/* table_memory.c - see table_memory.h. */
#include "t/fuzz/table_memory.h"

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
