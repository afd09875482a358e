#include "lib/mta/keytable.h"

#include <string.h>

#include "lib/mta/idnkey.h"

void keytable_init(struct keytable *table)
{
    *table = (struct keytable){0};
    strbuf_init(&table->text);
}

void keytable_done(struct keytable *table)
{
    strbuf_done(&table->text);
    free(table->line);
    *table = (struct keytable){0};
}

static bool make_room(struct keytable *table)
{
    if (table->n < table->room)
        return true;
    size_t room = table->room == 0 ? 256 : table->room * 2;
    size_t *line = realloc(table->line, room * sizeof *line);
    if (line == NULL)
        return false;
    table->line = line;
    table->room = room;
    return true;
}

void keytable_add(struct keytable *table, const char *key, const char *value)
{
    if (!make_room(table)) {
        table->failed = true;
        return;
    }
    table->line[table->n++] = table->text.n;
    strbuf_puts(&table->text, key);
    strbuf_putc(&table->text, '\t');
    strbuf_puts(&table->text, value);
    strbuf_putc(&table->text, '\0');
}

void keytable_add_domain(struct keytable *table, const char *domain, const char *value)
{
    char unicode[IDNKEY_MAX];
    keytable_add(table, domain, value);
    if (idnkey_form(domain, unicode) == IDNKEY_OK)
        keytable_add(table, unicode, value);
}

/* A tab sorts before every byte of a key, so lines sort as their keys do. */
static int by_key(const char *a, const char *b)
{
    while (*a == *b && *a != '\t') {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

/* Equal keys stay in the order they were added. */
static int by_line(const void *a, const void *b, void *text)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int order = by_key((const char *)text + x, (const char *)text + y);
    return order != 0 ? order : (x > y) - (x < y);
}

bool keytable_write(struct keytable *table, struct strbuf *out)
{
    if (table->failed || table->text.failed)
        return false;
    if (table->n > 0)
        qsort_r(table->line, table->n, sizeof *table->line, by_line, table->text.p);
    const char *before = NULL;
    for (size_t i = 0; i < table->n; i++) {
        const char *line = table->text.p + table->line[i];
        if (before == NULL || by_key(before, line) != 0) {
            strbuf_puts(out, line);
            strbuf_putc(out, '\n');
        }
        before = line;
    }
    return !out->failed;
}
