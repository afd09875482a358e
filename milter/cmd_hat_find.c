/* gatehousectl hat find: where in all sender groups something stands. */
#include "milter/command.h"

#include <string.h>

#include "milter/lookup.h"

struct finding {
    const char *text; /* in lower case */
    bool is_ip;
    struct ip ip;
    const struct listener *listener;
    struct form *form;
    struct strbuf list; /* JSON objects */
    size_t n;
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

/* "in: SUSPECTLIST: 192.0.2.0/24: $THROTTLED (comment)" */
static void print_finding(struct finding *finding, const struct hat_match *group, const char *entry,
                          const char *comment)
{
    const char *policy = group->policy->name;
    struct strbuf line;

    strbuf_init(&line);
    strbuf_printf(&line, "%s: ", finding->listener->name);
    if (group->group != NULL)
        strbuf_printf(&line, "%s: ", group->group);
    if (entry != NULL)
        strbuf_printf(&line, "%s: ", entry);
    if (policy[0] != '\0')
        strbuf_printf(&line, "$%s", policy);
    else
        strbuf_puts(&line, policy_access_name((enum policy_access)group->policy->keys.access));
    if (comment != NULL)
        strbuf_printf(&line, " (%s)", comment);
    form_text(finding->form, "found", strbuf_text(&line));
    finding->form->out->failed = finding->form->out->failed || line.failed;
    strbuf_done(&line);
}

static void put_finding(struct finding *finding, size_t index, const char *entry)
{
    struct hat_match group;
    struct form form;
    const struct hat *hat = finding->listener->hat;
    const char *comment = hat_group_comment(hat, index);

    hat_group_get(hat, index, &group);
    if (finding->n++ > 0)
        strbuf_putc(&finding->list, ',');
    if (!finding->form->json) {
        print_finding(finding, &group, entry, comment);
        return;
    }
    const char *policy = group.policy->name;
    form_begin(&form, true, &finding->list);
    form_text(&form, "listener", finding->listener->name);
    form_text(&form, "group", group.group);
    form_text(&form, "entry", entry);
    form_text(&form, "policy", policy[0] != '\0' ? policy : NULL);
    form_text(&form, "access", policy_access_name((enum policy_access)group.policy->keys.access));
    form_text(&form, "comment", comment);
    form_close(&form);
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
            put_finding(finding, i, all);
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
            put_finding(finding, entry.group, entry.text);
    }
}

static int answer_find(const struct lookup_question *question, struct form *form, struct err *err)
{
    const char *word = question->words[0];
    char *text = arena_dup(question->arena, word);
    struct finding finding = {.text = text, .form = form};

    if (text == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return COMMAND_USAGE;
    }
    ascii_lower_in_place(text);
    finding.is_ip = ip_parse(slice_of(text), &finding.ip);
    strbuf_init(&finding.list);
    form_text(form, "text", word);
    for (size_t i = 0; i < question->snapshot->listeners.n; i++) {
        finding.listener = question->snapshot->listeners.v[i];
        find_groups(&finding);
        find_entries(&finding);
    }
    form_list(form, "found", strbuf_text(&finding.list));
    form->out->failed = form->out->failed || finding.list.failed;
    strbuf_done(&finding.list);
    return finding.n > 0 ? COMMAND_YES : COMMAND_NO;
}

int command_hat_find(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct lookup lookup = {.least = 1, .most = 1, .answer = answer_find};
    return lookup_run(&lookup, command, conf, argc, argv);
}
