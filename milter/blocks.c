#include "milter/blocks.h"

#include <string.h>

#include "lib/base/log.h"
#include "milter/blocks_file.h"

#define SAVE_AGAIN MONO_SECONDS(30)
/* While an entry has an end, so that the file knows what time it is: after a crash of a
 * host whose clock does not outlive it, no more than this is given twice. */
#define SAVE_TIME MONO_SECONDS(600)
/* Less is no jump: the clock is trimmed, and seconds are rounded. */
#define JUMP_LEAST MONO_SECONDS(2)

/* Never chosen by a session: what follows when no entry matches is the HAT. */
static const struct policy nobody = {.name = "", .keys = {.access = POLICY_ACCEPT}};

/* --- tables --------------------------------------------------------------------------- */

void blocks_drop(struct blocks_table *table)
{
    if (table == NULL ||
        atomic_fetch_sub_explicit(&table->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < ARRAY_LEN(table->by_type); i++)
        hat_free(table->by_type[i]);
    snapshot_drop(table->snapshot);
    free(table);
}

struct blocks_table *blocks_take(struct blocks *blocks)
{
    if (!atomic_load_explicit(&blocks->any, memory_order_acquire))
        return NULL;
    pthread_mutex_lock(&blocks->lock);
    struct blocks_table *table = blocks->current;
    if (table != NULL)
        atomic_fetch_add_explicit(&table->references, 1, memory_order_relaxed);
    pthread_mutex_unlock(&blocks->lock);
    return table;
}

static void publish(struct blocks *blocks, struct blocks_table *table)
{
    pthread_mutex_lock(&blocks->lock);
    struct blocks_table *previous = blocks->current;
    blocks->current = table;
    atomic_store_explicit(&blocks->any, table != NULL, memory_order_release);
    pthread_mutex_unlock(&blocks->lock);
    blocks_drop(previous);
}

/* One group an entry, in order, so that the first match decides. NULL: out of
 * memory. */
static struct hat *build(const struct blocks *blocks, const struct policies *policies)
{
    struct hat_group *groups = calloc(blocks->n + 1, sizeof *groups);
    struct key_item *items = calloc(blocks->n + 1, sizeof *items);
    struct hat *hat = NULL;
    struct problems problems;
    size_t n = 0;

    problems_init(&problems);
    for (size_t i = 0; groups != NULL && items != NULL && i < blocks->n; i++) {
        if (!blocks->list[i].in_force)
            continue;
        items[n] = (struct key_item){.text = blocks->list[i].entry};
        groups[n] = (struct hat_group){.policy = policies_target(policies, blocks->list[i].policy),
                                       .senders = {&items[n], 1},
                                       .comment = blocks->list[i].comment};
        n++;
    }
    if (groups != NULL && items != NULL)
        hat = hat_build(groups, n, &nobody, &problems);
    problems_done(&problems);
    free(groups);
    free(items);
    return hat;
}

static struct blocks_table *new_table(struct blocks *blocks)
{
    struct blocks_table *table = calloc(1, sizeof *table);

    if (table == NULL)
        return NULL;
    atomic_init(&table->references, 1);
    table->snapshot = blocks->snapshot;
    snapshot_take(table->snapshot);
    table->by_type[LISTENER_PUBLIC] = build(blocks, blocks->snapshot->policies);
    table->by_type[LISTENER_PRIVATE] = build(blocks, blocks->snapshot->private_policies);
    if (table->by_type[LISTENER_PUBLIC] != NULL && table->by_type[LISTENER_PRIVATE] != NULL)
        return table;
    blocks_drop(table);
    return NULL;
}

static bool any_in_force(const struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->n; i++) {
        if (blocks->list[i].in_force)
            return true;
    }
    return false;
}

/* Sessions see the list as it is now. false: out of memory, they see the one
 * before. */
static bool put_in_force(struct blocks *blocks)
{
    struct blocks_table *table = NULL;

    if (any_in_force(blocks)) {
        table = new_table(blocks);
        if (table == NULL)
            return false;
    }
    publish(blocks, table);
    return true;
}

/* --- the list -------------------------------------------------------------------------- */

static void block_done(struct block *block)
{
    free(block->entry);
    free(block->policy);
    free(block->comment);
}

static void take_out(struct blocks *blocks, size_t index)
{
    block_done(&blocks->list[index]);
    blocks->n--;
    memmove(&blocks->list[index], &blocks->list[index + 1],
            (blocks->n - index) * sizeof *blocks->list);
}

