/* gatehousectl hat find: where in all sender groups something stands. */
#include "milter/command.h"

#include <string.h>

#include "milter/findings.h"
#include "milter/lookup.h"

struct finding {
    const char *text; /* in lower case */
    bool is_ip;
    struct ip ip;
    const struct listener *listener;
    struct findings rows;
};

static bool holds_text(const char *where, const char *text)
{
    size_t n = strlen(text);

    for (; where != NULL && *where != '\0'; where++) {
        size_t i = 0;
        while (i < n && ascii_lower(where[i]) == text[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

static void find_groups(struct finding *finding)
{
    const struct hat *hat = finding->listener->hat;
    size_t n = hat_groups(hat);

    for (size_t i = 0; i < n; i++) {
        struct hat_match group;
        const char *all = i + 1 == n ? "ALL" : NULL;
        hat_group_get(hat, i, &group);
        if (holds_text(group.group, finding->text) || holds_text(all, finding->text) ||
            holds_text(group.policy->name, finding->text) ||
            holds_text(hat_group_comment(hat, i), finding->text))
            findings_put(&finding->rows, finding->listener, i, all);
    }
}

static void find_entries(struct finding *finding)
{
    const struct hat *hat = finding->listener->hat;

    for (size_t i = 0; i < hat_entries(hat); i++) {
        struct hat_entry entry;
        hat_entry_get(hat, i, &entry);
        if (holds_text(entry.text, finding->text) ||
            (finding->is_ip && hat_entry_holds(hat, i, &finding->ip)))
            findings_put(&finding->rows, finding->listener, entry.group, entry.text);
    }
}

static int answer_find(const struct lookup_question *question, struct form *form, struct err *err)
{
    const char *word = question->words[0];
    char *text = arena_dup(question->arena, word);
    struct finding finding = {.text = text};

    if (text == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return COMMAND_USAGE;
    }
    ascii_lower_in_place(text);
    finding.is_ip = ip_parse(slice_of(text), &finding.ip);
    form_text(form, "text", word);
    findings_begin(&finding.rows, form, "found");
    for (size_t i = 0; i < question->snapshot->listeners.n; i++) {
        finding.listener = question->snapshot->listeners.v[i];
        find_groups(&finding);
        find_entries(&finding);
    }
    findings_end(&finding.rows);
    if (finding.rows.n == 0)
        form_note(form, "no entry, group, policy or comment of any listener has \"%s\"", word);
    return finding.rows.n > 0 ? COMMAND_YES : COMMAND_NO;
}

int command_hat_find(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct lookup lookup = {.least = 1, .most = 1, .answer = answer_find};
    return lookup_run(&lookup, command, conf, argc, argv);
}
