/* folder.c - see folder.h. */
#include "t/unit/mta/folder.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void folder_new(struct folder *folder)
{
    *folder = (struct folder){.path = "/tmp/gatehouse.XXXXXX"};
    strbuf_init(&folder->text);
    CHECK(mkdtemp(folder->path) != NULL);
}

static void remove_all(const char *path)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char name[600];
        const char *last = list[i]->d_name;
        snprintf(name, sizeof name, "%s/%s", path, last);
        if (strcmp(last, ".") != 0 && strcmp(last, "..") != 0 && unlink(name) != 0) {
            struct dirent **inner = NULL;
            int m = scandir(name, &inner, NULL, alphasort);
            for (int j = 0; j < m; j++) {
                char deep[900];
                snprintf(deep, sizeof deep, "%s/%s", name, inner[j]->d_name);
                unlink(deep);
                free(inner[j]);
            }
            free(inner);
            rmdir(name);
        }
        free(list[i]);
    }
    free(list);
    CHECK(rmdir(path) == 0);
}

void folder_done(struct folder *folder)
{
    remove_all(folder->path);
    strbuf_done(&folder->text);
}

const char *folder_path(struct folder *folder, const char *name)
{
    int n = snprintf(folder->name, sizeof folder->name, "%s/%s", folder->path, name);
    CHECK(n > 0 && (size_t)n < sizeof folder->name);
    return folder->name;
}

void folder_write(struct folder *folder, const char *name, unsigned mode, const char *text)
{
    FILE *out = fopen(folder_path(folder, name), "w");
    CHECK(out != NULL);
    CHECK(fputs(text, out) >= 0);
    CHECK(fclose(out) == 0);
    CHECK(chmod(folder->name, mode) == 0);
}

const char *folder_read(struct folder *folder, const char *name)
{
    char buf[4096];
    strbuf_reset(&folder->text);
    FILE *in = fopen(folder_path(folder, name), "r");
    if (in == NULL)
        return NULL;
    for (size_t n; (n = fread(buf, 1, sizeof buf, in)) > 0;)
        strbuf_add(&folder->text, buf, n);
    fclose(in);
    return strbuf_text(&folder->text);
}

const char *folder_list(struct folder *folder)
{
    struct dirent **list = NULL;
    strbuf_reset(&folder->text);
    int n = scandir(folder->path, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.')
            strbuf_printf(&folder->text, "%s ", list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return strbuf_text(&folder->text);
}
