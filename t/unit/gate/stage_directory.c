/* stage_directory.c - see stage_directory.h. */
#include "t/unit/gate/stage_directory.h"

#include <string.h>

#include "lib/net/ldap.h"
#include "t/unit/gate/stage_case.h"

static bool set_part(struct directory_answer *answer, const char *word)
{
    const char *value;
    uint64_t ms = 0;

    if (strcmp(word, "cached") == 0)
        answer->cached = true;
    else if ((value = case_value(word, "server")) != NULL)
        snprintf(answer->server, sizeof answer->server, "%s", value);
    else if ((value = case_value(word, "text")) != NULL)
        snprintf(answer->text, sizeof answer->text, "%s", value);
    else if ((value = case_value(word, "ms")) != NULL &&
             str_to_uint(slice_of(value), UINT32_MAX, &ms))
        answer->ms = (uint32_t)ms;
    else
        return false;
    return true;
}

bool stage_directory_script(struct stage_directory *directory, char *rest)
{
    const char *word = case_word(&rest);

    directory->answer = (struct directory_answer){.ms = 0};
    if (directory->scripted || word == NULL || !ldap_class_by_name(word, &directory->answer.class))
        return false;
    while ((word = case_word(&rest)) != NULL) {
        if (!set_part(&directory->answer, word))
            return false;
    }
    directory->scripted = true;
    return true;
}

bool stage_directory_give(struct stage_directory *directory, const struct mailaddr *recipient,
                          const struct mailaddr *sender, struct directory_answer *answer_out)
{
    bool scripted = directory->scripted;

    snprintf(directory->asked, sizeof directory->asked, "%s from=%s", recipient->text,
             sender->text);
    *answer_out = directory->answer;
    directory->scripted = false;
    return scripted;
}
