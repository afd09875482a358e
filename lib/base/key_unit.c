/* key_unit.c - switches, durations and sizes as people write them. */
#include "lib/base/key.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first: printing takes the first that leaves no rest. Duration units
 * are lower case only, so that 10M cannot pass for ten minutes. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1000},
};

static const struct unit sizes[] = {
    {"G", 1073741824}, {"g", 1073741824}, {"M", 1048576}, {"m", 1048576},
    {"K", 1024},       {"k", 1024},       {"", 1},
};

/* Digits and a unit, nothing between or around; at most KEY_ANY_MAX. */
static bool parse(const struct unit *units, size_t nunits, struct slice text, int64_t *value_out)
{
    struct slice digits = {text.p, 0};
    uint64_t value;
    while (digits.n < text.n && ascii_is_digit(text.p[digits.n]))
        digits.n++;
    struct slice name = {text.p + digits.n, text.n - digits.n};
    for (size_t i = 0; i < nunits; i++) {
        if (!slice_is(name, units[i].name))
            continue;
        if (!str_to_uint(digits, (uint64_t)(KEY_ANY_MAX / units[i].factor), &value))
            return false;
        *value_out = (int64_t)value * units[i].factor;
        return true;
    }
    return false;
}

static void print(const struct unit *units, int64_t value, struct strbuf *out)
{
    size_t i = 0;
    if (value == 0) {
        strbuf_putc(out, '0');
        return;
    }
    while (value % units[i].factor != 0)
        i++; /* ends: every table has a unit of 1 */
    strbuf_printf(out, "%lld%s", (long long)(value / units[i].factor), units[i].name);
}

bool key_parse_duration(struct slice text, int64_t *ms_out)
{
    return parse(durations, ARRAY_LEN(durations), text, ms_out);
}

bool key_parse_size(struct slice text, int64_t *bytes_out)
{
    return parse(sizes, ARRAY_LEN(sizes), text, bytes_out);
}

void key_print_duration(int64_t ms, struct strbuf *out)
{
    print(durations, ms, out);
}

void key_print_size(int64_t bytes, struct strbuf *out)
{
    print(sizes, bytes, out);
}

bool key_parse_bool(struct slice text, bool *value_out)
{
    static const char *const words[] = {"no", "yes", "off", "on", "false", "true"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (slice_is_nocase(text, words[i])) {
            *value_out = i % 2 == 1;
            return true;
        }
    }
    return false;
}
