/* callahead_state.c - see callahead_state.h. */
#include "lib/net/callahead_state.h"

#include <string.h>
#include "lib/base/log.h"
#include "lib/net/callahead_pool.h"
#include "lib/state/statefile.h"

#define KIND "callahead-1"
#define KEY_KIND "callahead-key-1"
#define FUTURE 300       /* seconds a clock may go back */
#define LIFE_MAX 86400   /* of an answer, seconds */
#define KNOWN_MAX 604800 /* seconds */
#define LINE_ROOM 1024   /* left free at the end of the file */
#define PROFILES_MAX 64

/* --- words of a line --------------------------------------------------------------- */

/* The word up to the next blank, which becomes its end; NULL: there is none. */
static char *cut(char **rest)
{
    char *word = *rest, *blank = strchr(word, ' ');
    if (!blank || blank == word)
        return NULL;
    *blank = '\0';
    *rest = blank + 1;
    return word;
}

static bool cut_number(char **rest, uint64_t max, uint64_t *number_out)
{
    const char *word = cut(rest);
    return word && str_to_uint(slice_of(word), max, number_out);
}

static bool hex_digit(char c, unsigned *value_out)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    *value_out = at ? (unsigned)(at - digits) : 0;
    return at != NULL;
}

static bool parse_hex(const char *word, uint8_t *bytes, size_t n)
{
    unsigned high, low;
    if (!word || strlen(word) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!hex_digit(word[2 * i], &high) || !hex_digit(word[2 * i + 1], &low))
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void put_hex(struct strbuf *out, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "%02x", bytes[i]);
}

static bool parse_u64(const char *word, uint64_t *number_out)
{
    uint8_t bytes[8];
    if (!parse_hex(word, bytes, sizeof bytes))
        return false;
    *number_out = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        *number_out = *number_out << 8 | bytes[i];
    return true;
}

/* A name without blanks and control bytes; "-" is the empty one. */
static bool is_plain(const char *word, size_t room)
{
    size_t n = word ? strlen(word) : 0;
    for (size_t i = 0; i < n; i++) {
        if (word[i] <= ' ' || word[i] == 127)
            return false;
    }
    return n > 0 && n < room;
}

static bool is_place(const char *word)
{
    uint8_t bytes[DOMAINS_PLACE / 2];
    return parse_hex(word, bytes, sizeof bytes);
}

/* --- lines ---------------------------------------------------------------------------- */

static bool parse_saved(char *line, const struct state_reader *reader)
{
    uint64_t seconds, key_id;
    return cut_number(&line, INT32_MAX * UINT64_C(1000), &seconds) && parse_u64(line, &key_id) &&
           reader->saved((int64_t)seconds, key_id, reader->arg);
}

static bool parse_profile(char *line, const struct state_reader *reader)
{
    struct memory_name name = {.entries = 0};
    uint64_t entries, known;
    if (!cut_number(&line, 1000000, &entries) || !cut_number(&line, KNOWN_MAX, &known) ||
        !parse_u64(cut(&line), &name.mark) || entries == 0 || line[0] == '\0')
        return false;
    name.entries = (size_t)entries;
    name.name = line;
    reader->profile(&name, MONO_SECONDS(known), reader->arg);
    return true;
}

static bool parse_domain(char *line, const struct state_reader *reader)
{
    uint64_t probed;
    bool good = cut_number(&line, INT32_MAX * UINT64_C(1000), &probed);
    const char *what = good ? cut(&line) : NULL;
    bool catch_all = what && strcmp(what, "catch_all") == 0;
    if (!what || (!catch_all && strcmp(what, "discerning") != 0))
        return false;
    struct slice name = slice_of(line);
    const char *place = cut(&line) ? line : NULL;
    if (!is_plain(name.p, 256) || (place && !is_place(place)))
        return false;
    reader->domain(name, catch_all, (int64_t)probed, reader->arg);
    return true;
}

