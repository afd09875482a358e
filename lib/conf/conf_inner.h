/*
 * conf_inner.h - what a struct conf is made of; for lib/conf/ only.
 *
 * Sections are filled while conf_read() runs and constant afterwards; rules
 * for threads and ownership as in conf.h.
 */
#ifndef LIB_CONF_CONF_INNER_H
#define LIB_CONF_CONF_INNER_H

#include "lib/base/strmap.h"
#include "lib/conf/conf.h"

/* All sections of one type, in file order. */
struct conf_shelf {
    const struct conf_type *type; /* borrowed */
    struct conf_section **v;      /* owned array; the sections live in the arena */
    size_t n, room;
    struct strmap *names; /* owned: name -> index in v; the first of equal names */
    struct strmap *lost;  /* owned: names of sections whose type is misspelled */
};

struct conf {
    struct arena *arena;        /* owned */
    const char *path, *folder;  /* arena; folder is absolute */
    struct conf_shelf *shelves; /* owned, one a type, in the registry's order */
    size_t nshelves;
    bool guessed; /* conf_is_guessed() */
};

struct conf_shelf *conf_shelf(const struct conf *conf, struct slice type); /* NULL: no such type */

/* A new section with all defaults at the end of its shelf; where the name was
 * there already, conf_find() goes on finding the first one. NULL: no memory. */
struct conf_section *conf_add(struct conf *conf, struct conf_shelf *shelf, struct slice name,
                              struct place at);

/* "[policy THROTTLED]"; name "" for an unnamed section. Every name that may be one
 * is whole. */
void conf_put_title(const char *type, struct slice name, struct strbuf *out);

/* As conf_error() and conf_warning(), for a key line, known or not, of a
 * section that need not exist. */
void conf_report(struct problems *problems, enum problem_severity severity, struct place at,
                 const char *title, struct slice key, const char *fmt, va_list ap)
    PRINTF_LIKE(6, 0);

#endif
