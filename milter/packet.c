/* packet.c - see packet.h. */
#include "milter/packet.h"

bool packet_has_pairs(const char *data, size_t n)
{
    size_t strings = 0;

    if (n == 0 || (n > 1 && data[n - 1] != '\0'))
        return false;
    for (size_t i = 1; i < n; i++)
        strings += data[i] == '\0';
    return strings % 2 == 0;
}
