/* numbers.c - see numbers.h. */
#include "milter/numbers.h"

#include <string.h>

#include "lib/base/log.h"
#include "lib/state/statefile.h"

#define FILE_NAME "numbers"
#define KIND "numbers-1"
#define BEGINS "next " /* in the file, before its number */

#define EPOCH MONO_SECONDS(1735689600) /* 2025-01-01, UTC */
#define MOST (UINT64_MAX / 4 * 3)      /* no clock leads there, and the rest lasts for ever */
#define AGAIN MONO_SECONDS(30)

/* 0: it is not known what time it is. */
static uint64_t by_clock(void)
{
    int64_t us = mono_wall_us();
    return us > EPOCH ? (uint64_t)(us - EPOCH) : 0;
}

static bool parse(const struct strbuf *text, uint64_t *number_out)
{
    size_t before = strlen(BEGINS);

    if (text->n < before + 2 || strncmp(text->p, BEGINS, before) != 0 ||
        text->p[text->n - 1] != '\n')
        return false;
    return str_to_uint((struct slice){text->p + before, text->n - before - 1}, MOST, number_out);
}

/* 0: there is none, or it is not to be trusted, which is told. */
static uint64_t by_file(const char *folder)
{
    struct strbuf text;
    struct err err = {0};
    uint64_t number = 0;
    bool good = true;

    strbuf_init(&text);
    switch (statefile_read(folder, FILE_NAME, KIND, &text, &err)) {
    case STATEFILE_READ:
        good = parse(&text, &number) ||
               err_set(&err, ERR_SYNTAX,
                       "%s/" FILE_NAME " holds a line that gatehoused did not write", folder);
        break;
    case STATEFILE_NONE:
        break;
    case STATEFILE_DAMAGED:
    case STATEFILE_FAILED:
        good = false;
        break;
    }
    strbuf_done(&text);
    if (!good)
        log_note(LOG_AT_WARNING, "state",
                 "%s; numbers of connections and messages start from the clock", err.text);
    return good ? number : 0;
}

static bool write_ahead(const struct numbers *numbers, struct err *err)
{
    char text[48];

    snprintf(text, sizeof text, BEGINS "%llu\n", (unsigned long long)numbers->ahead);
    return statefile_write(numbers->folder, FILE_NAME, KIND, slice_of(text), err);
}

static void reserve(struct numbers *numbers, uint64_t given)
{
    struct err err = {0};
    bool was_failing = numbers->failing;

    numbers->ahead = given + NUMBERS_STEP;
    numbers->failing = !write_ahead(numbers, &err);
    numbers->again = numbers->failing ? mono_now() + AGAIN : mono_now();
    if (numbers->failing && !was_failing)
        log_note(
            LOG_AT_ERROR, "state",
            "%s; after a restart numbers of connections and messages start from the clock, and "
            "may be repeated if it is set back",
            err.text);
    else if (!numbers->failing && was_failing)
        log_note(LOG_AT_INFO, "state", "numbers of connections and messages are saved again");
}

static uint64_t highest(struct numbers *numbers)
{
    uint64_t icid = atomic_load(&numbers->icid), mid = atomic_load(&numbers->mid);
    return icid > mid ? icid : mid;
}

void numbers_init(struct numbers *numbers, const char *folder)
{
    uint64_t clock = by_clock(), kept = folder != NULL ? by_file(folder) : 0;
    uint64_t begin = clock > kept ? clock : kept;

    atomic_init(&numbers->icid, begin);
    atomic_init(&numbers->mid, begin);
    numbers->folder = folder;
    numbers->failing = false;
    if (folder != NULL)
        reserve(numbers, begin);
    else
        log_note(
            LOG_AT_WARNING, "state",
            "without state_dir, numbers of connections and messages start from the clock, and  "
            "may be repeated if it is set back");
}

void numbers_tick(struct numbers *numbers)
{
    uint64_t given = highest(numbers);
    bool enough = !numbers->failing && given + NUMBERS_STEP / 2 < numbers->ahead;

    if (numbers->folder != NULL && !enough && mono_now() >= numbers->again)
        reserve(numbers, given);
}

uint64_t numbers_icid(struct numbers *numbers)
{
    return atomic_fetch_add(&numbers->icid, 1) + 1;
}

uint64_t numbers_mid(struct numbers *numbers)
{
    return atomic_fetch_add(&numbers->mid, 1) + 1;
}
