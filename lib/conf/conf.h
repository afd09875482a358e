/*
 * conf.h - the configuration file: sections and typed keys (SPEC 2).
 *
 * The mechanism only. Which sections exist and which keys they have is
 * declared by rows (lib/base/key.h) beside the modules that use them; the
 * programs hand all of them in as conf_types (milter/registry.c). conf_read()
 * reports every mistake of the file at once and checks references between
 * sections; rules across keys belong to whoever builds the snapshot, who
 * reports through conf_error() so that all lines look alike.
 *
 * A struct conf is immutable after conf_read() and owns everything reached
 * from it. Reading blocks on the file and belongs to one thread; using the
 * result: any thread.
 */
#ifndef LIB_CONF_CONF_H
#define LIB_CONF_CONF_H

#include "lib/base/arena.h"
#include "lib/base/base.h"
#include "lib/base/key.h"
#include "lib/base/problem.h"

struct conf_type {
    const char *name; /* "policy" of [policy THROTTLED] */
    const char *arg;  /* what the name is, for the manual: "NAME"; NULL: one unnamed section */
    const struct key_row *rows;
    const size_t *nrows; /* a pointer, so that types can be constants of another file */
    size_t size;         /* of the struct the rows describe */
    const char *doc;     /* one paragraph for example and manual */
    /* What a section leaves out comes from that called CONF_PARENT, and sections of all
     * names in presets exist without being written. */
    bool inherits;
    const struct key_preset *presets; /* NULL: none */
};

#define CONF_PARENT "DEFAULT"

struct conf_section {
    const struct conf_type *type;
    const char *name;      /* "THROTTLED"; "" for an unnamed section */
    size_t index;          /* among the sections of its type, in file order */
    struct place at;       /* the [section] line; line 0 when not written */
    void *values;          /* the type's struct */
    struct place *origins; /* nrows; line 0: the default is in effect */
    bool *wrong;           /* nrows; see conf_is_wrong() */
    bool again;            /* its name was there already, which is told */
    bool misnamed;         /* its name is none, which is told */
};

struct conf;

#define CONF_NAME_MAX 255 /* bytes of a section's name: letters, digits, "_", ".", "-" */

/* types: borrowed for the configuration's life. NULL when anything is wrong:
 * problems then holds every error; warnings may be there in both cases. */
struct conf *conf_read(const char *path, const struct conf_type *const *types, size_t ntypes,
                       struct problems *problems);
/* What could be read of the file, wrong values as their defaults: where
 * problems has an error, only for finding what else is wrong. NULL: nothing
 * could be read. */
struct conf *conf_read_anyway(const char *path, const struct conf_type *const *types, size_t ntypes,
                              struct problems *problems);
void conf_free(struct conf *conf);

const char *conf_path(const struct conf *conf);
/* path relative to the configuration's folder made absolute, in its arena, for
 * paths inside other values (unix:PATH). Building only. NULL: out of memory. */
const char *conf_absolute(const struct conf *conf, const char *path);
struct arena *conf_arena(const struct conf *conf); /* for building only: one thread */

/* An unnamed section always exists, with defaults if the file has none. A
 * named one: NULL when not written. */
const struct conf_section *conf_find(const struct conf *conf, const char *type, const char *name);
/* All written sections of a type in file order; previous NULL starts. */
const struct conf_section *conf_next(const struct conf *conf, const char *type,
                                     const struct conf_section *previous);

bool conf_is_set(const struct conf_section *section, const char *key);
/* An error was told of the key, or of a line that may have been meant for it: what
 * is in effect is not what was wanted, and nothing that follows from it is a mistake. */
bool conf_is_wrong(const struct conf_section *section, const char *key);
/* Does some key not have the value that was written for it, since a line could not be
 * read? Then nobody can tell what has an effect and what has none. */
bool conf_is_guessed(const struct conf *conf);
/* Is there a section line that is wrong, and told, but may be meant for this name? */
bool conf_is_lost(const struct conf *conf, const char *type, const char *name);
/* Where key was written, else the section's own line. */
struct place conf_place(const struct conf_section *section, const char *key);

/* "file:line: [section name] key: text"; key NULL: the section as a whole. After an
 * error the key is wrong. */
void conf_error(struct problems *problems, const struct conf_section *section, const char *key,
                const char *fmt, ...) PRINTF_LIKE(4, 5);
void conf_warning(struct problems *problems, const struct conf_section *section, const char *key,
                  const char *fmt, ...) PRINTF_LIKE(4, 5);
/* An error in one item of a list, at the item's line. */
void conf_item_error(struct problems *problems, const struct conf_section *section, const char *key,
                     const struct key_item *item, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* --- printing (conf_print.c, conf_doc.c, conf_compare.c) ------------------ */

/* Effective values with their origin, as `config show [--defaults]`: what the
 * file sets, or every key when defaults is true, and where sections that others
 * name are used. Sections that inherit show what is written and their presets; the
 * parent's defaults are comments, since a default that is written out may mean
 * more: a status in a text must fit then. Reads again as the same configuration but
 * for secrets, which stand there as comments. */
void conf_show(const struct conf *conf, bool defaults, struct strbuf *out);

/* The example file: every section and key as a comment, "#key = default"; prose
 * begins with "# ". Without these '#' it reads, but for required keys. */
void conf_example(const struct conf_type *const *types, size_t ntypes, struct strbuf *out);
/* The sections and keys for the manual page (mdoc). */
void conf_manual(const struct conf_type *const *types, size_t ntypes, struct strbuf *out);

/* One line a key that differs, "[section] key: old -> new", and one a section
 * that came or went, for the reload log; long values are cut. sink gets
 * restart = true for KEY_AT_RESTART rows. Both were read with the same types. */
void conf_compare(const struct conf *old, const struct conf *new,
                  void (*sink)(const char *line, bool restart, void *arg), void *arg);

#endif
