/*
 * key_rows.h - turns the rows of a .def file into initialisers of key_row.
 *
 * Included again and again, so it has no guard; key_end.h undoes it.
 * KEY_STRUCT names the struct that key_members.h made of the same file:
 *
 *     #define KEY_STRUCT struct policy_keys
 *     const struct key_row policy_rows[] = {
 *     #include "lib/base/key_rows.h"
 *     #include "lib/tables/policy.def"
 *     #include "lib/base/key_end.h"
 *     };
 *     #undef KEY_STRUCT
 *
 * Word lists are NULL-terminated arrays visible where the rows stand.
 */
#define KEY(type_, name_, dflt_, min_, max_, flags_, doc_)                                         \
    {.name = #name_,                                                                               \
     .type = KEY_##type_,                                                                          \
     .offset = offsetof(KEY_STRUCT, name_),                                                        \
     .dflt = (dflt_),                                                                              \
     .min = (min_),                                                                                \
     .max = (max_),                                                                                \
     .flags = (flags_),                                                                            \
     .doc = (doc_)},
#define KEYWORD(name_, dflt_, words_, flags_, doc_)                                                \
    {.name = #name_,                                                                               \
     .type = KEY_WORD,                                                                             \
     .offset = offsetof(KEY_STRUCT, name_),                                                        \
     .dflt = (dflt_),                                                                              \
     .words = (words_),                                                                            \
     .flags = (flags_),                                                                            \
     .doc = (doc_)},
#define KEYSET(name_, dflt_, words_, flags_, doc_)                                                 \
    {.name = #name_,                                                                               \
     .type = KEY_SET,                                                                              \
     .offset = offsetof(KEY_STRUCT, name_),                                                        \
     .dflt = (dflt_),                                                                              \
     .words = (words_),                                                                            \
     .flags = (flags_),                                                                            \
     .doc = (doc_)},
#define KEYREF(name_, section_, flags_, doc_)                                                      \
    {.name = #name_,                                                                               \
     .type = KEY_REF,                                                                              \
     .offset = offsetof(KEY_STRUCT, name_),                                                        \
     .dflt = "",                                                                                   \
     .refers = (section_),                                                                         \
     .flags = (flags_),                                                                            \
     .doc = (doc_)},
