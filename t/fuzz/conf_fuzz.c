/* conf_fuzz.c - configuration files: read, and read again as shown. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sample_keys {
#include "lib/base/key_members.h"
#include "t/unit/conf/sample.def"
#include "lib/base/key_end.h"
};
static const char *const sample_modes[] = {"slow", "fast", NULL};
static const char *const sample_marks[] = {"red", "green", "blue", NULL};

#define KEY_STRUCT struct sample_keys
static const struct key_row rows[] = {
#include "lib/base/key_rows.h"
#include "t/unit/conf/sample.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT
static const size_t nrows = ARRAY_LEN(rows);
static const struct conf_type plain = {"plain", NULL, rows, &nrows, sizeof(struct sample_keys),
                                       "One.",  0,    NULL};
static const struct conf_type named = {"named", "NAME", rows, &nrows, sizeof(struct sample_keys),
                                       "Many.", 0,      NULL};
static const struct conf_type *const types[] = {&plain, &named};

static struct conf *read_bytes(const void *data, size_t size)
{
    struct problems problems;
    char path[40];
    int fd = memfd_create("conf", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    problems_init(&problems);
    struct conf *conf = conf_read(path, types, ARRAY_LEN(types), &problems);
    CHECK(!conf == (problems_errors(&problems) > 0));
    for (size_t i = 0; i < problems.count; i++)
        CHECK(strncmp(problems.list[i].line, path, strlen(path)) == 0);
    problems_done(&problems);
    close(fd);
    return conf;
}

static void check_same(const struct conf_section *a, const struct conf_section *b)
{
    CHECK(b && strcmp(a->name, b->name) == 0);
    for (size_t i = 0; i < nrows; i++) {
        CHECK(a->origins[i].line == 0 || a->origins[i].line > a->at.line);
        if (!(rows[i].flags & KEY_SECRET))
            CHECK(key_same(&rows[i], a->values, b->values));
    }
}

static void ignore(const char *line, bool restart, void *arg)
{
    (void)restart;
    (void)arg;
    CHECK(line[0] == '[');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf *first = read_bytes(data, size);
    if (!first)
        return 0;
    struct strbuf shown;
    strbuf_init(&shown);
    conf_show(first, false, &shown);
    struct conf *second = read_bytes(strbuf_text(&shown), shown.n);
    CHECK(second);
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        const struct conf_section *a = NULL, *b = NULL;
        while ((a = conf_next(first, types[i]->name, a))) {
            b = conf_next(second, types[i]->name, b);
            check_same(a, b);
        }
        CHECK(!conf_next(second, types[i]->name, b));
    }
    conf_compare(first, second, ignore, NULL);
    conf_free(first);
    conf_free(second);
    strbuf_done(&shown);
    return 0;
}
