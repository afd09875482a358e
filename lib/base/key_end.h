/*
 * key_end.h - ends what key_members.h or key_rows.h began.
 *
 * Included after every .def file, so it has no guard.
 */
#undef KEY
#undef KEYWORD
#undef KEYSET
#undef KEYREF
