#include "lib/mta/mapsum.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/mta/compile.h"

/* Nobody here makes up texts with the same sum: it only has to find them different. The
 * keys are fixed, since two processes compare what they get. */
static const struct hash_seed keys[2] = {{0x6d61707373756d31, 0x9e3779b97f4a7c15},
                                         {0x6d61707373756d32, 0xc2b2ae3d27d4eb4f}};

#define CHUNK 65536

/* The sums of texts of several chunks depend on all of them, in order. */
static void add_chunk(uint64_t sum[2], const char *p, size_t n)
{
    for (size_t i = 0; i < 2; i++) {
        struct hash_seed seed = {keys[i].a ^ sum[i], keys[i].b};
        sum[i] = hash_bytes(&seed, p, n);
    }
}

static void sum_text(struct slice text, uint64_t sum[2])
{
    for (size_t at = 0; at < text.n; at += CHUNK)
        add_chunk(sum, text.p + at, text.n - at < CHUNK ? text.n - at : CHUNK);
}

/* --- lists --------------------------------------------------------------------------- */

static void set_sum(struct mapsum *sum, const struct maps_file *file, const char *type)
{
    *sum = (struct mapsum){.mode = file->mode,
                           .if_there = file->if_there,
                           .suffix = file->compile ? compile_suffix(type) : NULL,
                           .size = file->content.n};
    snprintf(sum->name, sizeof sum->name, "%s", file->name);
    sum_text((struct slice){strbuf_text(&file->content), file->content.n}, sum->sum);
}

bool mapsums_make(const struct maps *maps, const char *type, struct mapsums *sums_out)
{
    *sums_out = (struct mapsums){.list = calloc(maps->count + 1, sizeof *sums_out->list)};
    if (sums_out->list == NULL)
        return false;
    for (size_t i = 0; i < maps->count; i++)
        set_sum(&sums_out->list[sums_out->n++], &maps->list[i], type);
    return true;
}

bool mapsums_copy(const struct mapsums *sums, struct mapsums *copy_out)
{
    *copy_out = (struct mapsums){.list = calloc(sums->n + 1, sizeof *copy_out->list)};
    if (copy_out->list == NULL)
        return false;
    if (sums->n > 0)
        memcpy(copy_out->list, sums->list, sums->n * sizeof *sums->list);
    copy_out->n = sums->n;
    return true;
}

void mapsums_done(struct mapsums *sums)
{
    free(sums->list);
    *sums = (struct mapsums){0};
}

void mapsums_print(const struct mapsums *sums, struct strbuf *out)
{
    for (size_t i = 0; i < sums->n; i++) {
        const struct mapsum *sum = &sums->list[i];
        strbuf_printf(out, "map\t%s\t%o-%llx-%016llx%016llx\n", sum->name, sum->mode,
                      (unsigned long long)sum->size, (unsigned long long)sum->sum[0],
                      (unsigned long long)sum->sum[1]);
    }
}

/* --- files ----------------------------------------------------------------------------- */

static void found(struct mapsum *sum, enum mapsum_state state, const char *why)
{
    sum->state = state;
    snprintf(sum->why, sizeof sum->why, "%s", why);
}

static void cannot_tell(struct mapsum *sum, const char *why)
{
    sum->state = MAPSUM_UNKNOWN;
    snprintf(sum->why, sizeof sum->why, "cannot tell: %s", why);
}

/* false: errno. */
static bool sum_file(int fd, uint64_t sum[2])
{
    char chunk[CHUNK];

    for (;;) {
        size_t n = 0;
        ssize_t got = 1;
        while (n < CHUNK && (got = read(fd, chunk + n, CHUNK - n)) != 0) {
            if (got < 0 && errno != EINTR)
                return false;
            n += got > 0 ? (size_t)got : 0;
        }
        if (n > 0)
            add_chunk(sum, chunk, n);
        if (got == 0)
            return true;
    }
}

