/*
 * packet.h - a guard before libmilter's own reading of packets.
 *
 * libmilter 8.17 takes the macros of an MTA for pairs of name and value without
 * counting: after an odd number of strings smfi_getsymval() runs past the end
 * of its list, and one bent packet on the milter socket ends the daemon. So the
 * program has a mi_rd_cmd() of its own (interpose.h), which libmilter's code calls
 * instead of the one beside it: that one reads the packet, and where the macros are no
 * pairs the connection ends as after any other broken packet. Pure; any thread.
 */
#ifndef MILTER_PACKET_H
#define MILTER_PACKET_H

#include <stdbool.h>
#include <stddef.h>

/* Is data, of a packet of macros, a command's letter and pairs of strings? */
bool packet_has_pairs(const char *data, size_t n);

#endif
