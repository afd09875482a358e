/*
 * smtp_charset.h - the characters of a reply's text, whatever it is written in.
 *
 * SMTP does not say in which character set a reply is, and hosts use the one
 * of their country. Understood are UTF-8, Latin-1 (Windows-1252, too), the
 * Polish letters of Latin-2 and Windows-1250, KOI8-R, Windows-1251,
 * ISO-2022-JP, Shift_JIS, EUC-JP, GB2312 (GBK) and Big5. Of the ideographs of
 * the last five only those are known that phrases are written with
 * (smtp_phrases.h); all others are SMTP_STRANGE. Any bytes are taken. Pure, no
 * allocation, no locale; any thread.
 */
#ifndef LIB_NET_SMTP_CHARSET_H
#define LIB_NET_SMTP_CHARSET_H

#include "lib/base/base.h"
#include "lib/base/str.h"

enum smtp_charset {
    SMTP_UTF_8,
    SMTP_LATIN_1,
    SMTP_LATIN_2,
    SMTP_KOI8_R,
    SMTP_WINDOWS_1251,
    SMTP_SHIFT_JIS,
    SMTP_EUC_JP,
    SMTP_GBK,
    SMTP_BIG5,
    SMTP_ISO_2022_JP
};
#define SMTP_CHARSETS 10

#define SMTP_STRANGE 0xfffd /* a character nothing is known of */

/* What the text may be written in: a set of 1U << charset, never empty. One
 * where the bytes say which, all likely ones of 8 bits where they do not. Only
 * the first SMTP_TEXT_KEPT bytes are looked at. */
unsigned smtp_charsets_of(struct slice text);

/* Code points of the basic plane, at most one a byte: out has room for text.n. */
size_t smtp_decode(enum smtp_charset charset, struct slice text, uint16_t *out);

/* Folds a character: 0 none of it stays, ' ' it separates words. Two letters
 * may become of one: the second in *second_out, else 0. */
uint16_t smtp_fold(uint16_t c, uint16_t *second_out);
bool smtp_is_ideograph(uint16_t c); /* or kana: no blanks between words */

#endif
