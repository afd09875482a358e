/*
 * ipmap.c - overlapping ranges, flattened once, searched by halving.
 *
 * There are nine spaces: IPv4, IPv6, and for each of the first seven groups of
 * an IPv6 address one in which that group changes places with the last. There
 * a range in that group, with all others fixed, is one interval again.
 *
 * Flattening: go through the ranges by first address with a heap of those that
 * hold the current one; its least value is the answer from here to the next
 * change. O(n log n) however they overlap.
 */
#include "lib/base/ipmap.h"

#include <string.h>

#define GROUPS 8
#define LAST_GROUP (GROUPS - 1)
#define INDEX_SIZE 65536u
/* Below this many intervals they stay in the processor's cache anyway. */
#define INDEX_WORTH 4096u

struct range {
    struct ip first, last;
    uint32_t value;
};

struct ranges {
    struct range *list; /* owned */
    size_t count, room;
};

/* From start to before the next one's start. */
struct interval4 {
    uint32_t start, value;
};

struct interval6 {
    struct ip start;
    uint32_t value;
};

struct map4 {
    struct interval4 *list; /* owned */
    uint32_t *index;        /* owned: how many start before each /16; NULL for small maps */
    size_t count, room;
};

struct map6 {
    struct interval6 *list; /* owned */
    size_t count, room;
};

struct ipmap {
    struct ranges ranges4, ranges6[GROUPS]; /* before sealing */
    struct map4 four;
    struct map6 six[GROUPS]; /* by the group that stands last */
    struct map6 ones6;       /* single addresses: start is all of them */
    bool sealed;
};

struct ipmap *ipmap_new(void)
{
    return calloc(1, sizeof(struct ipmap));
}

static void ranges_done(struct ranges *ranges)
{
    free(ranges->list);
    *ranges = (struct ranges){0};
}

void ipmap_free(struct ipmap *map)
{
    if (map == NULL)
        return;
    ranges_done(&map->ranges4);
    free(map->four.list);
    free(map->four.index);
    for (unsigned g = 0; g < GROUPS; g++) {
        ranges_done(&map->ranges6[g]);
        free(map->six[g].list);
    }
    free(map->ones6.list);
    free(map);
}

static bool ranges_add(struct ranges *ranges, const struct ip *first, const struct ip *last,
                       uint32_t value)
{
    if (ranges->count == ranges->room) {
        size_t room = ranges->room + ranges->room / 2 + 16;
        struct range *list = realloc(ranges->list, room * sizeof *list);
        if (list == NULL)
            return false;
        ranges->list = list;
        ranges->room = room;
    }
    ranges->list[ranges->count++] = (struct range){*first, *last, value};
    return true;
}

bool ipmap_add(struct ipmap *map, const struct ip *first, const struct ip *last, uint32_t value)
{
    CHECK(!map->sealed && value != IPMAP_NONE && ip_compare(first, last) <= 0);
    bool four = ip_is_v4(first) && ip_is_v4(last);
    return ranges_add(four ? &map->ranges4 : &map->ranges6[LAST_GROUP], first, last, value);
}

static struct ip with_group_last(const struct ip *ip, unsigned group)
{
    struct ip result = *ip;
    memcpy(result.b + 2 * group, ip->b + 2 * LAST_GROUP, 2);
    memcpy(result.b + 2 * LAST_GROUP, ip->b + 2 * group, 2);
    return result;
}

bool ipmap_add_group_range(struct ipmap *map, const struct ip *base, unsigned group, uint16_t from,
                           uint16_t to, uint32_t value)
{
    CHECK(group < GROUPS && from <= to);
    struct ip first = with_group_last(base, group);
    first.b[14] = (uint8_t)(from >> 8);
    first.b[15] = (uint8_t)from;
    struct ip last = first;
    last.b[14] = (uint8_t)(to >> 8);
    last.b[15] = (uint8_t)to;
    if (group == LAST_GROUP)
        return ipmap_add(map, &first, &last, value);
    CHECK(!map->sealed && value != IPMAP_NONE);
    return ranges_add(&map->ranges6[group], &first, &last, value);
}

