/* logentry.c - see logentry.h. */
#include "milter/logentry.h"

#include <string.h>
#include <time.h>

#include "lib/base/mono.h"

#define PROGRAM "gatehoused["
#define DAY 86400

/* --- numbers and times ------------------------------------------------------------------- */

/* Exactly n digits. */
static bool take_digits(struct slice *text, size_t n, unsigned *value_out)
{
    *value_out = 0;
    if (text->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!ascii_is_digit(text->p[i]))
            return false;
        *value_out = *value_out * 10 + (unsigned)(text->p[i] - '0');
    }
    *text = (struct slice){text->p + n, text->n - n};
    return true;
}

static bool take_char(struct slice *text, char c)
{
    if (text->n == 0 || text->p[0] != c)
        return false;
    *text = (struct slice){text->p + 1, text->n - 1};
    return true;
}

/* Days since 1970 of a day of the Gregorian calendar; month 1...12. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* ".123456" or nothing, as microseconds. */
static bool take_fraction(struct slice *text, int64_t *us_out)
{
    int64_t scale = 100000;

    *us_out = 0;
    if (!take_char(text, '.'))
        return true;
    if (text->n == 0 || !ascii_is_digit(text->p[0]))
        return false;
    while (text->n > 0 && ascii_is_digit(text->p[0])) {
        *us_out += (text->p[0] - '0') * scale;
        scale /= 10;
        *text = (struct slice){text->p + 1, text->n - 1};
    }
    return true;
}

/* "Z", "+01:00", "+0100", "-05:00": seconds east. */
static bool take_zone(struct slice *text, int64_t *seconds_out)
{
    unsigned hours, minutes;
    bool west = text->n > 0 && text->p[0] == '-';

    *seconds_out = 0;
    if (take_char(text, 'Z'))
        return true;
    if (!take_char(text, west ? '-' : '+') || !take_digits(text, 2, &hours))
        return false;
    (void)take_char(text, ':');
    if (!take_digits(text, 2, &minutes))
        return false;
    *seconds_out = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

/* RFC 3339, and a blank after it. */
static bool take_full_time(struct slice *text, int64_t *when_out)
{
    struct slice rest = *text;
    unsigned year, month, day, hour, minute, second;
    int64_t us, zone;

    if (!take_digits(&rest, 4, &year) || !take_char(&rest, '-') || !take_digits(&rest, 2, &month) ||
        !take_char(&rest, '-') || !take_digits(&rest, 2, &day) || !take_char(&rest, 'T') ||
        !take_digits(&rest, 2, &hour) || !take_char(&rest, ':') ||
        !take_digits(&rest, 2, &minute) || !take_char(&rest, ':') ||
        !take_digits(&rest, 2, &second) || !take_fraction(&rest, &us) || !take_zone(&rest, &zone) ||
        !take_char(&rest, ' '))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t seconds = days_of(year, month, day) * DAY + hour * 3600 + minute * 60 + second - zone;
    *when_out = MONO_SECONDS(seconds) + us;
    *text = rest;
    return true;
}

/* The last such minute that is not later than a day from now. */
static int64_t minute_before(int64_t now, int month, int day, int hour, int minute)
{
    time_t at = (time_t)now;
    struct tm tm;

    if (localtime_r(&at, &tm) == NULL)
        return 0;
    int year = tm.tm_year + 1;
    for (int tries = 0; tries < 6; tries++, year--) { /* 29 February is not in every year */
        struct tm wanted = {.tm_year = year,
                            .tm_mon = month,
                            .tm_mday = day,
                            .tm_hour = hour,
                            .tm_min = minute,
                            .tm_isdst = -1};
        time_t found = mktime(&wanted);
        if (wanted.tm_mon == month && (int64_t)found <= now + DAY)
            return (int64_t)found;
    }
    return 0;
}

static bool take_month(struct slice *text, int *month_out)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    for (int i = 0; text->n >= 3 && i < 12; i++) {
        if (memcmp(text->p, names + (size_t)i * 3, 3) != 0)
            continue;
        *month_out = i;
        *text = (struct slice){text->p + 3, text->n - 3};
        return true;
    }
    return false;
}

/* "Dec  1 12:00:00 ", local time. */
static bool take_short_time(struct slice *text, struct logentry_clock *clock, int64_t *when_out)
{
    struct slice rest = *text;
    unsigned day, hour, minute, second;
    int month;

    if (!take_month(&rest, &month) || !take_char(&rest, ' ') ||
        !take_digits(&rest, take_char(&rest, ' ') ? 1 : 2, &day) || !take_char(&rest, ' ') ||
        !take_digits(&rest, 2, &hour) || !take_char(&rest, ':') || !take_digits(&rest, 2, &minute))
        return false;
    size_t n = text->n - rest.n;
    if (!take_char(&rest, ':') || !take_digits(&rest, 2, &second) || !take_char(&rest, ' '))
        return false;
    if (day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    if (n != sizeof clock->text || memcmp(clock->text, text->p, n) != 0) {
        clock->minute = minute_before(clock->now, month, (int)day, (int)hour, (int)minute);
        memcpy(clock->text, text->p, sizeof clock->text);
    }
    *when_out = MONO_SECONDS(clock->minute + second);
    *text = rest;
    return true;
}

/* --- what stands before the pairs -------------------------------------------------------- */

static struct slice next_word(struct slice *text)
{
    const char *blank = text->n > 0 ? memchr(text->p, ' ', text->n) : NULL;
    struct slice word = {text->p, blank != NULL ? (size_t)(blank - text->p) : text->n};
    size_t skipped = word.n + (blank != NULL);

    *text = (struct slice){text->p + skipped, text->n - skipped};
    return word;
}

static bool is_level(struct slice word)
{
    return slice_is(word, "info") || slice_is(word, "warning") || slice_is(word, "error") ||
           slice_is(word, "debug");
}

/* "gatehoused[17]:" */
static bool is_program(struct slice word)
{
    size_t n = strlen(PROGRAM);
    uint64_t pid;

    return word.n > n + 2 && memcmp(word.p, PROGRAM, n) == 0 && word.p[word.n - 1] == ':' &&
           word.p[word.n - 2] == ']' &&
           str_to_uint((struct slice){word.p + n, word.n - n - 2}, UINT32_MAX, &pid);
}

/* Our own level, or host and program, of which the host may be missing; a line of ours may
 * follow that has time and level of its own. */
static bool take_prefix(struct slice *text, struct logentry_clock *clock, int64_t *when_out)
{
    struct slice rest = *text;

    *when_out = LOGENTRY_NO_TIME;
    if (!take_full_time(&rest, when_out) && !take_short_time(&rest, clock, when_out))
        return true;
    struct slice word = next_word(&rest);
    if (!is_level(word)) {
        int64_t own;
        if (!is_program(word) && !is_program(next_word(&rest)))
            return false;
        if (take_full_time(&rest, &own)) {
            *when_out = own;
            (void)next_word(&rest);
        }
    }
    *text = rest;
    return true;
}

/* --- pairs --------------------------------------------------------------------------------- */

static bool is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || c == '_' || ascii_is_digit(c);
}

