/* stage_domains.c - see stage_domains.h. */
#include "t/unit/gate/stage_domains.h"

#include <string.h>

#include "lib/net/host.h"
#include "t/unit/gate/stage_case.h"

static bool parse_ms(const char *text, uint32_t *ms_out)
{
    uint64_t number = 0;
    bool good = str_to_uint(slice_of(text), UINT32_MAX, &number);
    *ms_out = (uint32_t)number;
    return good;
}

bool stage_domains_host(char *words, struct arena *arena, struct host_answer *host_out,
                        uint32_t *ms_out)
{
    static const char *const classes[] = {[HOST_VERIFIED] = "verified",
                                          [HOST_NO_PTR] = "no_ptr",
                                          [HOST_PTR_TEMPFAIL] = "ptr_tempfail",
                                          [HOST_PTR_MISMATCH] = "ptr_mismatch",
                                          [HOST_UNKNOWN] = "unknown"};
    const char *word = case_word(&words), *names[HOST_NAMES_MAX] = {""};
    size_t i = 0, n = 0;
    bool partial = false;

    while (word != NULL && i < ARRAY_LEN(classes) && strcmp(word, classes[i]) != 0)
        i++;
    if (word == NULL || i == ARRAY_LEN(classes))
        return false;
    while ((word = case_word(&words)) != NULL) {
        const char *ms = case_value(word, "ms");
        if (strcmp(word, "partial") == 0)
            partial = true;
        else if (ms != NULL ? !parse_ms(ms, ms_out) : n == HOST_NAMES_MAX)
            return false;
        else if (ms == NULL)
            names[n++] = word;
    }
    if (!host_verified(names, n > 0 ? n : 1, arena, host_out))
        return false;
    host_out->class = (enum host_class)i;
    host_out->partial = partial;
    return true;
}

bool stage_domains_script(struct stage_domains *domains, char *words)
{
    static const char *const classes[] = {[SENDER_EXISTS] = "ok",
                                          [SENDER_NONEXISTENT] = "nonexistent",
                                          [SENDER_NO_MX] = "no_mx",
                                          [SENDER_UNRESOLVABLE] = "unresolvable"};
    const char *class = case_word(&words), *more = case_word(&words);
    const char *ms = more != NULL ? case_value(more, "ms") : "0";
    size_t i = 0;

    while (class != NULL && i < ARRAY_LEN(classes) && strcmp(class, classes[i]) != 0)
        i++;
    if (class == NULL || i == ARRAY_LEN(classes) || ms == NULL || !parse_ms(ms, &domains->ms))
        return false;
    domains->scripted = true;
    domains->answer = (enum sender_class)i;
    return true;
}

bool stage_domains_give(struct stage_domains *domains, const char *domain, bool accept_a,
                        enum sender_class *answer_out)
{
    bool scripted = domains->scripted;

    snprintf(domains->asked, sizeof domains->asked, "%s%s", domain, accept_a ? " accept_a" : "");
    domains->scripted = false;
    *answer_out = domains->answer;
    return scripted;
}
