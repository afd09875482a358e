/*
 * key_end.h - ends what key_members.h or key_rows.h began. No guard.
 */
#undef KEY
#undef KEYWORD
#undef KEYSET
#undef KEYREF
