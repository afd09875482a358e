#include "lib/mta/cidr.h"

#include <string.h>

/* One range of the HAT, in written order. */
struct span {
    struct ip first, last;
    size_t group;
    bool hit;
};

struct spans {
    struct span *list; /* owned */
    size_t n, room;
    bool failed;
};

/* One line to be: first/bits, or the address alone. */
struct block {
    struct ip first;
    unsigned bits;
    size_t group;
    bool v4, hit;
};

struct blocks {
    struct block *list; /* owned */
    size_t n, room;
    bool failed;
};

/* Ranges seen so far, to be asked whether one overlaps: sorted by their first
 * address, with a Fenwick tree that knows the highest last address among the
 * first i of them. Ranges are announced by init and enter by reach_add. */
struct reach {
    struct ip *first; /* owned, sorted */
    struct ip *last;  /* owned; all zero: nothing entered */
    bool *entered;    /* owned */
    size_t n;
};

/* --- blocks of a range ----------------------------------------------------- */

static unsigned trailing_zeros(const struct ip *ip, unsigned most)
{
    unsigned n = 0;
    while (n < most && (ip->b[15 - n / 8] >> (n % 8) & 1) == 0)
        n++;
    return n;
}

/* ip with its lowest `bits` bits set. */
static struct ip filled(const struct ip *ip, unsigned bits)
{
    struct ip last = *ip;
    for (unsigned i = 0; i < bits; i++)
        last.b[15 - i / 8] |= (uint8_t)(1U << (i % 8));
    return last;
}

static void step(struct ip *ip)
{
    for (size_t i = sizeof ip->b; i-- > 0;)
        if (++ip->b[i] != 0)
            return;
}

static bool is_v4_range(const struct ip *first, const struct ip *last)
{
    return ip_is_v4(first) && ip_is_v4(last);
}

/* Blocks whose host part is a multiple of unit, and at most `most` bits. */
static unsigned next_block(struct ip *first, const struct ip *last, unsigned unit, unsigned most,
                           bool *more_out)
{
    unsigned width = is_v4_range(first, last) ? 32 : 128;
    unsigned host = trailing_zeros(first, most) / unit * unit;
    struct ip end = filled(first, host);
    while (ip_compare(&end, last) > 0) {
        host -= unit;
        end = filled(first, host);
    }
    *more_out = ip_compare(&end, last) < 0;
    *first = end;
    if (*more_out)
        step(first);
    return width - host;
}

unsigned cidr_next(struct ip *first, const struct ip *last, bool *more_out)
{
    return next_block(first, last, 1, is_v4_range(first, last) ? 32 : 128, more_out);
}

unsigned cidr_next_parts(struct ip *first, const struct ip *last, bool *more_out)
{
    bool v4 = is_v4_range(first, last);
    return next_block(first, last, v4 ? 8 : 16, v4 ? 24 : 128, more_out);
}

/* --- growing arrays -------------------------------------------------------- */

static void *grow(void *list, size_t *room, size_t size)
{
    size_t wanted = *room == 0 ? 64 : *room * 2;
    void *bigger = wanted > SIZE_MAX / size ? NULL : realloc(list, wanted * size);
    if (bigger != NULL)
        *room = wanted;
    return bigger;
}

static void span_add(struct spans *spans, struct span span)
{
    if (spans->n == spans->room) {
        struct span *list = grow(spans->list, &spans->room, sizeof *list);
        spans->failed = spans->failed || list == NULL;
        if (list == NULL)
            return;
        spans->list = list;
    }
    spans->list[spans->n++] = span;
}

static void block_add(struct blocks *blocks, struct block block)
{
    if (blocks->n == blocks->room) {
        struct block *list = grow(blocks->list, &blocks->room, sizeof *list);
        blocks->failed = blocks->failed || list == NULL;
        if (list == NULL)
            return;
        blocks->list = list;
    }
    blocks->list[blocks->n++] = block;
}

