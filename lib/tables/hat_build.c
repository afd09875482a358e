/*
 * hat_build.c - a Host Access Table from [group] sections.
 */
#include "lib/tables/hat_builder.h"

static bool add_items(struct hat_builder *builder, const struct key_list *senders)
{
    for (size_t i = 0; i < senders->n; i++) {
        if (!hat_builder_entry(builder, slice_of(senders->v[i].text), senders->v[i].at))
            return false;
        arena_reset(builder->scratch);
    }
    return true;
}

static bool add_group(struct hat_builder *builder, const struct hat_group *group)
{
    struct hat_builder_group row = {.name = slice_of(group->name),
                                    .at = group->at,
                                    .unverified = group->unverified,
                                    .comment = slice_of(group->comment)};
    bool has_file = group->senders_file != NULL && group->senders_file[0] != '\0';
    return hat_builder_target(builder, group->policy, NULL, &row.target) &&
           add_items(builder, &group->senders) &&
           (!has_file || hat_builder_file(builder, group->senders_file, group->senders_file_at)) &&
           hat_builder_group(builder, &row);
}

static bool add_all(struct hat_builder *builder, const struct hat_group *groups, size_t n,
                    const struct policy *fallback)
{
    struct hat_builder_group all = {.name = {NULL, 0}};
    for (size_t i = 0; i < n; i++) {
        if (!add_group(builder, &groups[i]))
            return false;
    }
    return hat_builder_target(builder, fallback, NULL, &all.target) &&
           hat_builder_group(builder, &all);
}

struct hat *hat_build(const struct hat_group *groups, size_t n, const struct policy *fallback,
                      struct problems *problems)
{
    struct hat_builder builder;
    const char *file = n > 0 ? groups[0].at.file : NULL;
    CHECK(fallback->keys.access != POLICY_CONTINUE);
    bool good = hat_builder_start(&builder, file, problems);
    builder.sections = true;
    return hat_builder_finish(&builder, good && add_all(&builder, groups, n, fallback));
}
