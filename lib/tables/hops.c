/* hops.c - see hops.h. */
#include "lib/tables/hops.h"

#include "lib/base/escape.h"
#include "lib/tables/hat_entry.h"

#define SHOWN_MAX 80 /* bytes of a wrong word in an error */

static bool add(struct ipmap *map, const struct key_item *item, struct problems *problems)
{
    struct hat_form form;
    struct err err = {0};
    char shown[SHOWN_MAX], network[IP_TEXT_MAX];
    bool added = true;

    bool good = hat_form_parse(slice_of(item->text), &form, &err);
    if (good && form.kind == HAT_ENTRY_RANGE) {
        if (form.host_bits)
            problem_warning(problems, item->at, "%s has bits set after its prefix: %s/%u is used",
                            item->text, ip_text(&form.first, network), form.network_bits);
        added = ipmap_add(map, &form.first, &form.last, 0);
    } else if (good && form.kind == HAT_ENTRY_GROUP_RANGE) {
        added = ipmap_add_group_range(map, &form.first, form.group, form.from, form.to, 0);
    } else {
        escape_line(slice_of(item->text), shown, sizeof shown);
        problem_error(problems, item->at,
                      "\"%s\" is not an address; allowed: addresses, ranges and networks, as in "
                      "192.0.2.1 or 2001:db8::/32",
                      shown);
    }
    if (!added)
        problem_error(problems, item->at, "out of memory");
    return added;
}

struct ipmap *hops_build(const struct key_list *list, struct problems *problems)
{
    size_t errors = problems_errors(problems);
    struct ipmap *map = ipmap_new();

    for (size_t i = 0; map != NULL && i < list->n; i++) {
        if (!add(map, &list->v[i], problems))
            break;
    }
    if (map == NULL || !ipmap_seal(map))
        problem_error(problems, list->n > 0 ? list->v[0].at : (struct place){0}, "out of memory");
    if (problems_errors(problems) == errors)
        return map;
    ipmap_free(map);
    return NULL;
}
