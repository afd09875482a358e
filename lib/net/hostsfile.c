/* hostsfile.c - see hostsfile.h. */
#include "lib/net/hostsfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- lines -------------------------------------------------------------------------- */

/* What stands before end, without it and all behind; text goes on behind it. */
static struct slice cut_at(struct slice *text, char end)
{
    const char *at = text->n > 0 ? memchr(text->p, end, text->n) : NULL;
    struct slice part = {text->p, at != NULL ? (size_t)(at - text->p) : text->n};
    size_t used = part.n + (at != NULL);

    text->p += used;
    text->n -= used;
    return part;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct slice next_word(struct slice *line)
{
    size_t from = 0, to;

    while (from < line->n && is_blank(line->p[from]))
        from++;
    for (to = from; to < line->n && !is_blank(line->p[to]); to++)
        ;
    struct slice word = {line->p + from, to - from};
    line->p += to;
    line->n -= to;
    return word;
}

static struct slice without_final_dot(struct slice name)
{
    if (name.n > 1 && name.p[name.n - 1] == '.')
        name.n--;
    return name;
}

static bool names(struct slice line, const char *name)
{
    struct slice word;

    do
        word = next_word(&line);
    while (word.n > 0 && !slice_is_nocase(without_final_dot(word), name));
    return word.n > 0;
}

static bool is_among(const struct ip *ip, const struct ip *ips, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ip_equal(&ips[i], ip))
            return true;
    }
    return false;
}

size_t hostsfile_scan(struct slice text, const char *name, struct ip *ips_out, size_t room)
{
    size_t n = 0;

    while (text.n > 0 && n < room) {
        struct slice line = cut_at(&text, '\n');
        struct ip ip;
        line = cut_at(&line, '#');
        struct slice address = next_word(&line);
        if (address.n > 0 && names(line, name) && ip_parse(address, &ip) &&
            !is_among(&ip, ips_out, n))
            ips_out[n++] = ip;
    }
    return n;
}

/* --- the file ----------------------------------------------------------------------- */

/* All of it, on the heap; NULL: no memory. */
static char *read_all(int fd, size_t size, size_t *n_out, struct err *err)
{
    char *text = malloc(size + 1);
    ssize_t got = 1;

    if (text == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    *n_out = 0;
    while (*n_out < size && (got = read(fd, text + *n_out, size - *n_out)) != 0) {
        if (got > 0)
            *n_out += (size_t)got;
        else if (errno != EINTR)
            break;
    }
    return text; /* what could be read of it */
}

static bool scan_file(int fd, const char *name, struct ip *ips_out, size_t room, size_t *n_out,
                      struct err *err)
{
    struct stat st;
    size_t n = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return true;
    size_t size = st.st_size < HOSTSFILE_MAX ? (size_t)st.st_size : HOSTSFILE_MAX;
    char *text = read_all(fd, size, &n, err);
    if (text == NULL)
        return false;
    *n_out = hostsfile_scan((struct slice){text, n}, name, ips_out, room);
    free(text);
    return true;
}

bool hostsfile_find(const char *path, const char *name, struct ip *ips_out, size_t room,
                    size_t *n_out, struct err *err)
{
    *n_out = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        return err_system(err, errno, "cannot open %s", path);
    if (fd < 0)
        return true;
    bool good = scan_file(fd, name, ips_out, room, n_out, err);
    (void)close(fd);
    return good;
}
