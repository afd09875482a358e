/* stage_case.c - see stage_case.h. */
#include "t/unit/gate/stage_case.h"

#include <string.h>

static void wrong(const struct case_file *file, unsigned line, const char *what)
{
    printf("Bail out! %s:%u: %s\n", file->name, line, what);
    exit(99);
}

/* --- files ------------------------------------------------------------------------ */

static char *read_whole(const struct case_file *file, const char *path)
{
    struct strbuf bytes;
    char chunk[4096];
    size_t n;
    FILE *in = fopen(path, "r");
    strbuf_init(&bytes);
    if (in == NULL)
        wrong(file, 0, "cannot be read");
    while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
        strbuf_add(&bytes, chunk, n);
    fclose(in);
    if (bytes.p == NULL)
        wrong(file, 0, "is empty");
    return bytes.p;
}

static void begin_block(struct case_file *file, unsigned line, char *head)
{
    static const char *const kinds[] = {
        [BLOCK_CONFIG] = "config", [BLOCK_FILE] = "file", [BLOCK_CASE] = "case"};
    char *name = strchr(head, ' ');
    if (name != NULL)
        *name++ = '\0';
    if (file->n == CASE_BLOCKS_MAX)
        wrong(file, line, "too many blocks");
    struct case_block *block = &file->blocks[file->n++];
    *block = (struct case_block){.name = name != NULL ? name : "", .line = line + 1};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(head, kinds[i]) == 0) {
            block->kind = (enum case_block_kind)i;
            return;
        }
    }
    wrong(file, line, "no such block");
}

/* Ends the block before at the line that begins the next one. */
void case_file_read(struct case_file *file, const char *path)
{
    const char *name = strrchr(path, '/');
    *file = (struct case_file){.n = 0};
    snprintf(file->name, sizeof file->name, "%s", name != NULL ? name + 1 : path);
    file->bytes = read_whole(file, path);
    char *at = file->bytes;
    for (unsigned line = 1; *at != '\0'; line++) {
        char *end = strchr(at, '\n');
        if (end == NULL)
            wrong(file, line, "does not end in a newline");
        if (strncmp(at, "=== ", 4) == 0) {
            *at = *end = '\0';
            begin_block(file, line, at + 4);
            file->blocks[file->n - 1].text = end + 1;
        } else if (file->n == 0 && *at != '#' && at != end) {
            wrong(file, line, "stands before the first block");
        }
        at = end + 1;
    }
}

void case_file_done(struct case_file *file)
{
    free(file->bytes);
}

/* --- words ------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, ascii_lower(c)) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* The byte that text begins with; *used bytes of text spell it. */
static char one_byte(const char *text, size_t *used)
{
    *used = 1;
    if (text[0] != '\\')
        return text[0];
    if (text[1] == 'x' && hex_digit(text[2]) >= 0 && hex_digit(text[3]) >= 0) {
        *used = 4;
        return (char)(hex_digit(text[2]) * 16 + hex_digit(text[3]));
    }
    if (text[1] == '\\' || text[1] == '"') {
        *used = 2;
        return text[1];
    }
    return text[0];
}

struct slice case_bytes(char *text)
{
    size_t n = 0, used;
    for (const char *at = text; *at != '\0'; at += used)
        text[n++] = one_byte(at, &used);
    text[n] = '\0';
    return (struct slice){text, n};
}

char *case_word(char **rest)
{
    char *at = *rest;
    while (*at == ' ')
        at++;
    if (*at == '\0')
        return NULL;
    char *word = at, *to = at;
    bool quoted = false;
    size_t used;
    while (*at != '\0' && (quoted || *at != ' ')) {
        if (*at == '"') {
            quoted = !quoted;
            at++;
            continue;
        }
        *to++ = one_byte(at, &used);
        at += used;
    }
    *rest = *at == '\0' ? at : at + 1;
    *to = '\0';
    return word;
}

const char *case_value(const char *word, const char *key)
{
    size_t n = strlen(key);
    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}
