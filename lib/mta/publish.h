/*
 * publish.h - put finished maps into the MTA's folder, so that the MTA sees
 * the old ones or the new ones and never anything between (SPEC 10).
 *
 * A file is written beside its target, synced, renamed, and the folder synced.
 * A compiled map is then made by the MTA's own compiler and read back through
 * it: what the compiler stored must be the table, line by line. lmdb is
 * compiled in place, which is one transaction; every other type under a
 * temporary name, read back there, and renamed. Text and compiled map that are
 * already right are left alone, time stamps included. A text that does not begin with
 * our heading is somebody's own: it is kept as FILE.saved before ours takes its place. A crash at
 * any point leaves maps that are whole, and the next run goes on from there. Two runs in one folder
 * exclude each other (flock on the folder).
 *
 * One thread; blocks on disk and compiler.
 */
#ifndef LIB_MTA_PUBLISH_H
#define LIB_MTA_PUBLISH_H

#include "lib/base/base.h"
#include "lib/base/err.h"
#include "lib/base/mono.h"
#include "lib/mta/compile.h"
#include "lib/mta/maps.h"

#define PUBLISH_POSTMAP "/usr/sbin/postmap"
#define PUBLISH_POSTMAP_TYPE "lmdb"
#define PUBLISH_MAKEMAP "/usr/sbin/makemap"
#define PUBLISH_MAKEMAP_TYPE "hash"
#define PUBLISH_SECONDS 600 /* one run of the compiler */

/* What happened to a file, in the order it can happen. */
enum publish_step {
    PUBLISH_SAME,        /* text and compiled map are right already */
    PUBLISH_DIFFERS,     /* check: the text is missing or another one, or its mode is wrong */
    PUBLISH_MAP_DIFFERS, /* check: the compiled map is missing or does not hold the table */
    PUBLISH_WRITTEN,     /* the new text stands beside its target, synced */
    PUBLISH_RENAMED,     /* ... and took its place */
    PUBLISH_COMPILED,    /* the compiler is done */
    PUBLISH_VERIFIED,    /* its map holds the table, and is in place */
    PUBLISH_LEFT_OVER,   /* a client file of a listener that is gone; not touched */
    PUBLISH_KEPT         /* another's text stood there; it is FILE.saved now */
};

struct publish_options {
    const char *folder; /* must exist */
    enum compile_tool tool;
    const char *compiler;    /* absolute path; NULL: --no-compile */
    const char *type;        /* map type, passed publish_type_ok() */
    const char *mail_config; /* MAIL_CONFIG, passed on; NULL: not set */
    mono_us until;           /* no run of the compiler lasts longer; 0: PUBLISH_SECONDS each */
    bool check;              /* --check: writes nothing */
    /* Called for every step of every file; NULL: nobody wants to know. */
    void (*on_step)(void *arg, const char *file, enum publish_step step);
    void *arg;
};

struct publish_result {
    size_t changed; /* check: files that differ; else: files or compiled maps made anew */
    bool reload;    /* a file changed that the MTA reads only at start or reload */
};

/* false: err names the file and what failed; files before it are done, it and
 * those after it are as they were or whole and new. */
NODISCARD bool publish_maps(const struct maps *maps, const struct publish_options *options,
                            struct publish_result *result_out, struct err *err);

/* May this be a map type: hash, btree, with postmap also lmdb or cdb? */
bool publish_type_ok(enum compile_tool tool, const char *type);

#endif
