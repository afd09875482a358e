/*
 * compile.h - make a compiled map with the MTA's own compiler, and prove it.
 *
 * What is in a compiled map is known only by asking: postmap may skip a line
 * with nothing but a warning. So each map is read back with `postmap -s` or
 * `makemap -u`, and compared with the lines of its text. makemap makes keys
 * lower case, so those must be. One thread; blocks on the tool.
 */
#ifndef LIB_MTA_COMPILE_H
#define LIB_MTA_COMPILE_H

#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/base/str.h"

enum compile_tool { COMPILE_POSTMAP, COMPILE_MAKEMAP };

struct compile {
    enum compile_tool tool;
    const char *compiler;    /* its absolute path */
    const char *type;        /* passed compile_type_ok() */
    const char *mail_config; /* NULL: not set */
    const char *folder;      /* path */
    int64_t seconds;         /* for one run */
    mono_us until;           /* no run lasts longer; 0: no such end */
};

bool compile_type_ok(enum compile_tool tool, const char *type);
/* "lmdb", "db", "cdb": what the compiler appends to a file's name after a dot. */
const char *compile_suffix(const char *type);
/* Is a map of this type changed in one transaction, where it is? */
bool compile_in_place(const char *type);

/* Is there such a tool that can be run? */
NODISCARD bool compile_check(const struct compile *compile, struct err *err);

/* Compile folder/name. */
NODISCARD bool compile_map(const struct compile *compile, const char *name, struct err *err);

/* Append what the compiled map of folder/name holds to listed, "key<TAB>value" lines in
 * whatever order; more than most bytes is ERR_RANGE. Such a list can be compiled again. */
NODISCARD bool compile_list(const struct compile *compile, const char *name, size_t most,
                            struct strbuf *listed, struct err *err);

/* Does the compiled map of folder/name hold exactly the lines of content
 * ("key<TAB>value", in strcmp() order; lines that begin with '#' left out)? false
 * with err->kind ERR_NONE: no; else the tool failed. */
NODISCARD bool compile_holds(const struct compile *compile, const char *name,
                             const struct strbuf *content, struct err *err);

/* Is what the tool listed, in whatever order, just those lines of content? false as above. */
NODISCARD bool compile_same(struct slice content, struct slice listed, struct err *err);

#endif
