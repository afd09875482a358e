/* stage_answer.c - see stage_answer.h. */
#include "t/unit/gate/stage_answer.h"

#include <string.h>

#include "t/unit/gate/stage_case.h"

static bool set_text(const char *word, const char *key, char *out, size_t room)
{
    const char *value = case_value(word, key);
    if (value != NULL)
        snprintf(out, room, "%s", value);
    return value != NULL;
}

static bool set_number(const char *word, const char *key, uint64_t max, uint64_t *out)
{
    const char *value = case_value(word, key);
    return value != NULL && str_to_uint(slice_of(value), max, out);
}

bool stage_answer_set(struct callahead_answer *answer, const char *word)
{
    uint64_t number = 0;

    if (strcmp(word, "cached") == 0)
        answer->cached = true;
    else if (set_number(word, "code", 599, &number))
        answer->code = (int)number;
    else if (set_number(word, "ms", UINT32_MAX, &number))
        answer->ms = (uint32_t)number;
    else
        return set_text(word, "status", answer->status, sizeof answer->status) ||
               set_text(word, "text", answer->text, sizeof answer->text) ||
               set_text(word, "server", answer->server, sizeof answer->server);
    return true;
}
