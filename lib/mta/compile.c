#include "lib/mta/compile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mta/run.h"

#define MAKEMAP_CACHE "67108864" /* bytes; taken only as far as they are needed */

static const struct type_row {
    const char *type, *suffix;
    bool in_place, of_postmap_only;
} types[] = {
    {"lmdb", "lmdb", true, true},
    {"cdb", "cdb", false, true},
    {"hash", "db", false, false},
    {"btree", "db", false, false},
};

static const struct type_row *find_type(const char *type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strcmp(types[i].type, type) == 0)
            return &types[i];
    return NULL;
}

bool compile_type_ok(enum compile_tool tool, const char *type)
{
    const struct type_row *row = find_type(type);
    return row != NULL && (tool == COMPILE_POSTMAP || !row->of_postmap_only);
}

const char *compile_suffix(const char *type)
{
    const struct type_row *row = find_type(type);
    CHECK(row != NULL);
    return row->suffix;
}

bool compile_in_place(const char *type)
{
    const struct type_row *row = find_type(type);
    CHECK(row != NULL);
    return row->in_place;
}

bool compile_check(const struct compile *compile, struct err *err)
{
    if (compile->compiler[0] != '/')
        return err_set(err, ERR_SYNTAX, "the compiler %s must be an absolute path",
                       compile->compiler);
    struct stat st;
    if (access(compile->compiler, X_OK) != 0 || stat(compile->compiler, &st) != 0)
        return err_system(err, errno, "cannot run the compiler %s", compile->compiler);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_SYNTAX, "the compiler %s is not a file", compile->compiler);
    return true;
}

static mono_us deadline(const struct compile *compile)
{
    mono_us end = mono_now() + MONO_SECONDS(compile->seconds);
    return compile->until != 0 && compile->until < end ? compile->until : end;
}

static bool run_compiler(const struct compile *compile, const char *const *argv, const char *input,
                         size_t output_max, struct strbuf *output, struct err *err)
{
    struct run run = {.argv = argv,
                      .input = input,
                      .mail_config = compile->mail_config,
                      .deadline = deadline(compile),
                      .output_max = output_max,
                      .dies_with_us = true};
    return run_tool(&run, output, err);
}

/* postmap [-s] TYPE:MAP */
static bool run_postmap(const struct compile *compile, bool list, const char *map,
                        size_t output_max, struct strbuf *output, struct err *err)
{
    struct strbuf typed;
    strbuf_init(&typed);
    strbuf_printf(&typed, "%s:%s", compile->type, map);
    const char *make_argv[] = {compile->compiler, strbuf_text(&typed), NULL};
    const char *list_argv[] = {compile->compiler, "-s", strbuf_text(&typed), NULL};
    bool ok = typed.failed ? err_set(err, ERR_MEMORY, "out of memory")
                           : run_compiler(compile, list ? list_argv : make_argv, NULL, output_max,
                                          output, err);
    strbuf_done(&typed);
    return ok;
}

/* makemap -c BYTES TYPE MAP < MAP, makemap -u TYPE MAP. With the cache it has by itself a
 * million entries take four times as long. */
static bool run_makemap(const struct compile *compile, bool list, const char *map,
                        size_t output_max, struct strbuf *output, struct err *err)
{
    const char *make_argv[] = {compile->compiler, "-c", MAKEMAP_CACHE, compile->type, map, NULL};
    const char *list_argv[] = {compile->compiler, "-u", compile->type, map, NULL};
    return run_compiler(compile, list ? list_argv : make_argv, list ? NULL : map, output_max,
                        output, err);
}

static bool use_map(const struct compile *compile, bool list, const char *name, size_t output_max,
                    struct strbuf *output, struct err *err)
{
    struct strbuf map;
    strbuf_init(&map);
    strbuf_printf(&map, "%s/%s", compile->folder, name);
    bool ok = map.failed ? err_set(err, ERR_MEMORY, "out of memory")
              : compile->tool == COMPILE_MAKEMAP
                  ? run_makemap(compile, list, strbuf_text(&map), output_max, output, err)
                  : run_postmap(compile, list, strbuf_text(&map), output_max, output, err);
    strbuf_done(&map);
    return ok;
}

bool compile_map(const struct compile *compile, const char *name, struct err *err)
{
    return use_map(compile, false, name, 65536, NULL, err);
}

bool compile_list(const struct compile *compile, const char *name, size_t most,
                  struct strbuf *listed, struct err *err)
{
    return use_map(compile, true, name, most, listed, err);
}

/* Cut the first line off text. false: text is at its end. */
static bool cut_line(struct slice *text, struct slice *line_out)
{
    if (text->n == 0)
        return false;
    const char *end = memchr(text->p, '\n', text->n);
    size_t n = end == NULL ? text->n : (size_t)(end - text->p);
    *line_out = (struct slice){text->p, n};
    size_t taken = end == NULL ? n : n + 1;
    text->p += taken;
    text->n -= taken;
    return true;
}

static bool cut_entry(struct slice *text, struct slice *line_out)
{
    while (cut_line(text, line_out))
        if (line_out->n > 0 && line_out->p[0] != '#')
            return true;
    return false;
}

static bool same_line(struct slice a, struct slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static int by_bytes(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/* A hash prints its entries in an order of its own. NULL: out of memory. */
static struct slice *sorted_lines(struct slice text, size_t *n_out)
{
    struct slice rest = text, line;
    size_t n = 0;
    while (cut_line(&rest, &line))
        n++;
    struct slice *list = malloc((n + 1) * sizeof *list);
    if (list == NULL)
        return NULL;
    rest = text;
    for (size_t i = 0; i < n && cut_line(&rest, &line); i++)
        list[i] = line;
    qsort(list, n, sizeof *list, by_bytes);
    *n_out = n;
    return list;
}

bool compile_same(struct slice content, struct slice listed, struct err *err)
{
    size_t n = 0, i = 0;
    struct slice *list = sorted_lines(listed, &n);
    struct slice line;
    if (list == NULL)
        return err_set(err, ERR_MEMORY, "out of memory");
    bool same = true;
    while (same && cut_entry(&content, &line))
        same = i < n && same_line(line, list[i++]);
    same = same && i == n;
    free(list);
    return same;
}

bool compile_holds(const struct compile *compile, const char *name, const struct strbuf *content,
                   struct err *err)
{
    struct strbuf listed;
    strbuf_init(&listed);
    struct err trouble = {0};
    bool same = compile_list(compile, name, content->n, &listed, &trouble);
    if (same)
        same = compile_same((struct slice){strbuf_text(content), content->n},
                            (struct slice){strbuf_text(&listed), listed.n}, &trouble);
    if (trouble.kind == ERR_RANGE) /* it printed more than the whole text: not this table */
        trouble = (struct err){0};
    *err = trouble;
    strbuf_done(&listed);
    return same;
}
