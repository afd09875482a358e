/*
 * key_members.h - turns the rows of a .def file into struct members.
 *
 * Included again and again, so it has no guard; key_end.h undoes it:
 *
 *     struct policy_keys {
 *     #include "lib/base/key_members.h"
 *     #include "lib/tables/policy.def"
 *     #include "lib/base/key_end.h"
 *     };
 *
 * The includer has included lib/base/key.h before the struct begins.
 */
#define KEY(type_, name_, dflt_, min_, max_, flags_, doc_) KEY_C_##type_ name_;
#define KEYWORD(name_, dflt_, words_, flags_, doc_) int name_;
#define KEYSET(name_, dflt_, words_, flags_, doc_) unsigned name_;
#define KEYREF(name_, section_, flags_, doc_) const char *name_;
