/* stage_world.c - see stage_world.h. */
#include "t/unit/gate/stage_world.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "lib/net/callahead.h"
#include "lib/net/ldap.h"
#include "lib/tables/group.h"
#include "lib/tables/hops.h"

#define PATH_MAX_BYTES 400
#define GROUPS_MAX 16

static const struct conf_type policy_type = {.name = "policy",
                                             .arg = "NAME",
                                             .rows = policy_rows,
                                             .nrows = &policy_nrows,
                                             .size = sizeof(struct policy_keys),
                                             .doc = ""};
static const struct conf_type group_type = {.name = "group",
                                            .arg = "NAME",
                                            .rows = group_rows,
                                            .nrows = &group_nrows,
                                            .size = sizeof(struct group_keys),
                                            .doc = ""};
static const struct conf_type listener_type = {.name = "listener",
                                               .arg = "NAME",
                                               .rows = listener_rows,
                                               .nrows = &listener_nrows,
                                               .size = sizeof(struct listener_keys),
                                               .doc = ""};
static const struct conf_type callahead_type = {.name = "callahead",
                                                .arg = "NAME",
                                                .rows = callahead_rows,
                                                .nrows = &callahead_nrows,
                                                .size = sizeof(struct callahead_keys),
                                                .doc = ""};
static const struct conf_type lists_type = {.name = "addresslist",
                                            .arg = "NAME",
                                            .rows = lists_rows,
                                            .nrows = &lists_nrows,
                                            .size = sizeof(struct lists_keys),
                                            .doc = ""};
static const struct conf_type exceptions_type = {.name = "exceptions",
                                                 .rows = exceptions_rows,
                                                 .nrows = &exceptions_nrows,
                                                 .size = sizeof(struct exceptions_keys),
                                                 .doc = ""};
static const struct conf_type ldap_type = {.name = "ldap",
                                           .arg = "NAME",
                                           .rows = ldap_rows,
                                           .nrows = &ldap_nrows,
                                           .size = sizeof(struct ldap_keys),
                                           .doc = ""};
static const struct conf_type *const types[] = {&policy_type,    &group_type, &listener_type,
                                                &callahead_type, &lists_type, &ldap_type,
                                                &exceptions_type};

static void *need(void *p, const char *what)
{
    if (p == NULL) {
        printf("Bail out! cannot make %s\n", what);
        exit(99);
    }
    return p;
}

static void path_of(const struct world *world, const char *name, char path[PATH_MAX_BYTES])
{
    snprintf(path, PATH_MAX_BYTES, "%s/%s", world->folder, name);
}

/* Writes the lines of a block up to the NUL that ends it. */
static void write_block(const struct world *world, const char *name, const char *text)
{
    char path[PATH_MAX_BYTES];
    path_of(world, name, path);
    FILE *out = need(fopen(path, "w"), path);
    fputs(text, out);
    fclose(out);
}

/* --- one configuration -------------------------------------------------------------- */

static const struct policies *build_policies(const struct world_config *config, bool private)
{
    struct policy_written written[GROUPS_MAX];
    const struct conf_section *section = NULL;
    size_t n = 0;
    while ((section = conf_next(config->conf, "policy", section)) != NULL) {
        written[n++] = (struct policy_written){section->name, section->at, section->values,
                                               section->origins, section->wrong};
    }
    return policies_build(written, n, private, conf_arena(config->conf));
}

static void fill_group(const struct world_config *config, const struct policies *policies,
                       const char *name, struct hat_group *group)
{
    const struct conf_section *section = conf_find(config->conf, "group", name);
    if (section == NULL) {
        printf("Bail out! there is no [group %s]\n", name);
        exit(99);
    }
    const struct group_keys *keys = section->values;
    *group = (struct hat_group){.name = name,
                                .at = section->at,
                                .policy = policies_target(policies, keys->policy),
                                .senders = keys->senders,
                                .senders_file = keys->senders_file,
                                .unverified = keys->unverified,
                                .comment = keys->comment};
    if (group->policy == NULL) {
        printf("Bail out! there is no policy %s\n", keys->policy);
        exit(99);
    }
}

static const struct hat *build_hat(const struct world_config *config,
                                   const struct listener_keys *keys, struct problems *problems)
{
    bool private = keys->type == LISTENER_PRIVATE;
    const char *fallback = keys->default_policy;
    const struct policies *policies = build_policies(config, private);
    struct hat_group groups[GROUPS_MAX];
    if (fallback[0] == '\0')
        fallback = private ? "BLOCKED" : "ACCEPTED";
    for (size_t i = 0; i < keys->groups.n; i++)
        fill_group(config, policies, keys->groups.v[i].text, &groups[i]);
    return hat_build(groups, keys->groups.n, policies_target(policies, fallback), problems);
}

/* The plan is known to services only; here it is the section's values, for the
 * scripted service to recognise. */
static const struct callahead_rules *build_rules(const struct world_config *config,
                                                 const char *profile)
{
    if (profile[0] == '\0')
        return NULL;
    const struct callahead_keys *keys = conf_find(config->conf, "callahead", profile)->values;
    struct callahead_rules *rules =
        need(arena_alloc(conf_arena(config->conf), sizeof *rules), "rules");
    *rules = (struct callahead_rules){
        .plan = (const struct callahead_plan *)keys,
        .failure_accepts = keys->failure_action == CALLAHEAD_ACCEPT,
        .temporary_accepts = keys->temporary_action == CALLAHEAD_ACCEPT,
        .failure_code = keys->failure_code,
        .temporary_code = keys->temporary_code,
        .unknown_code = keys->unknown_code,
        .failure_text = keys->failure_text,
        .temporary_text = keys->temporary_text,
        .unknown_text = keys->unknown_text,
        .server_text = keys->reply_text == CALLAHEAD_TEXT_SERVER,
    };
    return rules;
}

