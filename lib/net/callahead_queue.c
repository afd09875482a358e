/* callahead_queue.c - see callahead_queue.h. */
#include "lib/net/callahead_queue.h"

#include "lib/net/callahead_pool.h"

#define PROBES 8 /* places in which the standing of a client may be */

/* --- lists --------------------------------------------------------------------------- */

void question_list_init(struct question_list *list)
{
    *list = (struct question_list){.last = &list->first};
}

void question_list_add(struct question_list *list, struct question *question)
{
    question->queue_next = NULL;
    *list->last = question;
    list->last = &question->queue_next;
    list->n++;
}

struct question *question_list_take(struct question_list *list)
{
    struct question *question = list->first;
    if (!question)
        return NULL;
    list->first = question->queue_next;
    if (!list->first)
        list->last = &list->first;
    list->n--;
    return question;
}

/* --- standing ------------------------------------------------------------------------ */

static mono_us took_lately(const struct queue_standing *standing, mono_us now)
{
    mono_us halvings = (now - standing->took_at) / QUEUE_HALF_LIFE;
    return halvings < 40 ? standing->took >> halvings : 0;
}

static bool is_here(const struct queue_standing *standing)
{
    return standing->waiting + standing->asked > 0;
}

/* The client's, or the place of whoever is not here and took the least. */
static size_t standing_of(struct queue *queue, uint64_t client, mono_us now)
{
    size_t best = QUEUE_CLIENTS;
    for (size_t i = 0; i < PROBES; i++) {
        size_t at = (size_t)(client + i) % QUEUE_CLIENTS;
        struct queue_standing *standing = &queue->standing[at];
        if (standing->client == client && (is_here(standing) || standing->took > 0))
            return at;
        if (!is_here(standing) &&
            (best == QUEUE_CLIENTS ||
             took_lately(standing, now) < took_lately(&queue->standing[best], now)))
            best = at;
    }
    if (best < QUEUE_CLIENTS)
        queue->standing[best] = (struct queue_standing){.client = client, .took_at = now};
    return best;
}

static void begin_waiting(struct queue *queue, struct question *question)
{
    question->queued = true;
    queue->clients += queue->standing[question->standing].waiting++ == 0;
}

static void end_waiting(struct queue *queue, struct question *question)
{
    question->queued = false;
    CHECK(queue->standing[question->standing].waiting > 0);
    queue->clients -= --queue->standing[question->standing].waiting == 0;
}

/* --- coming and going ---------------------------------------------------------------- */

void queue_init(struct queue *queue)
{
    *queue = (struct queue){.n = 0};
}

void queue_add(struct queue *queue, struct question *question, mono_us now)
{
    question->standing = standing_of(queue, question->client, now);
    begin_waiting(queue, question);
    question->queue_next = NULL;
    question->queue_previous = queue->last;
    *(queue->last ? &queue->last->queue_next : &queue->first) = question;
    queue->last = question;
    queue->n++;
}

static void put_first(struct queue *queue, struct question *question)
{
    begin_waiting(queue, question);
    question->queue_previous = NULL;
    question->queue_next = queue->first;
    *(queue->first ? &queue->first->queue_previous : &queue->last) = question;
    queue->first = question;
    queue->n++;
}

/* From its end. */
static void put_all_first(struct queue *queue, struct question *last)
{
    while (last) {
        struct question *before = last->queue_previous;
        CHECK(last->taken && queue->standing[last->standing].asked > 0);
        queue->standing[last->standing].asked--;
        last->taken = false;
        put_first(queue, last);
        last = before;
    }
}

void queue_put_back(struct queue *queue, struct question_list *list)
{
    struct question *last = NULL;
    for (struct question *question = list->first; question; question = question->queue_next) {
        question->queue_previous = last;
        last = question;
    }
    question_list_init(list);
    put_all_first(queue, last);
}

