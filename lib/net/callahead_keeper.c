/*
 * callahead_keeper.c - one thread that does what no session shall wait for:
 * asks again for recipients in use before their answers expire, asks for
 * random addresses, and writes down what is remembered. One thing after the
 * other; what waits is bounded, and what finds no room is left out: the next
 * session asks for it again.
 */
#include "lib/net/callahead_pool.h"

#include <signal.h>
#include "lib/base/sigmask.h"

#define JOBS_MAX 64
#define JOB_PATIENCE MONO_SECONDS(5) /* for one; its question goes on */

/* Everything in it belongs to its arena. */
struct job {
    struct job *next;
    struct arena *arena;
    struct callahead_profile profile; /* counted */
    struct callahead_memory *memory;
    struct callahead_where where;
    struct slice key, base;
    char *recipient, *base_recipient;
    bool random;
};

static void job_free(struct job *job)
{
    if (job->profile.release)
        job->profile.release(job->profile.arg);
    arena_free(job->arena);
}

static bool copy_hosts(struct job *job, const struct callahead_where *from)
{
    struct nexthop *hosts = arena_alloc(job->arena, (from->nhosts + 1) * sizeof *hosts);
    if (!hosts)
        return false;
    for (size_t i = 0; i < from->nhosts; i++) {
        hosts[i] = from->hosts[i];
        hosts[i].host = arena_dup(job->arena, from->hosts[i].host);
        if (!hosts[i].host)
            return false;
    }
    job->where.hosts = hosts;
    job->where.nhosts = from->nhosts;
    job->where.untrusted = from->untrusted;
    job->where.mx_domain = arena_dup(job->arena, from->mx_domain);
    return job->where.mx_domain || !from->mx_domain;
}

static struct job *job_new(const struct asking *asking, const struct callahead_where *where,
                           bool random)
{
    static const struct callahead_where nowhere = {.nhosts = 0};
    struct arena *arena = arena_new(0);
    struct job *job = arena ? arena_alloc(arena, sizeof *job) : NULL;
    if (!job) {
        arena_free(arena);
        return NULL;
    }
    *job = (struct job){.arena = arena, .memory = asking->memory, .random = random};
    job->recipient = arena_dup(arena, asking->recipient);
    job->key = (struct slice){arena_dup_slice(arena, asking->key), asking->key.n};
    job->base = (struct slice){arena_dup_slice(arena, asking->base), asking->base.n};
    job->base_recipient = arena_dup(arena, asking->base_recipient);
    if (!job->recipient || !job->key.p || (asking->base_recipient && !job->base_recipient) ||
        (job->base.n > 0 && !job->base.p) || !copy_hosts(job, where ? where : &nowhere)) {
        arena_free(arena);
        return NULL;
    }
    job->profile = *asking->profile;
    if (job->profile.take)
        job->profile.take(job->profile.arg);
    return job;
}

void keeper_ask(const struct asking *asking, const struct callahead_where *where, bool random)
{
    struct callahead *pool = asking->pool;
    struct job *job = job_new(asking, where, random);

    if (!job)
        return;
    pthread_mutex_lock(&pool->lock);
    bool room = pool->njobs < JOBS_MAX && !pool->stopping;
    if (room) {
        *pool->last_job = job;
        pool->last_job = &job->next;
        pool->njobs++;
        pthread_cond_signal(&pool->keeper_work);
    }
    pthread_mutex_unlock(&pool->lock);
    if (!room)
        job_free(job);
}

static void do_job(struct callahead *pool, struct job *job)
{
    struct callahead_answer answer;
    mono_us now = mono_now(), patience = MONO_MS(job->profile.keys->timeout);
    struct asking asking = {.pool = pool,
                            .profile = &job->profile,
                            .recipient = job->recipient,
                            .memory = job->memory,
                            .key = job->key,
                            .base = job->base,
                            .base_recipient = job->base_recipient,
                            .started = now,
                            .anew = true,
                            .answer = &answer};
    mono_us deadline = now + (patience < JOB_PATIENCE ? patience : JOB_PATIENCE);
    if (job->random) {
        (void)inquire_random(&asking, &job->where, deadline);
        return;
    }
    inquire(&asking, &job->where, deadline);
    atomic_fetch_add_explicit(&pool->refreshed, 1, memory_order_relaxed);
}

/* The next job; NULL: it is time to write, or the pool ends. */
static struct job *wait_for_job(struct callahead *pool, bool *write_out, bool *stopping_out)
{
    struct job *job = NULL;
    pthread_mutex_lock(&pool->lock);
    while (!pool->jobs && !pool->stopping &&
           mono_cond_wait(&pool->keeper_work, &pool->lock, pool->write_at)) {
    }
    *stopping_out = pool->stopping;
    *write_out = pool->write_every > 0 && (pool->stopping || mono_now() >= pool->write_at);
    if (pool->jobs && !pool->stopping) {
        job = pool->jobs;
        pool->jobs = job->next;
        if (!pool->jobs)
            pool->last_job = &pool->jobs;
        pool->njobs--;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

/* Where something has changed since; up to which change it is written now. */
static unsigned write_down(struct callahead *pool, unsigned written)
{
    unsigned changes = atomic_load(&pool->changes);
    mono_us began = mono_now();
    if (changes != written)
        state_write(pool);
    mono_us ended = mono_now(),
            pause = (ended - began) * 50; /* what takes long is done less often */
    pthread_mutex_lock(&pool->lock);
    pool->write_at = ended + (pause > pool->write_every ? pause : pool->write_every);
    pthread_mutex_unlock(&pool->lock);
    return changes;
}

void keeper_write(struct callahead *pool, mono_us every)
{
    pthread_mutex_lock(&pool->lock);
    pool->write_every = every;
    pool->write_at = mono_now() + every;
    pthread_cond_signal(&pool->keeper_work);
    pthread_mutex_unlock(&pool->lock);
}

static void *run(void *arg)
{
    struct callahead *pool = arg;
    bool stopping = false, write = false;
    unsigned written = 0;
    while (!stopping) {
        struct job *job = wait_for_job(pool, &write, &stopping);
        if (job) {
            do_job(pool, job);
            job_free(job);
        }
        if (write)
            written = write_down(pool, written);
    }
    return NULL;
}

bool keeper_start(struct callahead *pool, struct err *err)
{
    sigset_t all, old;
    sigmask_of_threads(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0);
    int sys = pthread_create(&pool->keeper, NULL, run, pool);
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    pool->keeper_runs = sys == 0;
    return sys == 0 || err_system(err, sys, "call-ahead: starting a thread");
}

void keeper_stop(struct callahead *pool)
{
    pthread_mutex_lock(&pool->lock);
    pthread_cond_signal(&pool->keeper_work);
    pthread_mutex_unlock(&pool->lock);
    if (pool->keeper_runs)
        CHECK(pthread_join(pool->keeper, NULL) == 0);
    pool->keeper_runs = false;
    while (pool->jobs) {
        struct job *next = pool->jobs->next;
        job_free(pool->jobs);
        pool->jobs = next;
    }
}
