/*
 * ownip.h - is this one of our own addresses, in whatever form (ip_embedded_v4())?
 *
 * The addresses of this machine's interfaces, read again when the list is
 * older than OWNIP_LIFE. One mutex, a leaf; the interfaces are read without
 * it. Any thread. Reading takes a few system calls, no network.
 */
#ifndef LIB_NET_OWNIP_H
#define LIB_NET_OWNIP_H

#include "lib/base/ip.h"
#include "lib/base/mono.h"

#define OWNIP_LIFE MONO_SECONDS(60)

/* false also when the interfaces cannot be read. */
bool ownip_has(const struct ip *ip);

#endif