static bool is_status(const char *word)
{
    return word && strlen(word) < sizeof((struct callahead_answer *)0)->status &&
           strspn(word, "0123456789.") == strlen(word);
}

static bool parse_entry(const char *what, char *line, const struct state_reader *reader)
{
    struct trust_entry entry = {.class = CALLAHEAD_VALID, .known_good = strcmp(what, "yes") == 0};
    char recipient[300];
    uint64_t learned, expires, code;

    if (strcmp(what, "no") == 0)
        entry.class = CALLAHEAD_USER_UNKNOWN;
    if (!parse_hex(cut(&line), entry.key.b, sizeof entry.key.b) ||
        !cut_number(&line, INT32_MAX * UINT64_C(1000), &learned) ||
        !cut_number(&line, INT32_MAX * UINT64_C(1000), &expires) || expires < learned ||
        expires - learned > LIFE_MAX || !cut_number(&line, 599, &code))
        return false;
    const char *status = cut(&line), *server = cut(&line);
    if (!status || !is_plain(server, TRUST_SERVER_MAX) || !is_plain(line, 256))
        return false;
    entry.status = strcmp(status, "-") == 0 ? "" : status;
    if (!is_status(entry.status))
        return false;
    entry.code = (int)code;
    entry.server = strcmp(server, "-") == 0 ? "" : server;
    entry.learned = MONO_SECONDS(learned);
    entry.expires = MONO_SECONDS(expires);
    int n = snprintf(recipient, sizeof recipient, TRUST_HIDDEN "@%s",
                     strcmp(line, "-") == 0 ? "" : line);
    entry.recipient = (struct slice){recipient, (size_t)n};
    reader->entry(&entry, reader->arg);
    return true;
}

static bool parse_line(char *line, unsigned *profiles, const struct state_reader *reader)
{
    const char *what = cut(&line);
    if (!what)
        return false;
    if (strcmp(what, "profile") == 0)
        return ++*profiles <= PROFILES_MAX && parse_profile(line, reader);
    if (*profiles == 0)
        return false;
    if (strcmp(what, "domain") == 0)
        return parse_domain(line, reader);
    bool entry = strcmp(what, "yes") == 0 || strcmp(what, "no") == 0 || strcmp(what, "all") == 0;
    return entry && parse_entry(what, line, reader);
}

bool state_parse(char *text, const struct state_reader *reader)
{
    unsigned profiles = 0;
    bool first = true;

    for (char *end; *text != '\0'; text = end + 1, first = false) {
        end = strchr(text, '\n');
        if (!end)
            return false;
        *end = '\0';
        if (first && (strncmp(text, "saved ", 6) != 0 || !parse_saved(text + 6, reader)))
            return false;
        if (!first && !parse_line(text, &profiles, reader))
            return false;
    }
    return !first;
}

/* --- writing ---------------------------------------------------------------------------- */

static uint64_t key_id(const struct trust_seeds *seeds)
{
    return hash_bytes(&seeds->whole, STATE_FILE, sizeof STATE_FILE) ^
           hash_bytes(&seeds->recipient, STATE_FILE, sizeof STATE_FILE);
}

struct writing {
    struct strbuf out;
    int64_t ahead; /* of wall-clock microseconds against mono_now() */
};

static long long seconds_of(const struct writing *writing, mono_us at)
{
    int64_t us = at + writing->ahead;
    return us > 0 ? (long long)(us / 1000000) : 0;
}

static void write_domain(const struct domains_state *state, void *arg)
{
    struct writing *writing = arg;
    if (state->probed_at != MONO_NEVER && is_plain(state->domain, 256))
        strbuf_printf(&writing->out, "domain %lld %s %s%s%s\n",
                      seconds_of(writing, state->probed_at),
                      state->catch_all ? "catch_all" : "discerning", state->domain,
                      state->place[0] != '\0' ? " " : "", state->place);
}

