/*
 * hat_settings.h - a policy as a HAT text file has it: what stands in its
 * braces, kept for export (SPEC 3.2). Plain values in the table's arena.
 */
#ifndef LIB_TABLES_HAT_SETTINGS_H
#define LIB_TABLES_HAT_SETTINGS_H

#include "lib/base/base.h"

struct hat_setting {
    const char *key;   /* as written, known or not */
    const char *value; /* without its quotes */
    bool quoted;
};

struct hat_settings {
    const struct hat_setting *v;
    size_t n;
    const char *comment; /* NULL none */
};

#endif