/* Index of the entry of this text; n when there is none. */
static size_t find(const struct blocks *blocks, const char *entry)
{
    size_t i = 0;

    while (i < blocks->n && ascii_casecmp(blocks->list[i].entry, entry) != 0)
        i++;
    return i;
}

static void note_change(struct blocks *blocks)
{
    atomic_store(&blocks->count, blocks->n);
    blocks->next_end = MONO_NEVER;
    for (size_t i = 0; i < blocks->n; i++) {
        if (blocks->list[i].ends < blocks->next_end)
            blocks->next_end = blocks->list[i].ends;
    }
}

static void save(struct blocks *blocks, struct strbuf *note)
{
    mono_us since_boot = mono_since_boot();
    struct blocks_clock clock = {.wall = since_boot + blocks->offset, .since_boot = since_boot};
    struct err err = {0};

    blocks->unsaved = false;
    blocks->save_again = mono_now() + SAVE_TIME;
    if (blocks->folder == NULL) {
        strbuf_puts(note, "without state_dir it will be lost at a restart\n");
        return;
    }
    if (blocks_file_write(blocks->folder, &clock, blocks->list, blocks->n, &err))
        return;
    blocks->unsaved = true;
    blocks->save_again = mono_now() + SAVE_AGAIN;
    log_note(LOG_AT_ERROR, "block", "%s; a restart would lose the last changes", err.text);
    strbuf_printf(note, "it would be lost at a restart: %s\n", err.text);
}

static void save_silently(struct blocks *blocks)
{
    struct strbuf unused;

    strbuf_init(&unused);
    save(blocks, &unused);
    strbuf_done(&unused);
}

static bool can_be_in_force(const struct blocks *blocks, const char *policy)
{
    return policies_target(blocks->snapshot->policies, policy) != NULL;
}

/* --- clocks ------------------------------------------------------------------------------ */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Whole seconds, so that nothing is lost by rounding. */
static void follow_wall_clock(struct blocks *blocks)
{
    mono_us off = mono_wall_us() - (mono_since_boot() + blocks->offset);
    int64_t seconds = off / MONO_SECONDS(1);

    if (blocks->n == 0)
        blocks->offset += off;
    if (blocks->n == 0 || (off > -JUMP_LEAST && off < JUMP_LEAST))
        return;
    for (size_t i = 0; i < blocks->n; i++) {
        struct block *block = &blocks->list[i];
        block->added = later(block->added + seconds, 0);
        if (block->expires != 0)
            block->expires = later(block->expires + seconds, 1);
    }
    blocks->offset += MONO_SECONDS(seconds);
    log_note(LOG_AT_INFO, "block", "the clock was set by %lld s; entries last as long as before",
             (long long)seconds);
    save_silently(blocks);
}

/* Since the file was written, at least. A clock that shows less than then was set back,
 * or counts from another start of the host. */
static mono_us passed_since(const struct blocks_clock *then)
{
    mono_us since_boot = mono_since_boot(), by_boot = since_boot - then->since_boot;

    return later(by_boot >= 0 ? by_boot : since_boot, mono_wall_us() - then->wall);
}

/* An earlier version did not write when; not before the newest entry. */
static void add_clock(const struct blocks *blocks, struct blocks_clock *clock)
{
    if (clock->wall != 0)
        return;
    clock->since_boot = mono_since_boot();
    for (size_t i = 0; i < blocks->n; i++)
        clock->wall = later(clock->wall, MONO_SECONDS(blocks->list[i].added));
}

/* From the times in the file to ends by our clock. */
static void wind_up(struct blocks *blocks, struct blocks_clock *clock)
{
    add_clock(blocks, clock);
    blocks->offset = clock->wall + passed_since(clock) - mono_since_boot();
    for (size_t i = 0; i < blocks->n; i++) {
        struct block *block = &blocks->list[i];
        block->ends =
            block->expires != 0 ? MONO_SECONDS(block->expires) - blocks->offset : MONO_NEVER;
    }
}

static bool has_ended(const struct block *block)
{
    return block->ends <= mono_since_boot();
}

/* --- entries ----------------------------------------------------------------------------- */

static bool check_policy(const struct blocks *blocks, const char *name, struct err *err)
{
    const struct policy *policy = policies_target(blocks->snapshot->policies, name);

    if (policy == NULL)
        return err_set(err, ERR_RANGE,
                       "there is no policy \"%.80s\"; allowed: the name of a policy, or accept, "
                       "reject, tcprefuse or relay",
                       name);
    return policy->keys.access != POLICY_CONTINUE ||
           err_set(err, ERR_RANGE, "continue is not possible here: unblock the entry instead");
}

