/* Hosts that are left alone for now, by name: for status and for metrics. */
#include "milter/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "milter/form.h"

#define ALL_MAX 1000  /* read of each sort */
#define SHOWN_MAX 200 /* told by name of each sort */

enum sort { SORT_CALLAHEAD, SORT_DIRECTORY, SORT_DNSLIST, SORTS };

/* Of one sort, by name, each name once. */
struct pauses {
    struct backoff_pause *list; /* malloc'd; NULL: none, or out of memory */
    size_t n;
    size_t more; /* there are, but they were not read */
};

static int by_name(const void *a, const void *b)
{
    const struct backoff_pause *x = a, *y = b;
    int order = strcmp(x->host, y->host);

    return order != 0 ? order : strcmp(x->profile, y->profile);
}

static size_t read_all(const struct house *house, enum sort sort, struct backoff_pause *list,
                       size_t room)
{
    switch (sort) {
    case SORT_CALLAHEAD:
        return callahead_pauses(engine_callahead(house->engine), list, room);
    case SORT_DIRECTORY:
        return ldappool_pauses(engine_directories(house->engine), list, room);
    case SORT_DNSLIST:
        return dnslists_pauses(engine_dnslists(house->engine), list, room);
    case SORTS:
        break;
    }
    return 0;
}

/* The longest pause of those of one name. */
static void unite(struct pauses *pauses)
{
    size_t kept = 0;

    for (size_t i = 0; i < pauses->n; i++) {
        const struct backoff_pause *pause = &pauses->list[i];
        if (kept == 0 || by_name(pause, &pauses->list[kept - 1]) != 0)
            pauses->list[kept++] = *pause;
        else if (pause->left > pauses->list[kept - 1].left)
            pauses->list[kept - 1] = *pause;
    }
    pauses->n = kept;
}

/* free() the list. */
static void collect(const struct house *house, enum sort sort, struct pauses *pauses_out)
{
    size_t all = read_all(house, sort, NULL, 0), room = all < ALL_MAX ? all : ALL_MAX;

    *pauses_out = (struct pauses){.more = all};
    pauses_out->list = room > 0 ? calloc(room, sizeof *pauses_out->list) : NULL;
    if (pauses_out->list == NULL)
        return;
    all = read_all(house, sort, pauses_out->list, room);
    pauses_out->n = all < room ? all : room;
    pauses_out->more = all - pauses_out->n;
    qsort(pauses_out->list, pauses_out->n, sizeof *pauses_out->list, by_name);
    unite(pauses_out);
}

/* --- status -------------------------------------------------------------------------- */

static void put_object(const struct backoff_pause *pause, const char *kind, struct strbuf *list)
{
    struct form form;

    if (list->n > 0)
        strbuf_putc(list, ',');
    form_begin(&form, true, list);
    form_text(&form, "kind", kind);
    form_text(&form, "host", pause->host);
    form_text(&form, "profile", pause->profile[0] != '\0' ? pause->profile : NULL);
    form_moment(&form, "until",
                mono_wall_seconds() + (pause->left + MONO_SECONDS(1) - 1) / MONO_SECONDS(1));
    form_text(&form, "cause", pause->cause);
    form_close(&form);
}

void verbs_put_paused(const struct house *house, struct form *form)
{
    static const char *const kinds[] = {
        [SORT_CALLAHEAD] = "callahead", [SORT_DIRECTORY] = "ldap", [SORT_DNSLIST] = "dnslist"};
    struct strbuf list;

    strbuf_init(&list);
    for (enum sort sort = 0; sort < SORTS; sort++) {
        struct pauses pauses;
        collect(house, sort, &pauses);
        for (size_t i = 0; i < pauses.n && i < SHOWN_MAX; i++)
            put_object(&pauses.list[i], kinds[sort], &list);
        free(pauses.list);
    }
    form_list(form, "paused", strbuf_text(&list));
    form->out->failed = form->out->failed || list.failed;
    strbuf_done(&list);
}

/* --- metrics ---------------------------------------------------------------------------- */

/* As the text format of Prometheus has the value of a label. */
static void put_label(const char *name, const char *value, struct strbuf *out)
{
    strbuf_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            strbuf_puts(out, "\\n");
        else if (*value == '\\' || *value == '"')
            strbuf_printf(out, "\\%c", *value);
        else
            strbuf_putc(out, *value);
    }
    strbuf_putc(out, '"');
}

struct metric {
    const char *name, *help, *label;
    bool by_profile;
};

static void put_sample(const struct metric *metric, const char *host, const char *profile,
                       size_t value, struct strbuf *out)
{
    strbuf_printf(out, "gatehouse_%s{", metric->name);
    put_label(metric->label, host, out);
    if (metric->by_profile) {
        strbuf_putc(out, ',');
        put_label("profile", profile, out);
    }
    strbuf_printf(out, "} %zu\n", value);
}

void verbs_put_paused_samples(const struct house *house, struct strbuf *out)
{
    static const struct metric metrics[SORTS] = {
        [SORT_CALLAHEAD] = {"callahead_host_paused", "Mailbox hosts paused after failures.", "host",
                            false},
        [SORT_DIRECTORY] = {"directory_host_paused",
                            "Servers of directories paused after failures.", "host", true},
        [SORT_DNSLIST] = {"dnslist_paused", "DNS lists that are suspended.", "zone", false},
    };

    for (enum sort sort = 0; sort < SORTS; sort++) {
        const struct metric *metric = &metrics[sort];
        struct pauses pauses;
        collect(house, sort, &pauses);
        strbuf_printf(out, "# HELP gatehouse_%s %s\n# TYPE gatehouse_%s gauge\n", metric->name,
                      metric->help, metric->name);
        size_t shown = pauses.n < SHOWN_MAX ? pauses.n : SHOWN_MAX;
        for (size_t i = 0; i < shown; i++)
            put_sample(metric, pauses.list[i].host, pauses.list[i].profile, 1, out);
        if (pauses.n - shown + pauses.more > 0)
            put_sample(metric, "other", "other", pauses.n - shown + pauses.more, out);
        free(pauses.list);
    }
}
