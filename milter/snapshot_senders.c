/* Envelope senders of a snapshot: address lists, the exception table, and what
 * listeners say of addresses. */
#include <string.h>

#include "lib/tables/hops.h"
#include "milter/snapshot_parts.h"

static void build_lists(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    snapshot->lists = lists_new();
    if (snapshot->lists == NULL) {
        problem_error(problems, (struct place){.file = conf_path(snapshot->conf)}, "out of memory");
        return;
    }
    while ((section = conf_next(snapshot->conf, "addresslist", section)) != NULL) {
        struct lists_written written = {.name = section->name,
                                        .keys = section->values,
                                        .file_at = conf_place(section, "addresses_file")};
        size_t errors = problems_errors(problems);
        lists_add(snapshot->lists, &written, problems);
        if (problems_errors(problems) == errors && !conf_is_wrong(section, "addresses") &&
            !conf_is_wrong(section, "addresses_file") &&
            lists_entries(snapshot->lists, section->name) == 0)
            conf_warning(problems, section, NULL, "the list is empty: nobody is in it");
    }
}

static void build_exceptions(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "exceptions", "");
    const struct exceptions_keys *keys = section->values;

    if (keys->file[0] != '\0')
        snapshot->exceptions = exceptions_load(keys->file, conf_place(section, "file"), problems);
}

void snapshot_build_senders(struct snapshot *snapshot, struct problems *problems)
{
    build_lists(snapshot, problems);
    build_exceptions(snapshot, problems);
}

/* --- listeners --------------------------------------------------------------------- */

static void check_default_domain(const struct conf_section *section, struct problems *problems)
{
    const struct listener_keys *keys = section->values;
    char canonical[DOMAIN_MAX];

    if (keys->default_domain[0] == '\0')
        return;
    if (!domain_canon(slice_of(keys->default_domain), canonical) || domain_is_numeric(canonical))
        conf_error(problems, section, "default_domain",
                   "\"%.80s\" is not a domain; allowed: a name as example.com",
                   keys->default_domain);
}

static void check_delimiter(const struct conf_section *section, struct problems *problems)
{
    const struct listener_keys *keys = section->values;

    for (const char *p = keys->recipient_delimiter; *p != '\0'; p++) {
        if (*p > ' ' && *p < 127 && !ascii_is_alnum(*p) && strchr("@\"\\<>()[],:;.", *p) == NULL)
            continue;
        conf_error(problems, section, "recipient_delimiter",
                   "\"%.20s\" is wrong; allowed: one or more of !#$%%&'*+-/=?^_`{|}~",
                   keys->recipient_delimiter);
        return;
    }
}

void snapshot_add_senders(const struct snapshot *snapshot, const struct conf_section *section,
                          struct listener *listener, struct problems *problems)
{
    const struct listener_keys *keys = section->values;

    check_default_domain(section, problems);
    check_delimiter(section, problems);
    listener->lists = snapshot->lists;
    listener->exceptions = snapshot->exceptions;
    if (keys->trusted_hops.n > 0)
        listener->hops = hops_build(&keys->trusted_hops, problems);
}
