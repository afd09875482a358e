/*
 * tables.h - a HAT, a RAT and SMTP routes in a line each, for one test.
 *
 * A wrong table ends the test. Everything a scene made dies with
 * scene_done().
 */
#ifndef T_UNIT_MTA_TABLES_H
#define T_UNIT_MTA_TABLES_H

#include "lib/mta/maps.h"

#define SCENE_LISTENERS 4

struct scene {
    struct arena *arena;
    const struct policies *policies;
    struct problems problems;
    struct strbuf text;
    struct maps_listener listeners[SCENE_LISTENERS];
    struct hat *hats[SCENE_LISTENERS];
    struct rat *rats[SCENE_LISTENERS];
    struct routes *routes;
    struct maps_input input; /* of all the above */
};

/* One server, no password, the rest as by default: for input.directory. */
extern const struct maps_directory scene_directory;

/* No listeners, no routes, transport relay, a unix socket, usual limits. */
void scene_new(struct scene *scene);
void scene_done(struct scene *scene);

/*
 * hat: "GROUP TARGET ENTRY...; GROUP TARGET ENTRY..."; GROUP - is an entry
 * without a group; ENTRY ?no_ptr, ?tempfail and ?mismatch set `unverified`. The target of ALL is
 * fallback. rat: lines of a RAT file, NULL none. private without a RAT.
 */
struct maps_listener *scene_listener(struct scene *scene, const char *name, const char *hat,
                                     const char *fallback, const char *rat);
struct hat *scene_hat(struct scene *scene, const char *hat, const char *fallback);
void scene_routes(struct scene *scene, const char *lines);

/* The warnings and errors so far, without the names of temporary files. */
const char *scene_problems(struct scene *scene);

#endif
