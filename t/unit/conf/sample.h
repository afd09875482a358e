/*
 * sample.h - section types, and configurations from strings, for the tests
 * of lib/conf: [plain], [named NAME] with the keys of sample.def, [must].
 */
#ifndef T_UNIT_CONF_SAMPLE_H
#define T_UNIT_CONF_SAMPLE_H

#include "lib/conf/conf.h"

struct sample_keys {
#include "lib/base/key_members.h"
#include "t/unit/conf/sample.def"
#include "lib/base/key_end.h"
};

extern const struct conf_type *const sample_types[];
extern const size_t sample_ntypes;

/* Writes text to a file of its own, reads it, removes it. The file's name is
 * "conf" in a new folder, whose path is cut from all problems. */
struct conf *sample_read(const char *text, size_t n, struct problems *problems);
struct conf *sample_read_types(const char *text, size_t n, const struct conf_type *const *types,
                               size_t ntypes, struct problems *problems);

/* Fails the test, showing the problems, unless text reads without errors. */
struct conf *sample_read_good(const char *text);

/* All problems as lines without the folder; free() it. */
char *sample_lines(const struct problems *problems);

#endif
