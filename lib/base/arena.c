/* arena.c - see arena.h. */
#include "lib/base/arena.h"

#include <stdarg.h>
#include <string.h>

#define FIRST_BLOCK 1024
#define BLOCK_MAX 65536 /* blocks double up to here; larger pieces get their own */

struct block {
    struct block *next;
    size_t room, used;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct block *head;  /* the one being filled; others follow */
    struct block *first; /* survives arena_reset() */
    size_t heap;
};

static struct block *new_block(struct arena *arena, size_t room)
{
    if (room > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *block = malloc(sizeof *block + room);
    if (block) {
        block->next = NULL;
        block->room = room;
        block->used = 0;
        arena->heap += sizeof *block + room;
    }
    return block;
}

static void free_block(struct arena *arena, struct block *block)
{
    arena->heap -= sizeof *block + block->room;
    free(block);
}

struct arena *arena_new(size_t first_block)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    arena->heap = sizeof *arena;
    arena->first = new_block(arena, first_block ? first_block : FIRST_BLOCK);
    if (!arena->first) {
        free(arena);
        return NULL;
    }
    arena->head = arena->first;
    return arena;
}

void arena_reset(struct arena *arena)
{
    struct block *next;
    for (struct block *block = arena->head; block; block = next) {
        next = block->next;
        if (block != arena->first)
            free_block(arena, block);
    }
    arena->first->next = NULL;
    arena->first->used = 0;
    arena->head = arena->first;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    arena_reset(arena);
    free_block(arena, arena->first);
    free(arena);
}

/* size is a multiple of the alignment. A piece too large for an ordinary block
 * goes behind the head, which keeps its free rest in use. */
static struct block *block_for(struct arena *arena, size_t size)
{
    struct block *head = arena->head;
    if (size <= head->room - head->used)
        return head;
    size_t usual = head->room < BLOCK_MAX / 2 ? head->room * 2 : BLOCK_MAX;
    bool alone = size > usual / 2;
    struct block *block = new_block(arena, alone ? size : usual);
    if (!block)
        return NULL;
    if (alone) {
        block->next = head->next;
        head->next = block;
    } else {
        block->next = head;
        arena->head = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t mask = _Alignof(max_align_t) - 1;
    if (size > SIZE_MAX - mask)
        return NULL;
    size = size ? (size + mask) & ~mask : mask + 1;
    struct block *block = block_for(arena, size);
    if (!block)
        return NULL;
    void *p = block->bytes + block->used;
    block->used += size;
    return memset(p, 0, size);
}

char *arena_dup(struct arena *arena, const char *text)
{
    return text ? arena_dup_slice(arena, slice_of(text)) : NULL;
}

char *arena_dup_slice(struct arena *arena, struct slice s)
{
    char *copy = s.n < SIZE_MAX ? arena_alloc(arena, s.n + 1) : NULL;
    if (copy && s.n > 0)
        memcpy(copy, s.p, s.n);
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *text = n < 0 ? NULL : arena_alloc(arena, (size_t)n + 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return text;
}

size_t arena_used(const struct arena *arena)
{
    return arena->heap;
}
