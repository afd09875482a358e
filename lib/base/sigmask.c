#include "lib/base/sigmask.h"

#include "lib/base/base.h"

void sigmask_of_threads(sigset_t *mask_out)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};

    sigfillset(mask_out);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        sigdelset(mask_out, faults[i]);
}
