/* sample.c - see sample.h. */
#include "t/unit/conf/sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

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

struct must_keys {
    const char *needed;
};
static const struct key_row must_rows[] = {
    {.name = "needed",
     .type = KEY_STRING,
     .offset = offsetof(struct must_keys, needed),
     .dflt = "",
     .flags = KEY_REQUIRED,
     .doc = "Must be there."},
};
static const size_t must_nrows = ARRAY_LEN(must_rows);

static const struct conf_type plain = {
    "plain", NULL, rows, &nrows, sizeof(struct sample_keys), "One section.", false, NULL};
static const struct conf_type named = {
    "named", "NAME", rows, &nrows, sizeof(struct sample_keys), "Many sections.", false, NULL};
static const struct conf_type must = {
    "must", NULL, must_rows, &must_nrows, sizeof(struct must_keys), "A section.", false, NULL};
const struct conf_type *const sample_types[] = {&plain, &named, &must};
const size_t sample_ntypes = ARRAY_LEN(sample_types);

static char folder[64];

struct conf *sample_read_types(const char *text, size_t n, const struct conf_type *const *types,
                               size_t ntypes, struct problems *problems)
{
    char path[80];
    snprintf(folder, sizeof folder, "/tmp/gatehouse-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/conf", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, n, file), n);
    fclose(file);
    problems_init(problems);
    struct conf *conf = conf_read(path, types, ntypes, problems);
    unlink(path);
    rmdir(folder);
    return conf;
}

struct conf *sample_read(const char *text, size_t n, struct problems *problems)
{
    return sample_read_types(text, n, sample_types, sample_ntypes, problems);
}

struct conf *sample_read_good(const char *text)
{
    struct problems problems;
    struct conf *conf = sample_read(text, strlen(text), &problems);
    if (!conf)
        problems_print(&problems, stderr);
    assert_non_null(conf);
    problems_done(&problems);
    return conf;
}

char *sample_lines(const struct problems *problems)
{
    struct strbuf out;
    size_t skip = strlen(folder) + 1;
    strbuf_init(&out);
    for (size_t i = 0; i < problems->count; i++) {
        const char *line = problems->list[i].line;
        strbuf_printf(&out, "%s\n", strncmp(line, folder, skip - 1) == 0 ? line + skip : line);
    }
    assert_false(out.failed);
    return out.p ? out.p : calloc(1, 1);
}
