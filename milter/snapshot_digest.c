/* One number for a configuration and its tables, by which another process knows whether it
 * has read the same ones. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/base/lines.h"
#include "milter/registry.h"
#include "milter/snapshot_parts.h"

/* What was added so far is the seed of what comes next. The constant is the same in every
 * process. */
static void add(uint64_t *digest, const void *p, size_t n)
{
    struct hash_seed seed = {*digest, 0x67617465686f7573U};
    *digest = hash_bytes(&seed, p, n);
}

static void add_text(uint64_t *digest, const char *text)
{
    add(digest, text, strlen(text) + 1);
}

/* Folders and sockets may come to be only when the daemon starts: there or not, they are no
 * file. A program that is ending needs no number. */
static void add_file(uint64_t *digest, const char *path)
{
    char buf[65536];
    struct stat st;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool file = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

    while (file && !lines_ended() &&
           ((n = read(fd, buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            add(digest, buf, (size_t)n);
    add_text(digest, file && n == 0 ? "file" : "no file");
    if (fd >= 0)
        close(fd);
}

/* Of a secret nothing is told to those who may ask for the number, and not each of these files is
 * for the daemon to read. */
static bool is_secret(const struct key_row *row)
{
    return (row->flags & KEY_SECRET) != 0 || strstr(row->name, "password") != NULL ||
           strcmp(row->name, "key") == 0;
}

/* The file that a value names, be it as "file:PATH"; NULL: none. */
static const char *file_of(const struct conf *conf, const struct key_row *row, const char *value)
{
    static const char *const prefixes[] = {"file:", "mmdb:"};

    if (row->type == KEY_PATH)
        return value;
    for (size_t i = 0; row->type == KEY_STRING && i < ARRAY_LEN(prefixes); i++)
        if (strncmp(value, prefixes[i], strlen(prefixes[i])) == 0)
            return conf_absolute(conf, value + strlen(prefixes[i]));
    return NULL;
}

static void add_key(uint64_t *digest, const struct conf *conf, const struct conf_section *section,
                    const struct key_row *row)
{
    struct strbuf value;

    strbuf_init(&value);
    key_print(row, section->values, &value);
    add_text(digest, row->name);
    add_text(digest, strbuf_text(&value));
    if ((row->type == KEY_PATH || row->type == KEY_STRING) && !is_secret(row) &&
        strcmp(row->name, "log") != 0) {
        const char *const *text = (const void *)((const char *)section->values + row->offset);
        const char *path = file_of(conf, row, *text);
        if (path != NULL && path[0] != '\0')
            add_file(digest, path);
    }
    strbuf_done(&value);
}

uint64_t snapshot_digest(const struct conf *conf)
{
    uint64_t digest = 0;

    for (size_t i = 0; i < registry_count; i++) {
        const struct conf_section *section = NULL;
        while ((section = conf_next(conf, registry[i]->name, section)) != NULL) {
            add_text(&digest, registry[i]->name);
            add_text(&digest, section->name);
            for (size_t k = 0; k < *section->type->nrows; k++)
                if (section->origins[k].line > 0)
                    add_key(&digest, conf, section, &section->type->rows[k]);
        }
    }
    return digest;
}
