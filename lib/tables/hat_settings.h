/*
 * hat_settings.h - a policy as a HAT text file has it: what stands in its
 * braces, kept for export. Plain values in the table's arena.
 */
#ifndef LIB_TABLES_HAT_SETTINGS_H
#define LIB_TABLES_HAT_SETTINGS_H

#include "lib/base/problem.h"

struct hat_setting {
    const char *key;   /* as written, known or not */
    const char *value; /* without its quotes */
    bool quoted;
    struct place at;
    bool unknown; /* without effect */
};

struct hat_settings {
    const struct hat_setting *v;
    size_t n;
    const char *comment; /* NULL none */
};

#endif
