/* Policies and SMTP routes of a snapshot. */
#include <string.h>

#include "lib/tables/routes_keys.h"
#include "milter/snapshot_parts.h"

static const struct policy_written *written_policies(struct snapshot *snapshot, size_t *n_out)
{
    const struct conf_section *section = NULL;
    struct policy_written *written = NULL;
    size_t n = 0;

    while ((section = conf_next(snapshot->conf, "policy", section)) != NULL)
        n++;
    written = arena_alloc(conf_arena(snapshot->conf), (n + 1) * sizeof *written);
    *n_out = n;
    if (written == NULL)
        return NULL;
    n = 0;
    while ((section = conf_next(snapshot->conf, "policy", section)) != NULL)
        written[n++] = (struct policy_written){.name = section->name,
                                               .at = section->at,
                                               .keys = section->values,
                                               .origins = section->origins,
                                               .wrong = section->wrong};
    return written;
}

void snapshot_build_policies(struct snapshot *snapshot, struct problems *problems)
{
    struct arena *arena = conf_arena(snapshot->conf);
    size_t n = 0;
    const struct policy_written *written = written_policies(snapshot, &n);

    if (written != NULL) {
        snapshot->policies = policies_build(written, n, false, arena);
        snapshot->private_policies = policies_build(written, n, true, arena);
    }
    if (snapshot->policies == NULL || snapshot->private_policies == NULL) {
        problem_error(problems, (struct place){.file = conf_path(snapshot->conf)}, "out of memory");
        return;
    }
    policies_check(snapshot->policies, written, n, problems);
}

/* Profiles that routes name; each is looked for once in a row. */
static void check_auths(const struct snapshot *snapshot, struct problems *problems)
{
    const char *known = "";

    for (size_t i = 0; i < routes_count(snapshot->routes); i++) {
        const struct route *route = routes_get(snapshot->routes, i);
        if (route->auth == NULL || strcmp(route->auth, known) == 0)
            continue;
        if (conf_find(snapshot->conf, "auth", route->auth) != NULL ||
            conf_is_lost(snapshot->conf, "auth", route->auth))
            known = route->auth;
        else
            problem_error(problems, route->at,
                          "auth=%s: there is no section [auth %s]; allowed: the name of an [auth] "
                          "section",
                          route->auth, route->auth);
    }
}

/* It goes as it is into the MTA's maps and files. */
static void check_transport(const struct conf_section *section, const char *name,
                            struct problems *problems)
{
    bool good = name[0] != '\0';

    for (const char *p = name; *p != '\0'; p++)
        good = good && (ascii_is_alnum(*p) || strchr("_-.", *p) != NULL);
    if (!good)
        conf_error(
            problems, section, "transport",
            "\"%.80s\" is not the name of a transport; allowed: one name of letters, digits, "
            "\"_\", \".\" and \"-\", as relay",
            name);
}

void snapshot_build_routes(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "routes", "");
    const struct routes_keys *keys = section->values;

    snapshot->routes_transport = keys->transport;
    check_transport(section, keys->transport, problems);
    snapshot->routes = keys->file[0] != '\0'
                           ? routes_load(keys->file, conf_place(section, "file"), problems)
                           : routes_empty();
    if (snapshot->routes == NULL && problems->errors == 0)
        conf_error(problems, section, NULL, "out of memory");
    if (snapshot->routes != NULL)
        check_auths(snapshot, problems);
}
