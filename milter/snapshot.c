#include "milter/snapshot.h"

#include <string.h>

#include "milter/registry.h"
#include "milter/snapshot_parts.h"

static void free_listeners(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->listeners.n; i++) {
        /* Built as owned, handed out as const. */
        hat_free((struct hat *)(uintptr_t)snapshot->listeners.v[i]->hat);
        rat_free((struct rat *)(uintptr_t)snapshot->listeners.v[i]->rat);
        ipmap_free((struct ipmap *)(uintptr_t)snapshot->listeners.v[i]->hops);
    }
}

static void snapshot_free(struct snapshot *snapshot)
{
    free_listeners(snapshot);
    snapshot_free_reputation(snapshot);
    lists_free(snapshot->lists);
    exceptions_free(snapshot->exceptions);
    routes_free(snapshot->routes);
    tls_client_drop(snapshot->tls);
    conf_free(snapshot->conf);
    free(snapshot);
}

void snapshot_take(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
}

void snapshot_drop(struct snapshot *snapshot)
{
    if (snapshot != NULL &&
        atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) == 1)
        snapshot_free(snapshot);
}

/* --- building ---------------------------------------------------------------- */

/* errors: before it was read. What is not used can only be said where nothing is wrong:
 * one may be the reason of the other. */
static void build_parts(struct snapshot *snapshot, size_t errors, struct problems *problems)
{
    snapshot->dns = conf_find(snapshot->conf, "dns", "")->values;
    dns_check(snapshot->dns, problems);
    if (settings_build(snapshot->conf, &snapshot->settings, problems))
        settings_hostname(&snapshot->settings, snapshot->hostname, sizeof snapshot->hostname);
    snapshot_build_policies(snapshot, problems);
    snapshot_build_senders(snapshot, problems);
    snapshot_build_routes(snapshot, problems);
    snapshot_build_reputation(snapshot, problems);
    snapshot_build_ldap(snapshot, problems);
    snapshot_build_listeners(snapshot, problems);
    snapshot_check_files(snapshot, problems);
    snapshot_check_texts(snapshot, problems);
    if (!conf_is_guessed(snapshot->conf))
        snapshot_check_effects(snapshot, problems);
    if (problems_errors(problems) == errors)
        snapshot_check_unused(snapshot, problems);
}

static void substitute_in(const struct conf_section *section,
                          const struct snapshot_substitute *substitute)
{
    for (size_t i = 0; i < *section->type->nrows; i++) {
        const struct key_row *row = &section->type->rows[i];
        const char **value = (const char **)((char *)section->values + row->offset);
        if (row->type == KEY_PATH && strcmp(*value, substitute->path) == 0)
            *value = substitute->by;
    }
}

static void substitute_everywhere(const struct conf *conf,
                                  const struct snapshot_substitute *substitute)
{
    for (size_t i = 0; substitute != NULL && i < registry_count; i++) {
        const struct conf_section *section = NULL;
        while ((section = conf_next(conf, registry[i]->name, section)) != NULL)
            substitute_in(section, substitute);
    }
}

struct snapshot *snapshot_build(const char *path, struct problems *problems)
{
    return snapshot_build_with(path, NULL, problems);
}

struct snapshot *snapshot_build_with(const char *path, const struct snapshot_substitute *substitute,
                                     struct problems *problems)
{
    size_t errors = problems_errors(problems);
    struct conf *conf = conf_read_anyway(path, registry, registry_count, problems);
    struct snapshot *snapshot = NULL;

    if (conf == NULL)
        return NULL;
    substitute_everywhere(conf, substitute);
    snapshot = calloc(1, sizeof *snapshot);
    if (snapshot == NULL) {
        problem_error(problems, (struct place){.file = path}, "out of memory");
        conf_free(conf);
        return NULL;
    }
    atomic_init(&snapshot->references, 1);
    snapshot->conf = conf;
    snapshot->digest = snapshot_digest(conf);
    build_parts(snapshot, errors, problems);
    if (problems->errors == 0)
        return snapshot;
    snapshot_drop(snapshot);
    return NULL;
}

/* --- the one in force ---------------------------------------------------------- */

void snapshot_store_init(struct snapshot_store *store, struct snapshot *first)
{
    pthread_mutex_init(&store->mutex, NULL);
    store->current = first;
}

struct snapshot *snapshot_current(struct snapshot_store *store)
{
    pthread_mutex_lock(&store->mutex);
    struct snapshot *snapshot = store->current;
    snapshot_take(snapshot);
    pthread_mutex_unlock(&store->mutex);
    return snapshot;
}

void snapshot_publish(struct snapshot_store *store, struct snapshot *next)
{
    pthread_mutex_lock(&store->mutex);
    struct snapshot *previous = store->current;
    store->current = next;
    pthread_mutex_unlock(&store->mutex);
    snapshot_drop(previous);
}

void snapshot_store_done(struct snapshot_store *store)
{
    snapshot_drop(store->current);
    store->current = NULL;
    pthread_mutex_destroy(&store->mutex);
}
