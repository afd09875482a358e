/* hat_same.c - see hat_same.h. */
#include "t/unit/tables/hat_same.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_group(const struct hat *a, size_t i, const struct hat *b, size_t j)
{
    struct hat_match x, y;
    hat_group_get(a, i, &x);
    hat_group_get(b, j, &y);
    bool same = same_text(x.group, y.group) && strcmp(x.policy->name, y.policy->name) == 0 &&
                same_text(hat_group_comment(a, i), hat_group_comment(b, j));
    for (size_t row = 0; same && row < policy_nrows; row++)
        same = key_same(&policy_rows[row], &x.policy->keys, &y.policy->keys);
    return same;
}

/* The next group that is no bare entry. */
static size_t next_named(const struct hat *hat, size_t i)
{
    struct hat_match group;
    for (; i + 1 < hat_groups(hat); i++) {
        hat_group_get(hat, i, &group);
        if (group.group != NULL)
            break;
    }
    return i;
}

static bool same_groups(const struct hat *a, const struct hat *b)
{
    size_t i = next_named(a, 0), j = next_named(b, 0);
    for (; i + 1 < hat_groups(a); i = next_named(a, i + 1), j = next_named(b, j + 1)) {
        if (j + 1 >= hat_groups(b) || !same_group(a, i, b, j))
            return false;
    }
    return j + 1 == hat_groups(b) && same_group(a, i, b, j);
}

bool hat_same(const struct hat *a, const struct hat *b)
{
    bool same = same_groups(a, b) && hat_entries(a) == hat_entries(b);
    for (size_t i = 0; same && i < hat_entries(a); i++) {
        struct hat_entry x, y;
        hat_entry_get(a, i, &x);
        hat_entry_get(b, i, &y);
        same = strcmp(x.text, y.text) == 0 && same_group(a, x.group, b, y.group);
    }
    return same;
}
