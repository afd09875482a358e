/*
 * logfiles.h - logs, read one after the other: files, rotated and gzipped ones too, standard
 * input, or what journalctl prints.
 *
 * Sources are read in the order of the first time that stands in each; one without a time
 * comes where it was named. A gzip file is known by its content. Lines longer than
 * LOGFILES_LINE_MAX are none: they are passed over and counted. What cannot be read, or not to
 * its end, is a problem, and what could be read is given all the same.
 *
 * One thread. Blocks on what it reads. The one module that includes <zlib.h>.
 */
#ifndef MILTER_LOGFILES_H
#define MILTER_LOGFILES_H

#include "lib/base/problem.h"
#include "lib/base/str.h"

#define LOGFILES_LINE_MAX 65536
#define LOGFILES_MAX 1000 /* sources */

struct logfiles;

/* Nothing to read yet. now: wall-clock seconds, for times without a year. NULL: out of memory. */
struct logfiles *logfiles_new(int64_t now);
void logfiles_free(struct logfiles *files); /* takes NULL */

/* Another one; "-" is standard input. What fails is a problem. */
void logfiles_add(struct logfiles *files, const char *path, struct problems *problems);
/* path and what logrotate made of it (PATH.1, PATH.2.gz, PATH-20261201.gz), as far as it was
 * written to since, wall-clock seconds. false: there is none of them. */
bool logfiles_add_rotated(struct logfiles *files, const char *path, int64_t since,
                          struct problems *problems);
/* What the journal holds of gatehoused since then; journalctl is looked for in PATH. false: there
 * is no journalctl. */
bool logfiles_add_journal(struct logfiles *files, int64_t since, struct problems *problems);

/* The next line, without its end; valid until the next call. false: that was all. Problems of
 * reading are told as they are met. */
bool logfiles_next(struct logfiles *files, struct slice *line_out, struct problems *problems);

/* Lines that were too long. */
uint64_t logfiles_passed_over(const struct logfiles *files);

#endif