/* --- which range overlaps -------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    return ip_compare(a, b);
}

static bool reach_init(struct reach *reach, const struct spans *spans, bool v4)
{
    size_t n = 0;
    for (size_t i = 0; i < spans->n; i++)
        n += spans->list[i].hit;
    reach->first = calloc(n + 1, sizeof *reach->first);
    reach->last = calloc(n + 1, sizeof *reach->last);
    reach->entered = calloc(n + 1, sizeof *reach->entered);
    if (reach->first == NULL || reach->last == NULL || reach->entered == NULL)
        return false;
    for (size_t i = 0; i < spans->n; i++) {
        const struct span *span = &spans->list[i];
        if (span->hit && is_v4_range(&span->first, &span->last) == v4)
            reach->first[reach->n++] = span->first;
    }
    qsort(reach->first, reach->n, sizeof *reach->first, by_address);
    return true;
}

static void reach_done(struct reach *reach)
{
    free(reach->first);
    free(reach->last);
    free(reach->entered);
}

/* How many announced ranges begin at ip or before. */
static size_t begun(const struct reach *reach, const struct ip *ip)
{
    size_t low = 0, high = reach->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&reach->first[middle], ip) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void reach_add(struct reach *reach, const struct span *span)
{
    for (size_t i = begun(reach, &span->first); i <= reach->n; i += i & (~i + 1)) {
        if (!reach->entered[i] || ip_compare(&reach->last[i], &span->last) < 0)
            reach->last[i] = span->last;
        reach->entered[i] = true;
    }
}

static bool reach_overlaps(const struct reach *reach, const struct ip *first, const struct ip *last)
{
    for (size_t i = begun(reach, last); i > 0; i -= i & (~i + 1))
        if (reach->entered[i] && ip_compare(&reach->last[i], first) >= 0)
            return true;
    return false;
}

/* --- from the HAT to spans ------------------------------------------------- */

static uint16_t get_part(const struct ip *ip, size_t part)
{
    return (uint16_t)(ip->b[2 * part] << 8 | ip->b[2 * part + 1]);
}

static void set_part(struct ip *ip, size_t part, unsigned value)
{
    ip->b[2 * part] = (uint8_t)(value >> 8);
    ip->b[2 * part + 1] = (uint8_t)value;
}

/* A range in one group of eight is as many single addresses, unless it is the
 * last group. */
static void add_group_range(struct spans *spans, const struct hat_entry *entry, struct span span)
{
    size_t part = 0;
    while (part < 7 && get_part(&entry->first, part) == get_part(&entry->last, part))
        part++;
    unsigned from = get_part(&entry->first, part), to = get_part(&entry->last, part);
    if (part == 7) {
        span_add(spans, span);
        return;
    }
    for (unsigned value = from; value <= to; value++) {
        set_part(&span.first, part, value);
        span.last = span.first;
        span_add(spans, span);
    }
}

/* What is known while the HAT is walked. */
struct walk {
    const struct hat *hat;
    const struct cidr_table *table;
    struct spans *spans;
    size_t group;              /* entered last; SIZE_MAX: none */
    enum policy_access access; /* its target */
    bool certain;              /* no entry of another target that is no address so far */
};

/* Enter all groups up to this one; those between have no entries, but may take
 * unverified hosts. */
static void enter_group(struct walk *walk, size_t group)
{
    while (walk->group != group) {
        struct hat_match match;
        hat_group_get(walk->hat, ++walk->group, &match);
        walk->access = (enum policy_access)match.policy->keys.access;
        if (walk->access != POLICY_CONTINUE && walk->access != walk->table->target &&
            hat_group_classes(walk->hat, walk->group) != 0)
            walk->certain = false;
    }
}

/* false: no entry behind this one can match. */
static bool take_entry(struct walk *walk, const struct hat_entry *entry)
{
    bool hit = walk->access == walk->table->target;
    bool written = walk->certain || !hit || !walk->table->certain;
    struct span span = {entry->first, entry->last, entry->group, hit};
    switch (entry->kind) {
    case HAT_ENTRY_RANGE:
        if (written)
            span_add(walk->spans, span);
        return true;
    case HAT_ENTRY_GROUP_RANGE:
        if (written)
            add_group_range(walk->spans, entry, span);
        return true;
    case HAT_ENTRY_NAME:
    case HAT_ENTRY_SUFFIX:
    case HAT_ENTRY_LOOKUP:
    case HAT_ENTRY_UNVERIFIED:
        walk->certain = walk->certain && hit;
        return true;
    case HAT_ENTRY_ALL:
        return false;
    }
    return true;
}