static void put_stamp(const struct stat *st, uint64_t stamp[5])
{
    stamp[0] = (uint64_t)st->st_ino;
    stamp[1] = (uint64_t)st->st_size;
    stamp[2] = (uint64_t)st->st_mtim.tv_sec * 1000000000U + (uint64_t)st->st_mtim.tv_nsec;
    stamp[3] = (uint64_t)st->st_ctim.tv_sec * 1000000000U + (uint64_t)st->st_ctim.tv_nsec;
    stamp[4] = (uint64_t)st->st_dev;
}

/* Is it the text? Read only where it was not read as it is now. */
static bool same_text(struct mapsum *sum, int fd, const struct stat *st, bool *same_out)
{
    uint64_t stamp[5], now[2] = {0};

    put_stamp(st, stamp);
    if (!sum->read || memcmp(stamp, sum->stamp, sizeof stamp) != 0) {
        if ((uint64_t)st->st_size == sum->size && !sum_file(fd, now))
            return false;
        sum->was_same =
            (uint64_t)st->st_size == sum->size && memcmp(now, sum->sum, sizeof now) == 0;
        memcpy(sum->stamp, stamp, sizeof stamp);
        sum->read = true;
    }
    *same_out = sum->was_same;
    return true;
}

/* Another one may have been made since; whether it holds the table only its compiler can say. */
static void look_at_compiled(struct mapsum *sum, int folder, const struct stat *text)
{
    char map[MAPFILE_NAME_MAX + 8];
    struct stat st;

    snprintf(map, sizeof map, "%s.%s", sum->name, sum->suffix);
    if (fstatat(folder, map, &st, 0) != 0) {
        if (errno == ENOENT)
            found(sum, MAPSUM_DIFFERS, "the compiled map is missing");
        else
            cannot_tell(sum, strerror(errno));
    } else if (st.st_mtim.tv_sec < text->st_mtim.tv_sec ||
               (st.st_mtim.tv_sec == text->st_mtim.tv_sec &&
                st.st_mtim.tv_nsec < text->st_mtim.tv_nsec))
        found(sum, MAPSUM_DIFFERS, "the compiled map is older than its text");
}

static void look_at_text(struct mapsum *sum, int folder, int fd, const struct stat *st)
{
    bool same;

    if (fd < 0 || !same_text(sum, fd, st, &same))
        cannot_tell(sum, strerror(errno));
    else if (!same)
        found(sum, MAPSUM_DIFFERS, "differs");
    else if (sum->suffix != NULL)
        look_at_compiled(sum, folder, st);
}

static void look_at(struct mapsum *sum, int folder)
{
    struct stat st;

    found(sum, MAPSUM_SAME, "");
    if (fstatat(folder, sum->name, &st, 0) != 0) {
        if (errno != ENOENT)
            cannot_tell(sum, strerror(errno));
        else if (!sum->if_there)
            found(sum, MAPSUM_DIFFERS, "is missing");
        return;
    }
    if ((sum->mode & 077) == 0) {
        cannot_tell(sum, "it holds passwords");
        return;
    }
    int fd = openat(folder, sum->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        found(sum, MAPSUM_DIFFERS, "is not a file");
    else
        look_at_text(sum, folder, fd, &st);
    if (fd >= 0)
        close(fd);
}

enum mapsum_state mapsums_look(struct mapsums *sums, const char *folder)
{
    enum mapsum_state worst = MAPSUM_SAME;
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), sys = errno;

    for (size_t i = 0; i < sums->n; i++) {
        struct mapsum *sum = &sums->list[i];
        if (fd >= 0)
            look_at(sum, fd);
        else if (sys == ENOENT)
            found(sum, sum->if_there ? MAPSUM_SAME : MAPSUM_DIFFERS, "is missing");
        else
            cannot_tell(sum, strerror(sys));
        if (sum->state > worst)
            worst = sum->state;
    }
    if (fd >= 0)
        close(fd);
    return worst;
}
