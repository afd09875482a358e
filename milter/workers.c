/* workers.c - see workers.h. */
#include "milter/workers.h"

#include <pthread.h>
#include <stdatomic.h>

#include "lib/base/mono.h"
#include "lib/base/sigmask.h"
#include "milter/shortage.h"

/* How long a denied thread is taken for a sign that the next one would be denied, too. */
#define LASTS MONO_SECONDS(1)

static struct {
    pthread_mutex_t lock; /* a leaf; guards start and arg */
    pthread_cond_t lent;
    void *(*start)(void *arg); /* what the next one runs; NULL: nothing */
    void *arg;
    atomic_uint idle; /* changed under the lock */
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool is_spare;

bool workers_is_spare(void)
{
    return is_spare;
}

/* The thread ends when there are enough others. */
static void *run(void *unused)
{
    is_spare = true;
    pthread_mutex_lock(&spare.lock);
    while (atomic_load(&spare.idle) < WORKERS_SPARE) {
        atomic_fetch_add(&spare.idle, 1);
        while (spare.start == NULL)
            (void)mono_cond_wait(&spare.lent, &spare.lock, MONO_NEVER);
        void *(*start)(void *) = spare.start;
        void *arg = spare.arg;
        spare.start = NULL;
        pthread_mutex_unlock(&spare.lock);
        (void)start(arg);
        pthread_mutex_lock(&spare.lock);
    }
    pthread_mutex_unlock(&spare.lock);
    return unused;
}

/* With all signals blocked: they are the main thread's. */
static int add_one(void)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int sys = pthread_attr_init(&attributes);

    if (sys != 0)
        return sys;
    sigmask_of_threads(&all);
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    sys = pthread_create(&thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return sys;
}

bool workers_start(struct err *err)
{
    if (!mono_cond_init(&spare.lent))
        return err_set(err, ERR_MEMORY, "out of memory");
    for (int i = 0; i < WORKERS_SPARE; i++) {
        int sys = add_one();
        if (sys != 0)
            return err_system(err, sys, "cannot start a spare thread");
    }
    return true;
}

bool workers_lend(void *(*start)(void *arg), void *arg)
{
    pthread_mutex_lock(&spare.lock);
    /* One at a time: until it is taken, the thread that will take it counts as lent. */
    bool lent = atomic_load(&spare.idle) > 0 && spare.start == NULL;
    if (lent) {
        spare.start = start;
        spare.arg = arg;
        atomic_fetch_sub(&spare.idle, 1);
        pthread_cond_signal(&spare.lent);
    }
    pthread_mutex_unlock(&spare.lock);
    return lent;
}

bool workers_are_short(void)
{
    return shortage_within(SHORT_OF_THREADS, LASTS) ||
           (shortage_count(SHORT_OF_THREADS) > 0 && atomic_load(&spare.idle) < WORKERS_SPARE);
}

void workers_tick(void)
{
    if (shortage_count(SHORT_OF_THREADS) > 0 && atomic_load(&spare.idle) < WORKERS_SPARE)
        (void)add_one();
}
