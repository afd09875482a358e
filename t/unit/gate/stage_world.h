/*
 * stage_world.h - configurations of stage cases, built by the code that builds
 * them in the daemon: ini reader, policies, HAT, RAT. Tests only.
 */
#ifndef T_UNIT_GATE_STAGE_WORLD_H
#define T_UNIT_GATE_STAGE_WORLD_H

#include "lib/conf/conf.h"
#include "lib/gate/listener.h"
#include "t/unit/gate/stage_case.h"

#define WORLD_CONFIGS_MAX 8
#define WORLD_LISTENERS_MAX 8

struct world_config {
    const char *name;
    struct conf *conf;
    struct lists *lists;
    struct exceptions *exceptions; /* NULL: none */
    struct listener list[WORLD_LISTENERS_MAX];
    const struct listener *pointers[WORLD_LISTENERS_MAX];
    struct listeners listeners;
};

struct world {
    char folder[64]; /* of all files; goes away with the world */
    struct world_config configs[WORLD_CONFIGS_MAX];
    size_t n;
};

/* Aborts, showing the problems, when a configuration is wrong. */
void world_build(struct world *world, const struct case_file *file);
void world_done(struct world *world);

const struct world_config *world_find(const struct world *world, const char *name);
/* text without the folder, in place. */
void world_strip(const struct world *world, char *text);

#endif
