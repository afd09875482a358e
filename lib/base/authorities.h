/*
 * authorities.h - where Debian keeps the certificates of the authorities that a
 * host trusts: who is believed where the configuration names nobody, by us and in
 * what is written for the mail server.
 */
#ifndef LIB_BASE_AUTHORITIES_H
#define LIB_BASE_AUTHORITIES_H

#define AUTHORITIES_DIR "/etc/ssl/certs"
#define AUTHORITIES_FILE AUTHORITIES_DIR "/ca-certificates.crt"

#endif