static void collect(const struct hat *hat, const struct cidr_table *table, struct spans *spans)
{
    struct walk walk = {.hat = hat,
                        .table = table,
                        .spans = spans,
                        .group = SIZE_MAX,
                        .access = POLICY_CONTINUE,
                        .certain = true};
    bool go_on = true;
    for (size_t i = 0; go_on && i < hat_entries(hat); i++) {
        struct hat_entry entry;
        hat_entry_get(hat, i, &entry);
        enter_group(&walk, entry.group);
        if (walk.access != POLICY_CONTINUE)
            go_on = take_entry(&walk, &entry);
    }
}

/* --- from spans to lines --------------------------------------------------- */

/* The blocks from start on, the other way round. */
static void turn_round(struct blocks *blocks, size_t start)
{
    for (size_t end = blocks->n; start + 1 < end; start++) {
        struct block other = blocks->list[start];
        blocks->list[start] = blocks->list[--end];
        blocks->list[end] = other;
    }
}

/* Appends the blocks of span, highest first. */
static void cut_up(const struct span *span, const struct reach *later, struct blocks *blocks)
{
    bool v4 = is_v4_range(&span->first, &span->last), more = true;
    size_t start = blocks->n;
    struct ip next = span->first;
    while (more) {
        struct block block = {.first = next, .group = span->group, .v4 = v4, .hit = span->hit};
        block.bits = cidr_next(&next, &span->last, &more);
        struct ip last = filled(&block.first, (v4 ? 32 : 128) - block.bits);
        /* An IPv6 block inside ::ffff:0:0/96 holds no client: these are IPv4. */
        if (!v4 && is_v4_range(&block.first, &last))
            continue;
        if (span->hit || reach_overlaps(later, &block.first, &last))
            block_add(blocks, block);
    }
    turn_round(blocks, start);
}

/* From the last span to the first, so that `later` holds just the hits behind
 * each; the blocks come out last line first. */
static bool make_blocks(const struct spans *spans, struct blocks *blocks)
{
    struct reach later[2] = {{0}}; /* IPv6, IPv4 */
    bool ok = reach_init(&later[0], spans, false) && reach_init(&later[1], spans, true);
    for (size_t i = spans->n; ok && i-- > 0;) {
        const struct span *span = &spans->list[i];
        struct reach *mine = &later[is_v4_range(&span->first, &span->last)];
        cut_up(span, mine, blocks);
        if (span->hit)
            reach_add(mine, span);
        ok = !blocks->failed;
    }
    reach_done(&later[0]);
    reach_done(&later[1]);
    return ok;
}

/* Bare entries are a group each, and have one heading together. */
static void head_group(const struct hat *hat, size_t group, bool *bare, struct strbuf *out)
{
    struct hat_match match;
    hat_group_get(hat, group, &match);
    enum policy_access access = (enum policy_access)match.policy->keys.access;
    bool was_bare = *bare;
    *bare = match.group == NULL;
    if (!*bare)
        strbuf_printf(out, "# %s: %s%s%s\n", match.group, match.policy->name,
                      match.policy->name[0] != '\0' ? " " : "", policy_access_name(access));
    else if (!was_bare)
        strbuf_puts(out, "# entries without a group\n");
}

static void print_blocks(const struct hat *hat, const struct cidr_table *table,
                         const struct blocks *blocks, struct strbuf *out)
{
    size_t group = SIZE_MAX;
    bool bare = false;
    for (size_t i = blocks->n; i-- > 0;) {
        const struct block *block = &blocks->list[i];
        char text[IP_TEXT_MAX];
        if (block->group != group)
            head_group(hat, block->group, &bare, out);
        group = block->group;
        strbuf_puts(out, ip_text(&block->first, text));
        if (block->bits != (block->v4 ? 32U : 128U))
            strbuf_printf(out, "/%u", block->bits);
        strbuf_printf(out, "\t%s\n", block->hit ? table->hit : table->miss);
    }
}

bool cidr_write(const struct hat *hat, const struct cidr_table *table, struct strbuf *out)
{
    struct spans spans = {0};
    struct blocks blocks = {0};
    collect(hat, table, &spans);
    bool ok = !spans.failed && make_blocks(&spans, &blocks);
    if (ok)
        print_blocks(hat, table, &blocks, out);
    free(spans.list);
    free(blocks.list);
    return ok && !out->failed;
}

/* --- from spans to ranges -------------------------------------------------- */

/* Every address where a span begins or one has ended cuts the address space;
 * what lies between two cuts has one fate, decided by the first span that
 * covers it. */
