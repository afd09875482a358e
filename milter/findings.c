#include "milter/findings.h"

#include "lib/tables/hat.h"

void findings_begin(struct findings *findings, struct form *form, const char *key)
{
    static const char *const headers[] = {"LISTENER", "GROUP",  "ENTRY",
                                          "POLICY",   "ACCESS", "COMMENT"};

    *findings = (struct findings){.form = form, .key = key};
    strbuf_init(&findings->list);
    sheet_begin(&findings->sheet, headers, ARRAY_LEN(headers));
}

static void put_cell(struct sheet *sheet, const char *text)
{
    sheet_put(sheet, slice_of(text != NULL ? text : "-"), SHEET_PLAIN);
}

static void put_row(struct findings *findings, const char *listener, const struct hat_match *group,
                    const char *entry, const char *comment)
{
    const char *policy = group->policy->name;
    const char *access = policy_access_name((enum policy_access)group->policy->keys.access);
    struct sheet *sheet = &findings->sheet;

    put_cell(sheet, listener);
    put_cell(sheet, group->group);
    put_cell(sheet, entry);
    put_cell(sheet, policy[0] != '\0' ? policy : NULL);
    sheet_put(sheet, slice_of(access), sheet_tone("access", slice_of(access)));
    put_cell(sheet, comment);
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
        put_row(findings, listener->name, &row, entry, comment);
    findings->n++;
}

void findings_end(struct findings *findings)
{
    struct strbuf unused;

    strbuf_init(&unused);
    form_list(findings->form, findings->key, strbuf_text(&findings->list));
    if (findings->n > 0 && !findings->form->json)
        form_table(findings->form, &findings->sheet);
    sheet_end(&findings->sheet, &unused);
    strbuf_done(&unused);
    findings->form->out->failed = findings->form->out->failed || findings->list.failed;
    strbuf_done(&findings->list);
}
