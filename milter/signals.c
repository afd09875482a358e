#include "milter/signals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/lines.h"
#include "lib/base/sigmask.h"

static int event_fd = -1;
static atomic_bool reload_wanted, reopen_wanted, stop_wanted;

void signals_poke(void)
{
    static const uint64_t one = 1;
    int saved = errno; /* runs in handlers */
    (void)!write(event_fd, &one, sizeof one);
    errno = saved;
}

static void on_reload(int number)
{
    (void)number;
    atomic_store(&reload_wanted, true);
    signals_poke();
}

static void on_reopen(int number)
{
    (void)number;
    atomic_store(&reopen_wanted, true);
    signals_poke();
}

static void on_stop(int number)
{
    (void)number;
    if (!atomic_exchange(&stop_wanted, true))
        (void)alarm(SIGNALS_STOP_SECONDS);
    lines_end_all(); /* of a reload that main is at */
    signals_poke();
}

void signals_block_all(void)
{
    sigset_t all;
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigmask_of_threads(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* Whatever still hangs then: nothing that matters waits for it. */
static void on_alarm(int number)
{
    (void)number;
    _exit(EXIT_SUCCESS);
}

/* SA_NODEFER: a signal during its own handler must find this thread willing, or the
 * kernel offers it to libmilter's signal thread. */
void signals_begin(void)
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART | SA_NODEFER};
    struct sigaction late = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigset_t ours;

    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGALRM, &late, NULL);
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

bool signals_listen(struct err *err)
{
    struct sigaction reload = {.sa_handler = on_reload, .sa_flags = SA_RESTART | SA_NODEFER};
    struct sigaction reopen = {.sa_handler = on_reopen, .sa_flags = SA_RESTART | SA_NODEFER};
    sigset_t ours;

    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0)
        return err_system(err, errno, "eventfd");
    sigaction(SIGHUP, &reload, NULL);
    sigaction(SIGUSR1, &reload, NULL);
    sigaction(SIGUSR2, &reopen, NULL);
    sigemptyset(&ours);
    sigaddset(&ours, SIGHUP);
    sigaddset(&ours, SIGUSR1);
    sigaddset(&ours, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    signals_begin();
    return true;
}

int signals_fd(void)
{
    return event_fd;
}

bool signals_reload(void)
{
    return atomic_exchange(&reload_wanted, false);
}

bool signals_reopen(void)
{
    return atomic_exchange(&reopen_wanted, false);
}

bool signals_stop(void)
{
    return atomic_load(&stop_wanted);
}