static const char *word_of(const struct trust_entry *entry)
{
    if (entry->class != CALLAHEAD_VALID)
        return "no";
    return entry->known_good ? "yes" : "all";
}

static bool write_entry(const struct trust_entry *entry, void *arg)
{
    struct writing *writing = arg;
    struct slice domain = entry->recipient;
    while (domain.n > 0 && memchr(domain.p, '@', domain.n)) {
        domain.p++;
        domain.n--;
    }
    if (writing->out.n > STATEFILE_MAX - LINE_ROOM || domain.n >= 256)
        return false;
    strbuf_printf(&writing->out, "%s ", word_of(entry));
    put_hex(&writing->out, entry->key.b, sizeof entry->key.b);
    strbuf_printf(&writing->out, " %lld %lld %d %s %s ", seconds_of(writing, entry->learned),
                  seconds_of(writing, entry->expires), entry->code,
                  entry->status[0] ? entry->status : "-", entry->server[0] ? entry->server : "-");
    strbuf_add(&writing->out, domain.n > 0 ? domain.p : "-", domain.n > 0 ? domain.n : 1);
    strbuf_putc(&writing->out, '\n');
    return false;
}

static void write_memory(const struct callahead_memory *memory, struct writing *writing)
{
    strbuf_printf(&writing->out, "profile %zu %lld %016llx %s\n", memory->entries,
                  (long long)(atomic_load(&memory->known) / MONO_SECONDS(1)),
                  (unsigned long long)memory->mark, memory->name);
    domains_each(trust_domains(memory->trust), mono_now(), write_domain, writing);
    trust_each(memory->trust, mono_now(), write_entry, writing);
}

void state_write(struct callahead *pool)
{
    struct writing writing = {.ahead = mono_wall_us() - mono_now()};
    struct err err = {0};
    unsigned profiles = 0;

    strbuf_init(&writing.out);
    strbuf_printf(&writing.out, "saved %lld %016llx\n", (long long)mono_wall_seconds(),
                  (unsigned long long)key_id(&pool->trust_seeds));
    for (struct callahead_memory *memory = memory_first(pool); memory; memory = memory->next) {
        if (writing.out.n < STATEFILE_MAX - LINE_ROOM && !trust_is_empty(memory->trust) &&
            profiles++ < PROFILES_MAX)
            write_memory(memory, &writing);
    }
    struct slice content = {strbuf_text(&writing.out), writing.out.n};
    if (writing.out.failed)
        err_set(&err, ERR_MEMORY, "out of memory");
    else if (statefile_write(pool->folder, STATE_FILE, KIND, content, &err))
        err.kind = ERR_NONE;
    if (err.kind != ERR_NONE)
        log_note(LOG_AT_WARNING, "state", "the cache of call-ahead cannot be saved: %s", err.text);
    strbuf_done(&writing.out);
}

/* --- reading ------------------------------------------------------------------------------ */

struct loading {
    struct callahead *pool;
    struct callahead_memory *memory; /* NULL: out of memory */
    mono_us known;
    int64_t wall;    /* seconds */
    int64_t ahead;   /* as above */
    const char *why; /* the file is not used */
};

static bool load_saved(int64_t seconds, uint64_t id, void *arg)
{
    struct loading *loading = arg;
    if (seconds < loading->wall - STATE_OLDEST)
        loading->why = "it is too old";
    else if (seconds > loading->wall + FUTURE)
        loading->why = "it is from the future";
    else if (id != key_id(&loading->pool->trust_seeds))
        loading->why = "it was written with another " STATE_KEY_FILE;
    return !loading->why;
}

static void load_profile(const struct memory_name *name, mono_us known, void *arg)
{
    struct loading *loading = arg;
    bool made;
    loading->memory = memory_named(loading->pool, name, &made);
    loading->known = known;
    if (loading->memory)
        atomic_store(&loading->memory->known, known);
}

