/* reload: a candidate is held while gatehousectl writes the maps, then taken or dropped
 * (running.h). */
#include "milter/verbs.h"

enum wire_status verbs_reload(void *ctx, const char *const *arguments, size_t n,
                              struct strbuf *reply)
{
    const struct verbs_world *world = ctx;
    bool force;

    if (!verbs_only_word(arguments, n, "force", &force))
        return verbs_usage(reply);
    return running_hold(world->running, force, reply) ? WIRE_YES : WIRE_NO;
}

enum wire_status verbs_reload_take(void *ctx, const char *const *arguments, size_t n,
                                   struct strbuf *reply)
{
    const struct verbs_world *world = ctx;

    (void)arguments;
    (void)n;
    return running_take(world->running, reply) ? WIRE_YES : WIRE_NO;
}

enum wire_status verbs_reload_drop(void *ctx, const char *const *arguments, size_t n,
                                   struct strbuf *reply)
{
    const struct verbs_world *world = ctx;

    (void)n;
    (void)reply;
    running_drop(world->running, arguments[0]);
    return WIRE_YES;
}

void verbs_let_go(void *ctx)
{
    const struct verbs_world *world = ctx;

    running_drop(world->running,
                 "gatehousectl went away, or took too long, before the reload was finished");
}
