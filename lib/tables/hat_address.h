/*
 * hat_address.h - sender entries made of addresses: single ones, leading
 * octets, ranges and networks (SPEC 3.1).
 *
 * Only hat_entry.c uses this. Plain values, any thread.
 */
#ifndef LIB_TABLES_HAT_ADDRESS_H
#define LIB_TABLES_HAT_ADDRESS_H

#include "lib/tables/hat_entry.h"

/* Does text look like one of them, right or wrong? Decided by its characters,
 * so that a slip in an address is not taken for a host name. */
bool hat_address_is(struct slice text);

/* Fills kind RANGE or GROUP_RANGE. */
NODISCARD bool hat_address_parse(struct slice text, struct hat_form *form_out, struct err *err);

#endif