/* spare: one that will go. */
static bool make_room(struct blocks *blocks, bool spare, struct err *err)
{
    if (blocks->n >= BLOCKS_MAX + (spare ? 1U : 0U))
        return err_set(err, ERR_RANGE,
                       "there are %d entries already; more belong in a group's senders_file",
                       BLOCKS_MAX);
    if (blocks->n < blocks->room)
        return true;
    size_t room = blocks->room * 2 + 16;
    struct block *list = realloc(blocks->list, room * sizeof *list);
    if (list == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    blocks->list = list;
    blocks->room = room;
    return true;
}

static bool insert(struct blocks *blocks, struct block block, bool spare, struct err *err)
{
    if (block.entry == NULL || block.policy == NULL || !make_room(blocks, spare, err)) {
        block_done(&block);
        return err->kind != ERR_NONE ? false : err_set(err, ERR_MEMORY, "out of memory");
    }
    memmove(&blocks->list[1], &blocks->list[0], blocks->n * sizeof *blocks->list);
    blocks->list[0] = block;
    blocks->n++;
    return true;
}

static bool new_block(const struct blocks_order *order, mono_us now, int64_t added,
                      struct block *block_out, struct err *err)
{
    bool commented = order->comment[0] != '\0';

    *block_out = (struct block){
        .entry = strdup(order->entry),
        .policy = strdup(order->policy),
        .comment = commented ? strdup(order->comment) : NULL,
        .added = added,
        .expires = order->seconds != 0 ? added + order->seconds : 0,
        .ends = order->seconds != 0 ? now + MONO_SECONDS(order->seconds) : MONO_NEVER,
        .in_force = true,
        .told = true,
    };
    if (!commented || block_out->comment != NULL)
        return true;
    block_done(block_out);
    return err_set(err, ERR_MEMORY, "out of memory");
}

bool blocks_add(struct blocks *blocks, const struct blocks_order *order, struct strbuf *note,
                struct err *err)
{
    struct hat_entry parsed;
    struct block block;
    mono_us now = mono_since_boot();

    err->kind = ERR_NONE;
    if (!blocks_check_entry(order->entry, &parsed, note, err) ||
        !check_policy(blocks, order->policy, err) || !blocks_check_comment(order->comment, err))
        return false;
    follow_wall_clock(blocks);
    size_t before = find(blocks, order->entry);
    bool replaces = before < blocks->n;
    if (!new_block(order, now, (now + blocks->offset) / MONO_SECONDS(1), &block, err) ||
        !insert(blocks, block, replaces, err))
        return false;
    if (!put_in_force(blocks)) { /* the one before, if there is one, comes second now */
        take_out(blocks, 0);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    if (replaces)
        take_out(blocks, before + 1);
    note_change(blocks);
    save(blocks, note);
    return true;
}

static void fall_behind(struct blocks *blocks)
{
    if (!blocks->behind)
        log_note(LOG_AT_ERROR, "block", "out of memory; the entries stay as they were");
    blocks->behind = true;
}

bool blocks_remove(struct blocks *blocks, const char *entry, struct strbuf *note)
{
    size_t index = find(blocks, entry);

    if (index == blocks->n)
        return false;
    take_out(blocks, index);
    note_change(blocks);
    save(blocks, note);
    if (!put_in_force(blocks)) {
        fall_behind(blocks);
        strbuf_puts(note, "out of memory: it stays in effect until there is some\n");
    }
    return true;
}

/* --- time, configurations ------------------------------------------------------------------ */

static void tell(struct block *block)
{
    if (block->told == block->in_force)
        return;
    block->told = block->in_force;
    if (block->in_force)
        log_note(LOG_AT_INFO, "block", "%s: in effect again, with policy \"%s\"", block->entry,
                 block->policy);
    else
        log_note(LOG_AT_WARNING, "block", "%s: there is no policy \"%s\"; it has no effect",
                 block->entry, block->policy);
}

static void tell_and_take_out(struct blocks *blocks, mono_us now)
{
    bool changed = false;

    for (size_t i = blocks->n; i-- > 0;) {
        struct block *block = &blocks->list[i];
        if (block->ends > now) {
            tell(block);
            continue;
        }
        log_note(LOG_AT_INFO, "block", "%s: it has expired", block->entry);
        take_out(blocks, i);
        changed = true;
    }
    if (!changed)
        return;
    note_change(blocks);
    save_silently(blocks);
}

/* What has ended goes out of force, then out of the list: the log tells what is so. */
static void settle(struct blocks *blocks)
{
    mono_us now = mono_since_boot();

    for (size_t i = 0; i < blocks->n; i++)
        blocks->list[i].in_force = blocks->list[i].in_force && blocks->list[i].ends > now;
    if (!put_in_force(blocks)) {
        fall_behind(blocks);
        return;
    }
    blocks->behind = false;
    tell_and_take_out(blocks, now);
}

void blocks_tick(struct blocks *blocks)
{
    follow_wall_clock(blocks);
    if (blocks->behind || blocks->next_end <= mono_since_boot())
        settle(blocks);
    if ((blocks->unsaved || blocks->next_end != MONO_NEVER) && mono_now() >= blocks->save_again)
        save_silently(blocks);
}

void blocks_use(struct blocks *blocks, struct snapshot *snapshot)
{
    snapshot_take(snapshot);
    snapshot_drop(blocks->snapshot);
    blocks->snapshot = snapshot;
    for (size_t i = 0; i < blocks->n; i++)
        blocks->list[i].in_force = can_be_in_force(blocks, blocks->list[i].policy);
    settle(blocks);
}

/* --- life ------------------------------------------------------------------------------------ */

/* One that is lost, for whatever reason, does not cost the entry. */
static char *usable_comment(const struct block *block)
{
    struct err err = {0};

    if (block->comment == NULL)
        return NULL;
    char *copy = blocks_check_comment(block->comment, &err) ? strdup(block->comment) : NULL;
    if (copy == NULL)
        log_note(LOG_AT_WARNING, "block", "%s: its comment is lost", block->entry);
    return copy;
}

/* From the file, oldest first: each goes before those that were there. */
static void take_from_file(const struct block *block, void *arg)
{
    struct blocks *blocks = arg;
    struct hat_entry parsed;
    struct strbuf note;
    struct err err = {0};

    strbuf_init(&note);
    if (blocks_check_entry(block->entry, &parsed, &note, &err)) {
        struct block copy = *block;
        copy.entry = strdup(block->entry);
        copy.policy = strdup(block->policy);
        copy.comment = usable_comment(block);
        copy.told = true;
        (void)!insert(blocks, copy, false, &err);
    }
    strbuf_done(&note);
    if (err.kind != ERR_NONE)
        log_note(LOG_AT_WARNING, "block", "%s", err.text);
}

void blocks_init(struct blocks *blocks, const char *folder, struct snapshot *snapshot)
{
    struct blocks_clock clock = {.wall = 0};
    struct err err = {0};

    *blocks = (struct blocks){.folder = folder};
    CHECK(pthread_mutex_init(&blocks->lock, NULL) == 0);
    if (folder != NULL && !blocks_file_read(folder, true, &clock, take_from_file, blocks, &err))
        log_note(LOG_AT_WARNING, "block", "%s; entries made at run time are not known", err.text);
    wind_up(blocks, &clock);
    note_change(blocks);
    blocks_use(blocks, snapshot);
    blocks_tick(blocks);
}

static void free_list(struct blocks *blocks)
{
    for (size_t i = 0; i < blocks->n; i++)
        block_done(&blocks->list[i]);
    free(blocks->list);
}

bool blocks_look(const char *folder, struct snapshot *snapshot, struct blocks_table **table_out,
                 struct err *err)
{
    struct blocks blocks = {.snapshot = snapshot};
    struct blocks_clock clock;
    bool good = blocks_file_read(folder, false, &clock, take_from_file, &blocks, err);

    *table_out = NULL;
    wind_up(&blocks, &clock);
    for (size_t i = 0; i < blocks.n; i++) {
        struct block *block = &blocks.list[i];
        block->in_force = !has_ended(block) && can_be_in_force(&blocks, block->policy);
    }
    if (good && any_in_force(&blocks)) {
        *table_out = new_table(&blocks);
        good = *table_out != NULL || err_set(err, ERR_MEMORY, "out of memory");
    }
    free_list(&blocks);
    return good;
}

void blocks_done(struct blocks *blocks)
{
    if (blocks->next_end != MONO_NEVER)
        save_silently(blocks);
    publish(blocks, NULL);
    free_list(blocks);
    snapshot_drop(blocks->snapshot);
    pthread_mutex_destroy(&blocks->lock);
}