struct cuts {
    struct ip *at; /* owned, sorted, no two equal */
    size_t *next;  /* owned: the first undecided piece from here on, with shortcuts */
    bool *hit;     /* owned */
    size_t n;
};

static bool is_last_address(const struct ip *ip)
{
    for (size_t i = 0; i < sizeof ip->b; i++)
        if (ip->b[i] != 0xff)
            return false;
    return true;
}

static bool cuts_init(struct cuts *cuts, const struct spans *spans, bool v4)
{
    cuts->at = calloc(2 * spans->n + 1, sizeof *cuts->at);
    cuts->next = calloc(2 * spans->n + 1, sizeof *cuts->next);
    cuts->hit = calloc(2 * spans->n + 1, sizeof *cuts->hit);
    if (cuts->at == NULL || cuts->next == NULL || cuts->hit == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < spans->n; i++) {
        const struct span *span = &spans->list[i];
        if (is_v4_range(&span->first, &span->last) != v4)
            continue;
        cuts->at[n++] = span->first;
        if (is_last_address(&span->last))
            continue;
        cuts->at[n] = span->last;
        step(&cuts->at[n++]);
    }
    if (n > 0)
        qsort(cuts->at, n, sizeof *cuts->at, by_address);
    for (size_t i = 0; i < n; i++)
        if (cuts->n == 0 || ip_compare(&cuts->at[cuts->n - 1], &cuts->at[i]) != 0)
            cuts->at[cuts->n++] = cuts->at[i];
    for (size_t i = 0; i <= cuts->n; i++)
        cuts->next[i] = i;
    return true;
}

static void cuts_done(struct cuts *cuts)
{
    free(cuts->at);
    free(cuts->next);
    free(cuts->hit);
}

/* The piece that begins at ip, which is a cut; behind the last one there is none. */
static size_t piece_at(const struct cuts *cuts, const struct ip *ip)
{
    size_t low = 0, high = cuts->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&cuts->at[middle], ip) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t undecided(struct cuts *cuts, size_t i)
{
    while (cuts->next[i] != i) {
        cuts->next[i] = cuts->next[cuts->next[i]];
        i = cuts->next[i];
    }
    return i;
}

static void decide(struct cuts *cuts, const struct span *span)
{
    size_t end = cuts->n;
    if (!is_last_address(&span->last)) {
        struct ip behind = span->last;
        step(&behind);
        end = piece_at(cuts, &behind);
    }
    for (size_t i = undecided(cuts, piece_at(cuts, &span->first)); i < end;
         i = undecided(cuts, i + 1)) {
        cuts->hit[i] = span->hit;
        cuts->next[i] = i + 1;
    }
}

static struct ip before(struct ip ip)
{
    for (size_t i = sizeof ip.b; i-- > 0;)
        if (ip.b[i]-- != 0)
            break;
    return ip;
}

/* Appends the hits, neighbours joined. list has room. */
static void put_ranges(const struct cuts *cuts, struct cidr_range *list, size_t *n)
{
    static const struct ip highest = {.b = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < cuts->n; i++) {
        if (!cuts->hit[i])
            continue;
        if (i == 0 || !cuts->hit[i - 1])
            list[(*n)++].first = cuts->at[i];
        list[*n - 1].last = i + 1 < cuts->n ? before(cuts->at[i + 1]) : highest;
    }
}

bool cidr_ranges(const struct hat *hat, const struct cidr_table *table,
                 struct cidr_range **list_out, size_t *n_out)
{
    struct spans spans = {0};
    collect(hat, table, &spans);
    *n_out = 0;
    *list_out = calloc(2 * spans.n + 2, sizeof **list_out);
    bool ok = *list_out != NULL && !spans.failed;
    for (unsigned v4 = 0; ok && v4 < 2; v4++) {
        struct cuts cuts = {0};
        ok = cuts_init(&cuts, &spans, v4 != 0);
        for (size_t i = 0; ok && i < spans.n; i++)
            if (is_v4_range(&spans.list[i].first, &spans.list[i].last) == (v4 != 0))
                decide(&cuts, &spans.list[i]);
        if (ok)
            put_ranges(&cuts, *list_out, n_out);
        cuts_done(&cuts);
    }
    free(spans.list);
    if (!ok) {
        free(*list_out);
        *list_out = NULL;
        *n_out = 0;
    }
    return ok;
}