static const struct directory_rules *build_directory(const struct world_config *config,
                                                     const char *profile)
{
    if (profile[0] == '\0')
        return NULL;
    const struct ldap_keys *keys = conf_find(config->conf, "ldap", profile)->values;
    struct directory_rules *rules =
        need(arena_alloc(conf_arena(config->conf), sizeof *rules), "rules");
    *rules = (struct directory_rules){.plan = (const struct directory_plan *)keys,
                                      .error_accepts = keys->ldap_error == LDAP_ERROR_ACCEPT};
    return rules;
}

static void build_listener(const struct world_config *config, const struct conf_section *section,
                           struct listener *listener, struct problems *problems)
{
    const struct listener_keys *keys = section->values;
    *listener = (struct listener){
        .name = section->name, .at = section->at, .keys = keys, .origins = section->origins};
    if (keys->local_address[0] != '\0')
        listener->has_local_ip = ip_parse(slice_of(keys->local_address), &listener->local_ip);
    listener->hat = build_hat(config, keys, problems);
    if (keys->rat[0] != '\0')
        listener->rat = rat_load(keys->rat, section->at, problems);
    listener->directory = build_directory(config, keys->ldap_accept);
    listener->callahead = build_rules(config, keys->callahead);
    if (keys->trusted_hops.n > 0)
        listener->hops = hops_build(&keys->trusted_hops, problems);
    listener->lists = config->lists;
    listener->exceptions = config->exceptions;
}

static void build_senders(struct world_config *config, struct problems *problems)
{
    const struct conf_section *section = NULL, *table = conf_find(config->conf, "exceptions", "");
    const struct exceptions_keys *keys = table->values;
    config->lists = need(lists_new(), "lists");
    while ((section = conf_next(config->conf, "addresslist", section)) != NULL)
        lists_add(config->lists,
                  &(struct lists_written){.name = section->name, .keys = section->values},
                  problems);
    if (keys->file[0] != '\0')
        config->exceptions = exceptions_load(keys->file, table->at, problems);
}

static void build_config(const struct world *world, struct world_config *config,
                         const struct case_block *block)
{
    char file[64], path[PATH_MAX_BYTES];
    struct problems problems;
    const struct conf_section *section = NULL;
    snprintf(file, sizeof file, "conf%s%s", block->name[0] != '\0' ? "." : "", block->name);
    write_block(world, file, block->text);
    path_of(world, file, path);
    problems_init(&problems);
    *config = (struct world_config){.name = block->name};
    config->conf = conf_read(path, types, ARRAY_LEN(types), &problems);
    config->listeners.v = config->pointers;
    if (config->conf != NULL)
        build_senders(config, &problems);
    while (config->conf != NULL &&
           (section = conf_next(config->conf, "listener", section)) != NULL) {
        size_t i = config->listeners.n++;
        config->pointers[i] = &config->list[i];
        build_listener(config, section, &config->list[i], &problems);
    }
    listeners_note_counted(config->list, config->listeners.n);
    if (problems_errors(&problems) > 0) {
        problems_print(&problems, stdout);
        need(NULL, path);
    }
    problems_done(&problems);
}

/* --- all of a file ------------------------------------------------------------------ */

void world_build(struct world *world, const struct case_file *file)
{
    *world = (struct world){.folder = "/tmp/gatehouse-stage-XXXXXX"};
    need(mkdtemp(world->folder), world->folder);
    for (size_t i = 0; i < file->n; i++) {
        if (file->blocks[i].kind == BLOCK_FILE)
            write_block(world, file->blocks[i].name, file->blocks[i].text);
    }
    for (size_t i = 0; i < file->n; i++) {
        if (file->blocks[i].kind == BLOCK_CONFIG)
            build_config(world, &world->configs[world->n++], &file->blocks[i]);
    }
}

static void remove_folder(const struct world *world)
{
    DIR *folder = need(opendir(world->folder), world->folder);
    const struct dirent *entry;
    char path[PATH_MAX_BYTES];
    while ((entry = readdir(folder)) != NULL) {
        path_of(world, entry->d_name, path);
        unlink(path);
    }
    closedir(folder);
    rmdir(world->folder);
}

void world_done(struct world *world)
{
    for (size_t i = 0; i < world->n; i++) {
        struct world_config *config = &world->configs[i];
        for (size_t j = 0; j < config->listeners.n; j++) {
            hat_free((struct hat *)(uintptr_t)config->list[j].hat);
            rat_free((struct rat *)(uintptr_t)config->list[j].rat);
            ipmap_free((struct ipmap *)(uintptr_t)config->list[j].hops);
        }
        lists_free(config->lists);
        exceptions_free(config->exceptions);
        conf_free(config->conf);
    }
    remove_folder(world);
}

const struct world_config *world_find(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->n; i++) {
        if (strcmp(world->configs[i].name, name) == 0)
            return &world->configs[i];
    }
    return NULL;
}

void world_strip(const struct world *world, char *text)
{
    size_t n = strlen(world->folder) + 1;
    char *at = text;
    while ((at = strstr(at, world->folder)) != NULL)
        memmove(at, at + n, strlen(at + n) + 1);
}
