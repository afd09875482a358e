/*
 * base.h - attributes and macros every module may use. No code, no types.
 *
 * Naming in this tree: every public name starts with the name of its file
 * (arena_new, ip_parse). x_new/x_free own heap memory (x_free takes NULL),
 * x_init/x_done work on the caller's storage, x_take/x_drop count references,
 * x_get borrows. Out-parameters end in _out and come last but for struct err.
 */
#ifndef LIB_BASE_BASE_H
#define LIB_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* A broken promise of our own code, never of input. Kept in release builds:
 * an aborted filter makes the MTA answer 4xx, a wrong verdict loses mail. */
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "gatehouse: %s:%d: broken promise: %s\n", __FILE__, __LINE__, #cond);  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
