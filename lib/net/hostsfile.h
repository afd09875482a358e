/*
 * hostsfile.h - addresses of a host by the file hosts(5): an address and its names
 * on each line, '#' begins a comment.
 *
 * Names compare without case, a final dot of those in the file is ignored. A line that
 * does not begin with an address is passed over. No locks: any thread.
 */
#ifndef LIB_NET_HOSTSFILE_H
#define LIB_NET_HOSTSFILE_H

#include "lib/base/err.h"
#include "lib/base/ip.h"

#define HOSTSFILE_PATH "/etc/hosts"
#define HOSTSFILE_MAX (16 * 1024 * 1024) /* bytes that are read */

/* The addresses that text has for name, each once, in the order of the lines; room
 * at most. Returns how many. */
size_t hostsfile_scan(struct slice text, const char *name, struct ip *ips_out, size_t room);

/* The same with a file, which is read each time; n_out 0 where there is none, or none
 * that we may read. Blocks on the file. false: for want of memory or descriptors
 * nobody can tell. */
NODISCARD bool hostsfile_find(const char *path, const char *name, struct ip *ips_out, size_t room,
                              size_t *n_out, struct err *err);

#endif
