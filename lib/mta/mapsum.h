/*
 * mapsum.h - what the maps of a configuration hold, as sums, and whether the files on disk hold
 * the same.
 *
 * Maps of a million rows are large, their sums are not: the daemon keeps these, and can tell from
 * the files alone, without the right to write them and without a compiler, where the MTA goes by
 * something else than it does. What it may not read, and files with passwords, which it does not
 * know, it cannot tell. Of a compiled map it looks whether it is there and not older than its text.
 *
 * mapsum_make() and mapsum_look(): one thread a list; mapsum_look() blocks on files, but reads
 * none that has not changed since it was read.
 */
#ifndef LIB_MTA_MAPSUM_H
#define LIB_MTA_MAPSUM_H

#include "lib/mta/mapfile.h"
#include "lib/mta/maps.h"

/* In the order in which they matter: the worst of several is the state of all. */
enum mapsum_state { MAPSUM_SAME, MAPSUM_UNKNOWN, MAPSUM_DIFFERS };

struct mapsum {
    char name[MAPFILE_NAME_MAX];
    unsigned mode;
    bool if_there;      /* as in struct maps_file */
    const char *suffix; /* of the compiled map; NULL: none */
    uint64_t size, sum[2];
    /* What mapsum_look() found. */
    enum mapsum_state state;
    char why[160]; /* not MAPSUM_SAME: "is missing", "cannot tell: Permission denied" */
    /* The file that was read last, for mapsum_look() alone. */
    uint64_t stamp[5];
    bool read, was_same;
};

struct mapsums {
    struct mapsum *list; /* owned */
    size_t n;
};

/* false: out of memory, and sums_out is empty. type: of compiled maps, see compile.h. */
NODISCARD bool mapsums_make(const struct maps *maps, const char *type, struct mapsums *sums_out);
NODISCARD bool mapsums_copy(const struct mapsums *sums, struct mapsums *copy_out);
void mapsums_done(struct mapsums *sums);

/* Look at the files of the folder; returns the worst state. */
enum mapsum_state mapsums_look(struct mapsums *sums, const char *folder);

/* A line a map, "map<TAB>NAME<TAB>SUM\n", the same for the same maps in every process. */
void mapsums_print(const struct mapsums *sums, struct strbuf *out);

#endif