/* --- flattening ---------------------------------------------------------- */

typedef bool emit_fn(void *to, const struct ip *start, uint32_t value);

/* Indices of ranges; the one with the least value on top. */
struct heap {
    const struct range *list;
    uint32_t *item; /* owned */
    size_t count;
};

static uint32_t heap_value(const struct heap *heap, size_t i)
{
    return heap->list[heap->item[i]].value;
}

static void heap_push(struct heap *heap, uint32_t range)
{
    size_t i = heap->count++;
    uint32_t value = heap->list[range].value;
    while (i > 0 && value < heap_value(heap, (i - 1) / 2)) {
        heap->item[i] = heap->item[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->item[i] = range;
}

static void heap_pop(struct heap *heap)
{
    uint32_t range = heap->item[--heap->count];
    uint32_t value = heap->list[range].value;
    size_t i = 0, child;
    while ((child = 2 * i + 1) < heap->count) {
        if (child + 1 < heap->count && heap_value(heap, child + 1) < heap_value(heap, child))
            child++;
        if (value <= heap_value(heap, child))
            break;
        heap->item[i] = heap->item[child];
        i = child;
    }
    heap->item[i] = range;
}

static const struct range *heap_top(const struct heap *heap)
{
    return heap->count > 0 ? &heap->list[heap->item[0]] : NULL;
}

/* false: it was the last address there is. */
static bool ip_next(struct ip *ip)
{
    for (unsigned i = sizeof ip->b; i-- > 0;) {
        if (++ip->b[i] != 0)
            return true;
    }
    return false;
}

/* Such a range never shows; sparing it the heap is what makes long tables of
 * nested networks quick. */
static bool hides(const struct range *top, const struct range *range)
{
    return top->value <= range->value && ip_compare(&range->last, &top->last) <= 0;
}

static bool sweep(struct heap *heap, size_t count, emit_fn *emit, void *to)
{
    const struct range *list = heap->list;
    struct ip at = list[0].first;
    size_t i = 0;
    for (;;) {
        const struct range *top = heap_top(heap);
        for (; i < count && ip_compare(&list[i].first, &at) <= 0; i++) {
            if (top == NULL || !hides(top, &list[i]))
                heap_push(heap, (uint32_t)i);
            top = heap_top(heap);
        }
        while ((top = heap_top(heap)) != NULL && ip_compare(&top->last, &at) < 0)
            heap_pop(heap);
        if (!emit(to, &at, top != NULL ? top->value : IPMAP_NONE))
            return false;
        if (i < count && (top == NULL || ip_compare(&list[i].first, &top->last) <= 0)) {
            at = list[i].first;
            continue;
        }
        if (top == NULL)
            return true;
        at = top->last;
        if (!ip_next(&at))
            return true;
    }
}

static int by_first(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    int order = ip_compare(&x->first, &y->first);
    return order != 0 ? order : (x->value > y->value) - (x->value < y->value);
}

static bool is_sorted(const struct ranges *ranges)
{
    for (size_t i = 1; i < ranges->count; i++) {
        if (by_first(&ranges->list[i - 1], &ranges->list[i]) > 0)
            return false;
    }
    return true;
}

static bool flatten(struct ranges *ranges, emit_fn *emit, void *to)
{
    if (ranges->count == 0) {
        ranges_done(ranges);
        return true;
    }
    if (ranges->count > UINT32_MAX)
        return false;
    if (!is_sorted(ranges))
        qsort(ranges->list, ranges->count, sizeof *ranges->list, by_first);
    struct heap heap = {.list = ranges->list};
    heap.item = malloc(ranges->count * sizeof *heap.item);
    bool done = heap.item != NULL && sweep(&heap, ranges->count, emit, to);
    free(heap.item);
    ranges_done(ranges);
    return done;
}

/* --- the two kinds of finished map ---------------------------------------- */

static bool emit4(void *to, const struct ip *start, uint32_t value)
{
    struct map4 *map = to;
    /* The sweep may end one past 255.255.255.255, which is nobody's address here. */
    if (!ip_is_v4(start) || (map->count > 0 && map->list[map->count - 1].value == value))
        return true;
    if (map->count == map->room) {
        size_t room = map->room + map->room / 2 + 4;
        struct interval4 *list = realloc(map->list, room * sizeof *list);
        if (list == NULL)
            return false;
        map->list = list;
        map->room = room;
    }
    map->list[map->count++] = (struct interval4){ip_v4(start), value};
    return true;
}

static bool emit6(void *to, const struct ip *start, uint32_t value)
{
    struct map6 *map = to;
    if (map->count > 0 && map->list[map->count - 1].value == value)
        return true;
    if (map->count == map->room) {
        size_t room = map->room + map->room / 2 + 4;
        struct interval6 *list = realloc(map->list, room * sizeof *list);
        if (list == NULL)
            return false;
        map->list = list;
        map->room = room;
    }
    map->list[map->count++] = (struct interval6){*start, value};
    return true;
}

static bool build_index(struct map4 *map)
{
    if (map->count < INDEX_WORTH)
        return true;
    map->index = malloc((INDEX_SIZE + 1) * sizeof *map->index);
    if (map->index == NULL)
        return false;
    uint32_t i = 0;
    for (uint32_t top = 0; top < INDEX_SIZE; top++) {
        while (i < map->count && map->list[i].start < top << 16)
            i++;
        map->index[top] = i;
    }
    map->index[INDEX_SIZE] = (uint32_t)map->count;
    return true;
}

/* Give back what the last growth took too much; a refusal does no harm. */
static void trim4(struct map4 *map)
{
    struct interval4 *list = map->count > 0 ? realloc(map->list, map->count * sizeof *list) : NULL;
    if (list != NULL) {
        map->list = list;
        map->room = map->count;
    }
}

static void trim6(struct map6 *map)
{
    struct interval6 *list = map->count > 0 ? realloc(map->list, map->count * sizeof *list) : NULL;
    if (list != NULL) {
        map->list = list;
        map->room = map->count;
    }
}

static int by_start(const void *a, const void *b)
{
    const struct interval6 *x = a, *y = b;
    int order = ip_compare(&x->start, &y->start);
    return order != 0 ? order : (x->value > y->value) - (x->value < y->value);
}

/* Of equal ones the first, which has the least value, stays. */
static void drop_equal(struct map6 *map)
{
    size_t n = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (n == 0 || !ip_equal(&map->list[n - 1].start, &map->list[i].start))
            map->list[n++] = map->list[i];
    }
    map->count = n;
}

static bool is_one(const struct range *range)
{
    return ip_equal(&range->first, &range->last);
}

/* Moves single addresses from ranges to a list of their own. */
static bool take_ones6(struct ranges *ranges, struct map6 *ones)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < ranges->count; i++)
        n += is_one(&ranges->list[i]);
    if (n == 0)
        return true;
    ones->list = malloc(n * sizeof *ones->list);
    if (ones->list == NULL)
        return false;
    ones->room = n;
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->list[i];
        if (is_one(range))
            ones->list[ones->count++] = (struct interval6){range->first, range->value};
        else
            ranges->list[kept++] = *range;
    }
    ranges->count = kept;
    qsort(ones->list, ones->count, sizeof *ones->list, by_start);
    drop_equal(ones);
    trim6(ones);
    return true;
}

