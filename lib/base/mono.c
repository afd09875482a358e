/* mono.c - see mono.h. */
#include "lib/base/mono.h"

#include <errno.h>
#include <limits.h>
#include <time.h>

/* How long a wait sleeps before it looks at a simulated clock again. */
#define SIMULATED_SLICE MONO_MS(5)

#ifdef CLOCK_BOOTTIME
#define SINCE_BOOT CLOCK_BOOTTIME
#else
#define SINCE_BOOT CLOCK_MONOTONIC
#endif

static const mono_us *simulated_clock;
static const int64_t *simulated_wall;

static mono_us read_clock(clockid_t id)
{
    struct timespec now;
    CHECK(clock_gettime(id, &now) == 0);
    return MONO_SECONDS(now.tv_sec) + now.tv_nsec / 1000;
}

static const mono_us *simulated(void)
{
    return __atomic_load_n(&simulated_clock, __ATOMIC_ACQUIRE);
}

static mono_us steady(clockid_t id)
{
    const mono_us *clock = simulated();
    return clock ? __atomic_load_n(clock, __ATOMIC_RELAXED) : read_clock(id);
}

mono_us mono_now(void)
{
    return steady(CLOCK_MONOTONIC);
}

mono_us mono_since_boot(void)
{
    return steady(SINCE_BOOT);
}

int64_t mono_wall_us(void)
{
    const int64_t *clock = __atomic_load_n(&simulated_wall, __ATOMIC_ACQUIRE);
    return clock ? __atomic_load_n(clock, __ATOMIC_RELAXED) : read_clock(CLOCK_REALTIME);
}

int64_t mono_wall_seconds(void)
{
    return mono_wall_us() / MONO_SECONDS(1);
}

const char *mono_wall_at(int64_t seconds, char text[MONO_WALL_TEXT_MAX])
{
    time_t at = (time_t)seconds;
    struct tm tm = {0};
    gmtime_r(&at, &tm);
    if (strftime(text, MONO_WALL_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        text[0] = '\0';
    return text;
}

int mono_poll_ms(mono_us deadline)
{
    if (deadline == MONO_NEVER)
        return -1;
    mono_us now = mono_now();
    if (deadline <= now)
        return 0;
    mono_us ms = (deadline - now - 1) / MONO_MS(1) + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

bool mono_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    bool ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(cond, &attr) == 0;
    pthread_condattr_destroy(&attr);
    return ok;
}

bool mono_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, mono_us deadline)
{
    mono_us until = deadline;
    bool sliced = simulated() != NULL;
    if (deadline <= mono_now())
        return false;
    /* Nobody signals when a simulated clock moves, so look again shortly. */
    if (sliced)
        until = read_clock(CLOCK_MONOTONIC) + SIMULATED_SLICE;
    if (until == MONO_NEVER) {
        CHECK(pthread_cond_wait(cond, mutex) == 0);
        return true;
    }
    struct timespec at = {.tv_sec = (time_t)(until / MONO_SECONDS(1)),
                          .tv_nsec = (long)(until % MONO_SECONDS(1)) * 1000};
    int rc = pthread_cond_timedwait(cond, mutex, &at);
    CHECK(rc == 0 || rc == ETIMEDOUT);
    return rc == 0 || (sliced && mono_now() < deadline);
}

void mono_simulate(const mono_us *simulated_now)
{
    __atomic_store_n(&simulated_clock, simulated_now, __ATOMIC_RELEASE);
}

void mono_simulate_wall(const int64_t *simulated_us)
{
    __atomic_store_n(&simulated_wall, simulated_us, __ATOMIC_RELEASE);
}
