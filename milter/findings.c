#include "milter/findings.h"

#include "lib/tables/hat.h"

void findings_begin(struct findings *findings, struct form *form, const char *key)
{
    *findings = (struct findings){.form = form, .key = key};
    strbuf_init(&findings->list);
}

static void put_line(struct findings *findings, const char *listener, const struct hat_match *group,
                     const char *entry, const char *comment)
{
    const char *policy = group->policy->name;
    struct strbuf line;

    strbuf_init(&line);
    strbuf_printf(&line, "%s: ", listener);
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
    form_text(findings->form, findings->key, strbuf_text(&line));
    findings->form->out->failed = findings->form->out->failed || line.failed;
    strbuf_done(&line);
}

static void put_object(struct findings *findings, const char *listener,
                       const struct hat_match *group, const char *entry, const char *comment)
{
    const char *policy = group->policy->name;
    struct form form;

    if (findings->n > 0)
        strbuf_putc(&findings->list, ',');
    form_begin(&form, true, &findings->list);
    form_text(&form, "listener", listener);
    form_text(&form, "group", group->group);
    form_text(&form, "entry", entry);
    form_text(&form, "policy", policy[0] != '\0' ? policy : NULL);
    form_text(&form, "access", policy_access_name((enum policy_access)group->policy->keys.access));
    form_text(&form, "comment", comment);
    form_close(&form);
}

void findings_put(struct findings *findings, const struct listener *listener, size_t group,
                  const char *entry)
{
    struct hat_match row;
    const char *comment = hat_group_comment(listener->hat, group);

    hat_group_get(listener->hat, group, &row);
    if (findings->form->json)
        put_object(findings, listener->name, &row, entry, comment);
    else
        put_line(findings, listener->name, &row, entry, comment);
    findings->n++;
}

void findings_end(struct findings *findings)
{
    form_list(findings->form, findings->key, strbuf_text(&findings->list));
    findings->form->out->failed = findings->form->out->failed || findings->list.failed;
    strbuf_done(&findings->list);
}