static bool take_key(struct slice *text, struct slice *key_out)
{
    size_t n = 0;

    while (n < text->n && is_key_byte(text->p[n]))
        n++;
    if (n == 0 || n == text->n || text->p[n] != '=')
        return false;
    *key_out = (struct slice){text->p, n};
    *text = (struct slice){text->p + n + 1, text->n - n - 1};
    return true;
}

/* log.h escapes control bytes everywhere. */
static bool is_plain(char c)
{
    return !ascii_is_control(c);
}

static bool take_quoted(struct slice *text, struct slice *value_out)
{
    size_t n = 1;

    while (n < text->n && text->p[n] != '"' && is_plain(text->p[n]))
        n += text->p[n] == '\\' ? 2 : 1;
    if (n >= text->n || text->p[n] != '"')
        return false;
    *value_out = (struct slice){text->p + 1, n - 1};
    *text = (struct slice){text->p + n + 1, text->n - n - 1};
    return true;
}

static bool take_value(struct slice *text, struct slice *value_out)
{
    size_t n = 0;

    if (text->n > 0 && text->p[0] == '"')
        return take_quoted(text, value_out);
    while (n < text->n && text->p[n] != ' ' && text->p[n] != '"' && is_plain(text->p[n]))
        n++;
    *value_out = (struct slice){text->p, n};
    *text = (struct slice){text->p + n, text->n - n};
    return n > 0 && (text->n == 0 || text->p[0] == ' ');
}

static bool slices_equal(struct slice a, struct slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static bool is_there(const struct logentry *entry, struct slice key)
{
    for (size_t i = 0; i < entry->n; i++) {
        if (slices_equal(entry->pairs[i].key, key))
            return true;
    }
    return false;
}

static bool take_pairs(struct slice text, struct logentry *entry)
{
    entry->n = 0;
    do {
        struct logentry_pair *pair = &entry->pairs[entry->n];
        if (entry->n == LOGENTRY_PAIRS_MAX || !take_key(&text, &pair->key) ||
            !take_value(&text, &pair->value) || is_there(entry, pair->key))
            return false;
        entry->n++;
    } while (take_char(&text, ' '));
    return text.n == 0;
}

/* true: it is not there, or it is one. */
static bool number(const struct logentry *entry, const char *key, uint64_t *number_out)
{
    struct slice value = logentry_get(entry, key);

    *number_out = 0;
    return value.n == 0 || str_to_uint(value, UINT64_MAX, number_out);
}

bool logentry_parse(struct slice line, struct logentry_clock *clock, struct logentry *entry_out)
{
    struct slice text = line;

    if (!take_prefix(&text, clock, &entry_out->when) || text.n < 5 ||
        (memcmp(text.p, "icid=", 5) != 0 && (text.n < 6 || memcmp(text.p, "event=", 6) != 0)) ||
        !take_pairs(text, entry_out))
        return false;
    entry_out->event = logentry_get(entry_out, "event");
    return entry_out->event.n > 0 && number(entry_out, "icid", &entry_out->icid) &&
           number(entry_out, "mid", &entry_out->mid) && number(entry_out, "rid", &entry_out->rid);
}

struct slice logentry_get(const struct logentry *entry, const char *key)
{
    for (size_t i = 0; i < entry->n; i++) {
        if (slice_is(entry->pairs[i].key, key))
            return entry->pairs[i].value;
    }
    return (struct slice){NULL, 0};
}

bool logentry_is(const struct logentry *entry, const char *key, const char *value)
{
    return slice_is(logentry_get(entry, key), value);
}

/* --- escapes ------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool logentry_unescape(struct slice value, struct strbuf *out)
{
    for (size_t i = 0; i < value.n; i++) {
        const char *p = value.p + i;
        size_t left = value.n - i;
        if (*p == '\\' && left >= 4 && p[1] == 'x' && hex_value(p[2]) >= 0 &&
            hex_value(p[3]) >= 0) {
            strbuf_putc(out, (char)(hex_value(p[2]) * 16 + hex_value(p[3])));
            i += 3;
        } else if (*p == '\\' && left >= 2) {
            strbuf_putc(out, p[1]);
            i++;
        } else {
            strbuf_putc(out, *p);
        }
    }
    return !out->failed;
}
