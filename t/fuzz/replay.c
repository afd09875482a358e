/*
 * replay.c - main() of a fuzz target built without libFuzzer: feeds it its corpus.
 *
 * Arguments are files, or folders of files (one level). Without arguments the
 * target's own corpus is taken, $srcdir/t/fuzz/corpus/NAME for NAME_fuzz, so
 * that `make check` needs none. Every file is run whole and cut at every
 * length up to PREFIX_MAX: what a parser gets wrong is most often the end.
 * Each run has its own allocation of exactly its size, for AddressSanitizer
 * to see one byte too many. TAP on standard output; the name of a file is
 * written before it runs, so a crash says where it happened.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PREFIX_MAX 4096
#define FILE_MAX_BYTES (1 << 20)

static unsigned files, failures;

static void run_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy) {
        abort();
    }
    memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static bool run_file(const char *path)
{
    static uint8_t bytes[FILE_MAX_BYTES];
    FILE *file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    bool whole = !ferror(file) && size < sizeof bytes;
    (void)fclose(file);
    if (!whole) {
        return false;
    }
    for (size_t n = 0; n < size && n <= PREFIX_MAX; n++) {
        run_bytes(bytes, n);
    }
    run_bytes(bytes, size);
    return true;
}

static void replay_file(const char *path)
{
    files++;
    printf("# %s\n", path);
    (void)fflush(stdout);
    bool ok = run_file(path);
    failures += !ok;
    printf("%s %u - %s%s\n", ok ? "ok" : "not ok", files, path,
           ok ? "" : " (cannot be read whole)");
    (void)fflush(stdout);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int no_dot_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay(const char *path)
{
    if (!is_folder(path)) {
        replay_file(path);
        return;
    }
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, no_dot_file, alphasort);
    for (int i = 0; i < n; i++) {
        char inner[4096];
        (void)snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        replay_file(inner);
        free(entries[i]);
    }
    free(entries);
}

/* .../mailaddr_fuzz -> $srcdir/t/fuzz/corpus/mailaddr */
static void replay_own_corpus(const char *program)
{
    const char *top = getenv("srcdir");
    const char *slash = strrchr(program, '/');
    const char *name = slash ? slash + 1 : program;
    const char *suffix = strstr(name, "_fuzz");
    size_t length = suffix ? (size_t)(suffix - name) : strlen(name);
    char folder[4096];
    (void)snprintf(folder, sizeof folder, "%s/t/fuzz/corpus/%.*s", top ? top : ".", (int)length,
                   name);
    replay(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    if (argc == 1) {
        replay_own_corpus(argv[0]);
    }
    if (files == 0) {
        printf("not ok 1 - a corpus of at least one file\n");
    }
    printf("1..%u\n", files > 0 ? files : 1);
    return files > 0 && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
