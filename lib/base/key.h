/*
 * key.h - one row declares one configuration key; everything follows from it.
 *
 * A section's keys stand in a .def file beside the module that uses them
 * (lib/tables/policy.def, lib/net/dns.def, ...), one row each:
 *
 *     KEY(DURATION, command_deadline, "25s", 1000, 600000, KEY_AT_RELOAD,
 *         "Wall-clock budget of one milter callback ...")
 *     KEYWORD(mode, "enforce", gatehouse_modes, KEY_AT_RELOAD, "...")
 *     KEYSET(unverified, "", unverified_words, KEY_AT_RELOAD, "...")
 *     KEYREF(callahead, "callahead", KEY_AT_RELOAD, "...")
 *
 * A header expands the file into struct members of exactly the type's C type
 * (key_members.h), a source file into an array of struct key_row (key_rows.h),
 * so a slip does not compile. From the rows come the parser, range
 * errors, `config show`, the example file, the manual's key list, the reload
 * log and a test per row (DESIGN 3).
 *
 * Ranges are in the unit of the C value: milliseconds for DURATION, bytes for
 * SIZE. Values (strings, lists) live in the arena given. Any thread.
 */
#ifndef LIB_BASE_KEY_H
#define LIB_BASE_KEY_H

#include "lib/base/arena.h"
#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/problem.h"
#include "lib/base/str.h"

enum key_type {
    KEY_BOOL,     /* bool: yes/no (also on/off, true/false) */
    KEY_COUNT,    /* int64_t */
    KEY_DURATION, /* int64_t milliseconds: s m h d, bare number is seconds; ms too */
    KEY_SIZE,     /* int64_t bytes: K M G */
    KEY_STRING,   /* const char *: one line, any text; "" when absent */
    KEY_TEXT,     /* const char *: reply text, as replytext_read() makes it */
    KEY_CODE,     /* int: an SMTP code, min...max, three digits */
    KEY_PATH,     /* const char *: made absolute relative to the configuration's folder */
    KEY_LIST,     /* struct key_list: items separated by commas or blanks */
    KEY_WORD,     /* int: index into words (KEYWORD), written in any case */
    KEY_SET,      /* unsigned: bit i for words[i] (KEYSET), 32 words at most */
    KEY_REF       /* const char *: name of a section of type `refers` (KEYREF) */
};

enum key_flags {
    KEY_AT_RELOAD = 0,      /* a reload puts a change into effect */
    KEY_AT_RESTART = 1,     /* needs a restart; a reload keeps the old value and logs it */
    KEY_UNLIMITED = 2,      /* numbers: "unlimited" and -1 allowed, stored as KEY_NO_LIMIT */
    KEY_ZERO_UNLIMITED = 4, /* numbers: 0 means KEY_NO_LIMIT as well */
    KEY_SECRET = 8,         /* never printed: config show says (set) */
    KEY_REQUIRED = 16       /* the section is wrong without it */
};

#define KEY_NO_LIMIT INT64_MAX
#define KEY_ANY_MAX (INT64_MAX - 1)

struct key_item {
    const char *text;
    struct place at;
};

struct key_list {
    const struct key_item *v;
    size_t n;
};

struct key_row {
    const char *name;
    enum key_type type;
    size_t offset;            /* of the member in the section's struct */
    const char *dflt;         /* as an administrator would write it; "" = none */
    int64_t min, max;         /* COUNT, DURATION, SIZE, CODE */
    const char *const *words; /* WORD, SET: NULL-terminated */
    const char *refers;       /* REF: section type */
    unsigned flags;
    const char *doc; /* sentences for example file and manual */
};

/* A value that a key has in sections of some name when it is not written there. An array ends with
 * a section of NULL; those of one section stand together. */
struct key_preset {
    const char *section, *key, *value; /* as an administrator would write them */
};

/* The preset of a key in a section, NULL when there is none. presets may be NULL. */
const char *key_preset(const struct key_preset *presets, const char *section, const char *key);

/* C type of a member by row type. */
#define KEY_C_BOOL bool
#define KEY_C_COUNT int64_t
#define KEY_C_DURATION int64_t
#define KEY_C_SIZE int64_t
#define KEY_C_STRING const char *
#define KEY_C_TEXT const char *
#define KEY_C_CODE int
#define KEY_C_PATH const char *
#define KEY_C_LIST struct key_list

/* What an administrator wrote for one key: the raw value with its place, and
 * for lists its continuation lines joined by '\n'. */
struct key_source {
    struct slice value;
    struct place at;    /* line of the key; list items count lines from here */
    const char *folder; /* PATH: relative to this */
};

/* Parse source and store it at section + row->offset. On failure err says
 * what is wrong and what is allowed ("90s is outside 1s..60s"); the member is
 * untouched. */
NODISCARD bool key_set(const struct key_row *row, void *section, const struct key_source *source,
                       struct arena *arena, struct err *err);

/* Store the row's default (which must parse: a CHECK). folder as above.
 * false: out of memory, the member is empty. */
bool key_set_default(const struct key_row *row, void *section, const char *folder,
                     struct arena *arena);

/* Print the value as it could be written; secrets print "(set)" or "". */
void key_print(const struct key_row *row, const void *section, struct strbuf *out);

/* Copy one member / compare one member of two sections. Strings are borrowed. */
void key_copy(const struct key_row *row, void *to, const void *from);
bool key_same(const struct key_row *row, const void *a, const void *b);

/* "1s..60s", "a, b or c", "a [callahead] section": what is allowed, for
 * errors, example and manual. */
void key_allowed(const struct key_row *row, struct strbuf *out);

/* Index of the row called name (case-sensitive), or SIZE_MAX. */
size_t key_find(const struct key_row *rows, size_t nrows, struct slice name);

/* Where the member at this offset was written. origins: as many as rows, line 0: not
 * written; NULL: none is. Not written: no file, but the word KEY_DEFAULT in its place. */
#define KEY_DEFAULT "default"
struct place key_place(const struct key_row *rows, size_t nrows, const struct place *origins,
                       size_t offset);
/* The nearest known name for a misspelled one, or NULL when none is near. */
const char *key_nearest(const struct key_row *rows, size_t nrows, struct slice name);

/* Value parsers shared with HAT text files and the command line. */
NODISCARD bool key_parse_bool(struct slice text, bool *value_out);
NODISCARD bool key_parse_duration(struct slice text, int64_t *ms_out);
NODISCARD bool key_parse_size(struct slice text, int64_t *bytes_out);
/* Their reverse, in the largest unit that leaves no rest; not negative. */
void key_print_duration(int64_t ms, struct strbuf *out);
void key_print_size(int64_t bytes, struct strbuf *out);

#endif
