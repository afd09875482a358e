/* table_file.c - see table_file.h. */
#include "t/unit/tables/table_file.h"

#include <string.h>
#include <unistd.h>

void table_file_new(struct table_file *file, struct slice content)
{
    const char *folder = getenv("TMPDIR");
    problems_init(&file->problems);
    strbuf_init(&file->text);
    int n = snprintf(file->path, sizeof file->path, "%s/table.XXXXXX",
                     folder != NULL && strlen(folder) < 40 ? folder : "/tmp");
    CHECK(n > 0 && (size_t)n < sizeof file->path);
    int fd = mkstemp(file->path);
    CHECK(fd >= 0);
    FILE *out = fdopen(fd, "w");
    CHECK(out != NULL);
    if (content.n > 0)
        CHECK(fwrite(content.p, 1, content.n, out) == content.n);
    CHECK(fclose(out) == 0);
}

void table_file_done(struct table_file *file)
{
    unlink(file->path);
    problems_done(&file->problems);
    strbuf_done(&file->text);
}

const char *table_file_problems(struct table_file *file)
{
    size_t n = strlen(file->path);
    strbuf_reset(&file->text);
    for (size_t i = 0; i < file->problems.count; i++) {
        const char *line = file->problems.list[i].line;
        bool inside = strncmp(line, file->path, n) == 0;
        strbuf_printf(&file->text, "%s%s\n", inside ? "F" : "", inside ? line + n : line);
    }
    return strbuf_text(&file->text);
}

struct place table_file_named(void)
{
    return (struct place){.file = "gatehouse.conf", .line = 7};
}