static void unlink_question(struct queue *queue, struct question *question)
{
    struct question *before = question->queue_previous, *after = question->queue_next;
    *(before ? &before->queue_next : &queue->first) = after;
    *(after ? &after->queue_previous : &queue->last) = before;
    queue->n--;
    end_waiting(queue, question);
}

void queue_share(struct queue *queue, struct question *question, uint64_t client, mono_us now)
{
    if (question->client == client)
        return;
    size_t other = standing_of(queue, client, now);
    const struct queue_standing *own = &queue->standing[question->standing];
    /* With fewer before it. */
    if (queue->standing[other].waiting + queue->standing[other].asked + 1 >=
        own->waiting + own->asked)
        return;
    end_waiting(queue, question);
    question->client = client;
    question->standing = other;
    begin_waiting(queue, question);
}

void queue_over(struct queue *queue, struct question *question, mono_us now)
{
    struct queue_standing *standing = &queue->standing[question->standing];
    if (!question->taken)
        return;
    CHECK(standing->asked > 0);
    question->taken = false;
    standing->asked--;
    standing->took = took_lately(standing, now) + (now - question->taken_at);
    standing->took_at = now;
}

void queue_drain(struct queue *queue, struct question_list *list)
{
    while (queue->first) {
        struct question *question = queue->first;
        unlink_question(queue, question);
        question_list_add(list, question);
    }
}

/* --- whose turn it is ------------------------------------------------------------------ */

static bool would_hold_all(const struct queue *queue, const struct queue_standing *standing,
                           const struct queue_wanted *wanted)
{
    return queue->clients > 1 && wanted->connections > 1 &&
           standing->asked + 1 >= wanted->connections;
}

/* Less is better. */
static unsigned burden(const struct queue *queue, const struct queue_standing *standing,
                       const struct queue_wanted *wanted)
{
    unsigned burden = standing->asked;
    if (took_lately(standing, wanted->now) > QUEUE_LONG)
        burden += 2;
    if (would_hold_all(queue, standing, wanted))
        burden += 1000;
    return burden;
}

/* The first question of the client whose turn it is. */
static struct question *next_client(struct queue *queue, const struct queue_wanted *wanted)
{
    struct question *best = NULL;
    unsigned least = 0;
    bool oldest = ++queue->turn % QUEUE_OLDEST == 0;
    if (queue->clients == 1)
        return queue->first;
    queue->search++;
    for (struct question *question = queue->first; question; question = question->queue_next) {
        struct queue_standing *standing = &queue->standing[question->standing];
        if (standing->seen == queue->search)
            continue;
        standing->seen = queue->search;
        unsigned now =
            oldest ? would_hold_all(queue, standing, wanted) : burden(queue, standing, wanted);
        if (!best || now < least || (now == least && wanted->newest_first && !oldest)) {
            best = question;
            least = now;
        }
    }
    return best;
}

static bool is_fit(const struct queue_wanted *wanted, const struct question *question)
{
    return (wanted->fresh || !question->fresh) && question->not_before <= wanted->since;
}

static void take(struct queue *queue, struct question *question, mono_us now,
                 struct question_list *list)
{
    unlink_question(queue, question);
    queue->standing[question->standing].asked++;
    question->taken = true;
    question->taken_at = now;
    question_list_add(list, question);
}

void queue_take(struct queue *queue, const struct queue_wanted *wanted, struct question_list *list)
{
    size_t enough = list->n + wanted->n;
    bool all = queue->n <= wanted->n;
    while (list->n < enough && queue->first) {
        struct question *question = all ? queue->first : next_client(queue, wanted);
        size_t standing = question->standing;
        while (question && list->n < enough) {
            struct question *next = question->queue_next;
            bool his = question->standing == standing;
            if (his && !is_fit(wanted, question))
                return;
            if (his)
                take(queue, question, wanted->now, list);
            if (his && queue->standing[standing].waiting == 0)
                break;
            question = next;
        }
    }
}