bool ipmap_seal(struct ipmap *map)
{
    CHECK(!map->sealed);
    if (!take_ones6(&map->ranges6[LAST_GROUP], &map->ones6))
        return false;
    if (!flatten(&map->ranges4, emit4, &map->four))
        return false;
    for (unsigned g = 0; g < GROUPS; g++) {
        if (!flatten(&map->ranges6[g], emit6, &map->six[g]))
            return false;
        trim6(&map->six[g]);
    }
    trim4(&map->four);
    map->sealed = build_index(&map->four);
    return map->sealed;
}

static uint32_t get4(const struct map4 *map, uint32_t address)
{
    size_t low = 0, high = map->count;
    if (map->index != NULL) {
        low = map->index[address >> 16];
        high = map->index[(address >> 16) + 1];
    }
    while (low < high) { /* to how many intervals start at or before address */
        size_t middle = low + (high - low) / 2;
        if (map->list[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? map->list[low - 1].value : IPMAP_NONE;
}

/* How many start at or before ip. */
static size_t count6(const struct map6 *map, const struct ip *ip)
{
    size_t low = 0, high = map->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&map->list[middle].start, ip) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t get6(const struct map6 *map, const struct ip *ip)
{
    size_t n = count6(map, ip);
    return n > 0 ? map->list[n - 1].value : IPMAP_NONE;
}

static uint32_t get_one6(const struct map6 *map, const struct ip *ip)
{
    size_t n = count6(map, ip);
    return n > 0 && ip_equal(&map->list[n - 1].start, ip) ? map->list[n - 1].value : IPMAP_NONE;
}

uint32_t ipmap_get(const struct ipmap *map, const struct ip *ip)
{
    CHECK(map->sealed);
    bool four = ip_is_v4(ip);
    uint32_t lowest = four ? get4(&map->four, ip_v4(ip)) : get6(&map->six[LAST_GROUP], ip);
    if (!four) {
        uint32_t value = get_one6(&map->ones6, ip);
        lowest = value < lowest ? value : lowest;
    }
    /* Of the group ranges only those in the two groups that hold an IPv4
     * address can mean one. */
    for (unsigned g = four ? LAST_GROUP - 1 : 0; g < LAST_GROUP; g++) {
        if (map->six[g].count == 0)
            continue;
        struct ip swapped = with_group_last(ip, g);
        uint32_t value = get6(&map->six[g], &swapped);
        if (value < lowest)
            lowest = value;
    }
    return lowest;
}

static void take_all6(const struct map6 *map, void (*take)(uint32_t value, void *arg), void *arg)
{
    for (size_t i = 0; i < map->count; i++) {
        if (map->list[i].value != IPMAP_NONE)
            take(map->list[i].value, arg);
    }
}

void ipmap_shown(const struct ipmap *map, void (*take)(uint32_t value, void *arg), void *arg)
{
    CHECK(map->sealed);
    for (size_t i = 0; i < map->four.count; i++) {
        if (map->four.list[i].value != IPMAP_NONE)
            take(map->four.list[i].value, arg);
    }
    bool alone = true;
    for (unsigned g = 0; g < GROUPS; g++) {
        take_all6(&map->six[g], take, arg);
        alone = alone && map->six[g].count == 0;
    }
    for (size_t i = 0; i < map->ones6.count; i++) {
        const struct interval6 *one = &map->ones6.list[i];
        if (alone || ipmap_get(map, &one->start) == one->value)
            take(one->value, arg);
    }
}

size_t ipmap_bytes(const struct ipmap *map)
{
    size_t n = sizeof *map + map->ranges4.room * sizeof *map->ranges4.list +
               map->four.room * sizeof *map->four.list;
    if (map->four.index != NULL)
        n += (INDEX_SIZE + 1) * sizeof *map->four.index;
    n += map->ones6.room * sizeof *map->ones6.list;
    for (unsigned g = 0; g < GROUPS; g++)
        n += map->ranges6[g].room * sizeof *map->ranges6[g].list +
             map->six[g].room * sizeof *map->six[g].list;
    return n;
}
