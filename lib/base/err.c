/* err.c - see err.h. */
#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

PRINTF_LIKE(4, 0)
static void fill(struct err *err, enum err_kind kind, int sys, const char *fmt, va_list ap)
{
    err->kind = kind;
    err->sys = sys;
    if (vsnprintf(err->text, sizeof err->text, fmt, ap) < 0)
        err->text[0] = '\0';
}

bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, kind, 0, fmt, ap);
        va_end(ap);
    }
    return false;
}

bool err_system(struct err *err, int sys, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        fill(err, ERR_SYSTEM, sys, fmt, ap);
        va_end(ap);
        size_t n = strlen(err->text);
        /* strerror() of glibc 2.32 and the BSDs may be called by many threads. */
        snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(sys));
    }
    return false;
}

bool err_is_shortage(const struct err *err)
{
    static const int shortages[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN, EADDRNOTAVAIL};
    bool found = err->kind == ERR_MEMORY;

    for (size_t i = 0; err->kind == ERR_SYSTEM && i < ARRAY_LEN(shortages); i++)
        found = found || err->sys == shortages[i];
    return found;
}
