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

static bool set_dead_end(const char *word, enum callahead_dead_end *out)
{
    static const struct {
        const char *word;
        enum callahead_dead_end dead_end;
    } known[] = {{"needs_smtputf8", CALLAHEAD_NEEDS_SMTPUTF8},
                 {"takes_no_mail", CALLAHEAD_TAKES_NO_MAIL}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(word, known[i].word) == 0) {
            *out = known[i].dead_end;
            return true;
        }
    }
    return false;
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
        return set_dead_end(word, &answer->dead_end) ||
               set_text(word, "status", answer->status, sizeof answer->status) ||
               set_text(word, "text", answer->text, sizeof answer->text) ||
               set_text(word, "server", answer->server, sizeof answer->server);
    return true;
}

void stage_answer_show(struct slice client, char *out, size_t room)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < client.n && n < room; i++)
        n += (size_t)snprintf(out + n, room - n, "%02x", (unsigned char)client.p[i]);
}
