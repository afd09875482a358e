/*
 * ini.h - the ini syntax (SPEC 2): a file in, one event a line out.
 *
 * Splits lines only; what sections and keys mean is conf_read.c's business.
 * Lines of any length are whole, a byte order mark and CR LF are tolerated.
 * '#' and ';' begin a comment at the start of a line, and after leading blanks,
 * so that comments can stand between the indented lines of a list; blank
 * lines and comments give no event. A broken line is an event too, so that
 * its reader can say in which section it stands.
 *
 * The parser is inih's; see ini.c for what it must be protected from. The one
 * module that includes <ini.h>. One thread; blocks on the file.
 */
#ifndef LIB_CONF_INI_H
#define LIB_CONF_INI_H

#include "lib/base/base.h"
#include "lib/base/problem.h"
#include "lib/base/str.h"

enum ini_kind {
    INI_SECTION, /* name: what stands between the brackets */
    INI_KEY,     /* name and value */
    INI_MORE     /* value: an indented line, which continues the key before */
};

#define INI_NAME_MAX 49 /* bytes of a key, as far as inih can take one */

/* Slices are trimmed and valid during the call. */
struct ini_event {
    enum ini_kind kind;
    struct slice name, value;
    struct place at;
    const char *wrong; /* NULL: fine; else what is wrong and what is allowed */
};

/* path is borrowed and ends up in every place. A file that cannot be read to
 * its end becomes a problem. false: not even its beginning could be. */
bool ini_read(const char *path, void (*take)(const struct ini_event *event, void *arg), void *arg,
              struct problems *problems);

#endif