static void load_domain(struct slice name, bool catch_all, int64_t probed, void *arg)
{
    struct loading *loading = arg;
    if (loading->memory && probed <= loading->wall + FUTURE)
        domains_restore(trust_domains(loading->memory->trust), name, catch_all,
                        MONO_SECONDS(probed) - loading->ahead, mono_now());
}

static void load_entry(const struct trust_entry *entry, void *arg)
{
    struct loading *loading = arg;
    struct trust_entry moved = *entry;
    if (!loading->memory || entry->learned > MONO_SECONDS(loading->wall + FUTURE))
        return;
    moved.learned -= loading->ahead;
    moved.expires -= loading->ahead;
    trust_restore(loading->memory->trust, &moved, loading->known, mono_now());
}

static void load_text(struct callahead *pool, struct strbuf *text)
{
    struct loading loading = {
        .pool = pool, .wall = mono_wall_seconds(), .ahead = mono_wall_us() - mono_now()};
    const struct state_reader reader = {load_saved, load_profile, load_domain, load_entry,
                                        &loading};

    if (text->n == 0 || state_parse(text->p, &reader))
        return;
    for (struct callahead_memory *memory = memory_first(pool); memory; memory = memory->next)
        trust_clear(memory->trust);
    log_note(LOG_AT_WARNING, "state", "the saved cache of call-ahead is not used: %s",
             loading.why ? loading.why : STATE_FILE " holds lines that gatehoused did not write");
}

/* Secrets that nobody has written down yet. */
static bool make_key(struct callahead *pool, struct err *err)
{
    struct strbuf text;
    strbuf_init(&text);
    put_hex(&text, (const uint8_t *)&pool->trust_seeds, sizeof pool->trust_seeds);
    strbuf_putc(&text, '\n');
    bool good = text.failed ? err_set(err, ERR_MEMORY, "out of memory")
                            : statefile_write(pool->folder, STATE_KEY_FILE, KEY_KIND,
                                              (struct slice){strbuf_text(&text), text.n}, err);
    strbuf_done(&text);
    return good;
}

static bool take_key(struct callahead *pool, struct strbuf *text)
{
    struct trust_seeds seeds;
    if (text->n == 0 || text->p[text->n - 1] != '\n')
        return false;
    text->p[text->n - 1] = '\0';
    if (!parse_hex(text->p, (uint8_t *)&seeds, sizeof seeds))
        return false;
    pool->trust_seeds = seeds;
    return true;
}

static bool find_key(struct callahead *pool, struct err *err)
{
    struct strbuf text;
    bool good = false;

    strbuf_init(&text);
    switch (statefile_read(pool->folder, STATE_KEY_FILE, KEY_KIND, &text, err)) {
    case STATEFILE_READ:
        good = take_key(pool, &text) || make_key(pool, err);
        break;
    case STATEFILE_DAMAGED:
        log_note(LOG_AT_WARNING, "state", "%s", err->text);
        good = make_key(pool, err);
        break;
    case STATEFILE_NONE:
        good = make_key(pool, err);
        break;
    case STATEFILE_FAILED:
        break;
    }
    strbuf_done(&text);
    return good;
}

bool callahead_keep(struct callahead *pool, const char *folder, mono_us every, struct err *err)
{
    struct strbuf text;

    pool->folder = strdup(folder);
    if (!pool->folder || !find_key(pool, err)) {
        if (!pool->folder)
            err_set(err, ERR_MEMORY, "out of memory");
        free(pool->folder);
        pool->folder = NULL;
        return false;
    }
    strbuf_init(&text);
    switch (statefile_read(folder, STATE_FILE, KIND, &text, err)) {
    case STATEFILE_READ:
        load_text(pool, &text);
        break;
    case STATEFILE_NONE:
        break;
    case STATEFILE_DAMAGED:
    case STATEFILE_FAILED:
        log_note(LOG_AT_WARNING, "state", "%s", err->text);
        break;
    }
    strbuf_done(&text);
    keeper_write(pool, every);
    return true;
}
