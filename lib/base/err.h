/*
 * err.h - one error, written once by the layer that knows what went wrong.
 *
 * A struct err is the last parameter of a fallible function, in the caller's
 * storage; the callee fills it only when it fails. Functions that can find
 * several errors (everything that reads a file) take a struct problems
 * (problem.h) instead. No allocation, no locks: any thread.
 */
#ifndef LIB_BASE_ERR_H
#define LIB_BASE_ERR_H

#include "lib/base/base.h"

enum err_kind {
    ERR_NONE,
    ERR_SYNTAX,  /* the input is wrong */
    ERR_RANGE,   /* well-formed, but outside what is allowed */
    ERR_SYSTEM,  /* a system call failed; sys holds errno */
    ERR_MEMORY,  /* out of memory */
    ERR_TIMEOUT, /* a deadline passed */
    ERR_PEER,    /* the other side broke the protocol or closed */
    ERR_TLS      /* TLS could not be set up or verified */
};

struct err {
    enum err_kind kind;
    int sys;        /* errno for ERR_SYSTEM, else 0 */
    char text[256]; /* one sentence without a final dot; cut when longer */
};

/* Fill err (may be NULL). Both return false so that callers can
 * `return err_set(...)`. err_system appends ": " and strerror(sys). */
bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_system(struct err *err, int sys, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Does it say that this host ran short of memory, descriptors, threads or local ports?
 * That tells nothing about the other side. */
bool err_is_shortage(const struct err *err);

#endif
