/* logqueue.c - see logqueue.h. */
#include "lib/base/logqueue.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* Before each line in the buffer. */
struct record {
    int64_t when;
    uint16_t n;
    uint8_t level;
};

static struct {
    pthread_mutex_t mutex; /* guards all but what is noted */
    pthread_cond_t wake, end;
    char *filling, *writing;       /* owned; writing belongs to the thread */
    size_t n;                      /* bytes in filling */
    uint64_t dropped;              /* lines behind those, for which there was no room */
    bool running, stopping, ended; /* ended: the thread */
    bool abandoned;                /* the thread never ended */
    struct logqueue_writer writer; /* constant while running */
    pthread_t thread;              /* main thread's */
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void write_records(const char *from, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct record record;
        memcpy(&record, from + at, sizeof record);
        at += sizeof record;
        struct logqueue_line line = {
            .level = record.level, .when = record.when, .text = {from + at, record.n}};
        at += record.n;
        queue.writer.write(&line, at < n);
    }
}

/* Sleep until there is something, then give others the time to add to it. */
static void gather_locked(void)
{
    while (queue.n == 0 && !queue.stopping)
        (void)mono_cond_wait(&queue.wake, &queue.mutex, MONO_NEVER);
    mono_us deadline = mono_now() + LOGQUEUE_DELAY;
    while (queue.n < LOGQUEUE_ROOM / 2 && !queue.stopping &&
           mono_cond_wait(&queue.wake, &queue.mutex, deadline))
        ;
}

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&queue.mutex);
    while (!queue.stopping || queue.n > 0) {
        gather_locked();
        size_t n = queue.n;
        uint64_t dropped = queue.dropped;
        char *full = queue.filling;
        queue.filling = queue.writing;
        queue.writing = full;
        queue.n = 0;
        queue.dropped = 0;
        pthread_mutex_unlock(&queue.mutex);
        write_records(full, n);
        queue.writer.written(dropped);
        pthread_mutex_lock(&queue.mutex);
    }
    queue.ended = true;
    pthread_cond_signal(&queue.end);
    pthread_mutex_unlock(&queue.mutex);
    return NULL;
}

static void release(void)
{
    free(queue.filling);
    free(queue.writing);
    queue.filling = queue.writing = NULL;
    pthread_cond_destroy(&queue.wake);
    pthread_cond_destroy(&queue.end);
}

bool logqueue_start(const struct logqueue_writer *writer, struct err *err)
{
    if (!mono_cond_init(&queue.wake))
        return err_set(err, ERR_MEMORY, "out of memory");
    if (!mono_cond_init(&queue.end)) {
        pthread_cond_destroy(&queue.wake);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    queue.filling = malloc(LOGQUEUE_ROOM);
    queue.writing = malloc(LOGQUEUE_ROOM);
    queue.writer = *writer;
    queue.stopping = queue.ended = false;
    int sys =
        queue.filling && queue.writing ? pthread_create(&queue.thread, NULL, run, NULL) : ENOMEM;
    if (sys != 0) {
        release();
        return err_system(err, sys, "cannot start the log's thread");
    }
    pthread_mutex_lock(&queue.mutex);
    queue.running = true;
    pthread_mutex_unlock(&queue.mutex);
    return true;
}

bool logqueue_stop(mono_us deadline)
{
    pthread_mutex_lock(&queue.mutex);
    bool running = queue.running;
    queue.running = false;
    queue.stopping = true;
    if (running)
        pthread_cond_signal(&queue.wake);
    while (running && !queue.ended && mono_cond_wait(&queue.end, &queue.mutex, deadline))
        ;
    queue.abandoned = queue.abandoned || (running && !queue.ended);
    bool abandoned = queue.abandoned;
    pthread_mutex_unlock(&queue.mutex);
    if (running && !abandoned) {
        pthread_join(queue.thread, NULL);
        release();
    } else if (running) {
        pthread_detach(queue.thread);
    }
    return !abandoned;
}

static void append_locked(const struct logqueue_line *line)
{
    struct record record = {
        .when = line->when, .n = (uint16_t)line->text.n, .level = (uint8_t)line->level};
    size_t n = sizeof record + line->text.n;

    memcpy(queue.filling + queue.n, &record, sizeof record);
    memcpy(queue.filling + queue.n + sizeof record, line->text.p, line->text.n);
    /* The thread sleeps for the first line and may be woken by plenty. */
    bool tell = queue.n == 0 || (queue.n < LOGQUEUE_ROOM / 2 && queue.n + n >= LOGQUEUE_ROOM / 2);
    queue.n += n;
    if (tell)
        pthread_cond_signal(&queue.wake);
}

enum logqueue_result logqueue_put(const struct logqueue_line *line)
{
    enum logqueue_result result = LOGQUEUE_TAKEN;

    CHECK(line->text.n <= UINT16_MAX);
    pthread_mutex_lock(&queue.mutex);
    if (queue.abandoned) {
        result = LOGQUEUE_DROPPED;
    } else if (!queue.running) {
        result = LOGQUEUE_NOT_RUNNING;
    } else if (queue.dropped > 0 ||
               sizeof(struct record) + line->text.n > LOGQUEUE_ROOM - queue.n) {
        queue.dropped++; /* short ones, too: the count stands where the gap is */
        result = LOGQUEUE_DROPPED;
    } else {
        append_locked(line);
    }
    pthread_mutex_unlock(&queue.mutex);
    return result;
}
