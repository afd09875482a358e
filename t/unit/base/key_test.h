/*
 * key_test.h - a section with one key of every type.
 *
 * Shared by key_test.c and key_fuzz.c, and the example of how a .def file
 * becomes a struct and rows. Each includer has its own rows.
 */
#ifndef T_UNIT_BASE_KEY_TEST_H
#define T_UNIT_BASE_KEY_TEST_H

#include "lib/base/key.h"

struct key_test {
#include "lib/base/key_members.h"
#include "t/unit/base/key_test.def"
#include "lib/base/key_end.h"
};

static const char *const key_test_modes[] = {"strict", "loose", NULL};
static const char *const key_test_classes[] = {"no_ptr", "ptr_tempfail", "ptr_mismatch", NULL};

#define KEY_STRUCT struct key_test
static const struct key_row key_test_rows[] = {
#include "lib/base/key_rows.h"
#include "t/unit/base/key_test.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

#endif
