#include "lib/mta/idnkey.h"

#include <string.h>

#include "lib/base/domain.h"

/* Letters that a domain name may hold although folding changes them, as UTF-8
 * (RFC 5892 2.6 and letters that fold to several). */
static const struct {
    const char *from, *to; /* all letters between, of the same length */
} folding[] = {
    {"\xc3\x9f", "\xc3\x9f"},         /* U+00DF sharp s */
    {"\xc7\xb0", "\xc7\xb0"},         /* U+01F0 j with caron */
    {"\xce\x90", "\xce\x90"},         /* U+0390 iota with dialytika and tonos */
    {"\xce\xb0", "\xce\xb0"},         /* U+03B0 upsilon with dialytika and tonos */
    {"\xcf\x82", "\xcf\x82"},         /* U+03C2 final sigma */
    {"\xd6\x87", "\xd6\x87"},         /* U+0587 Armenian ech yiwn */
    {"\xe1\xba\x96", "\xe1\xba\x9a"}, /* U+1E96 ... U+1E9A */
    {"\xe1\xbd\x90", "\xe1\xbf\xbf"}, /* U+1F50 ... U+1FFF polytonic Greek */
};

static bool folds(const char *text)
{
    for (; *text != '\0'; text++) {
        for (size_t i = 0; i < ARRAY_LEN(folding); i++) {
            size_t n = strlen(folding[i].from);
            if (strncmp(text, folding[i].from, n) >= 0 && strncmp(text, folding[i].to, n) <= 0)
                return true;
        }
    }
    return false;
}

enum idnkey idnkey_form(const char *key, char out[IDNKEY_MAX])
{
    size_t dot = key[0] == '.' ? 1 : 0;
    if (strstr(key, "xn--") == NULL)
        return IDNKEY_NONE;
    out[0] = '.';
    if (!domain_to_unicode(key + dot, out + dot, IDNKEY_MAX - dot) || strcmp(out, key) == 0)
        return IDNKEY_NONE;
    return folds(out) ? IDNKEY_UNSAFE : IDNKEY_OK;
}
