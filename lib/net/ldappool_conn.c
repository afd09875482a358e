/*
 * ldappool_conn.c - one connection to a directory: a thread that opens it,
 * sends the searches of the questions in the queue, hands out what comes back
 * and ends when idle. See ldappool_inner.h.
 */
#include "lib/net/ldappool_inner.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "lib/base/log.h"
#include "lib/base/sigmask.h"

#define STACK_BYTES (512 * 1024) /* GnuTLS runs on it */
#define IDLE_TIME MONO_SECONDS(60)
#define BACKUP_TIME MONO_SECONDS(60) /* then the servers before it are tried again */
#define END_TIME MONO_SECONDS(60)    /* from an entry to the end of its search */
#define MESSAGES_AT_ONCE 64          /* then deadlines are looked at */
#define ENTRIES_MAX 16               /* of one search: more than we asked for */
#define ABANDONED_MAX 16             /* the library remembers each */

struct slot {
    struct question *question; /* NULL: free */
    int id;
    mono_us sent;
    unsigned messages;
    bool answered;  /* the asker has it; only the end is missing */
    bool elsewhere; /* a reference came */
};

struct conn {
    struct directory *directory;
    struct ldaplink *link;
    size_t server;
    mono_us opened, heard, idle_since;
    bool proven; /* it answered a search */
    unsigned n, abandoned;
    struct err err;
    struct slot slots[DIRECTORY_SEARCHES_MAX];
};

/* --- servers ------------------------------------------------------------------------ */

static const char *uri_of(const struct conn *conn)
{
    return conn->directory->server[conn->server].uri;
}

/* One pause for all connections that fail at the same time; none for what is lacking
 * here. */
static void server_failed(struct conn *conn)
{
    struct directory *directory = conn->directory;
    struct directory_server *server = &directory->server[conn->server];

    if (err_is_shortage(&conn->err)) {
        ldappool_tell_shortage(directory->pool, directory->name, &conn->err);
        return;
    }
    pthread_mutex_lock(&directory->pool->lock);
    mono_us pause = backoff_failed(&server->backoff, mono_now(), conn->err.text);
    pthread_mutex_unlock(&directory->pool->lock);
    if (pause > 0)
        log_note(LOG_AT_WARNING, "ldap", "[ldap %s] %s: %s; not asked for %lld s", directory->name,
                 server->uri, conn->err.text, (long long)(pause / MONO_SECONDS(1)));
}

static void server_works(struct conn *conn)
{
    struct directory_server *server = &conn->directory->server[conn->server];

    conn->proven = true;
    pthread_mutex_lock(&conn->directory->pool->lock);
    bool was_ill = backoff_worked(&server->backoff);
    pthread_mutex_unlock(&conn->directory->pool->lock);
    if (was_ill)
        log_note(LOG_AT_INFO, "ldap", "[ldap %s] %s answers again", conn->directory->name,
                 server->uri);
}

static bool is_stopping(const struct conn *conn)
{
    pthread_mutex_lock(&conn->directory->pool->lock);
    bool stopping = conn->directory->pool->stopping;
    pthread_mutex_unlock(&conn->directory->pool->lock);
    return stopping;
}

static bool in_pause(const struct conn *conn, size_t server)
{
    pthread_mutex_lock(&conn->directory->pool->lock);
    bool paused = backoff_is_on(&conn->directory->server[server].backoff, mono_now());
    pthread_mutex_unlock(&conn->directory->pool->lock);
    return paused;
}

static void count_ready(struct conn *conn, int by)
{
    pthread_mutex_lock(&conn->directory->pool->lock);
    conn->directory->ready += (unsigned)by;
    pthread_mutex_unlock(&conn->directory->pool->lock);
}

/* In order, the first that is not in a pause and can be bound to. */
static bool open_link(struct conn *conn)
{
    struct directory *directory = conn->directory;

    if (conn->err.kind == ERR_NONE)
        ldappool_say_paused(directory, &conn->err);
    for (size_t i = 0; i < directory->nservers && !is_stopping(conn); i++) {
        if (in_pause(conn, i))
            continue;
        mono_us deadline = mono_now() + directory->connect_timeout;
        conn->server = i;
        conn->link =
            ldaplink_open(&directory->settings, &directory->pool->dialer, directory->server[i].uri,
                          directory->pool->stop_fd, deadline, &conn->err);
        if (conn->link != NULL) {
            conn->opened = conn->heard = conn->idle_since = mono_now();
            conn->proven = false;
            conn->abandoned = 0;
            count_ready(conn, 1);
            return true;
        }
        if (conn->err.sys != ECANCELED)
            server_failed(conn);
    }
    return false;
}

/* --- searches ----------------------------------------------------------------------- */

static void free_slot(struct conn *conn, struct slot *slot)
{
    *slot = (struct slot){0};
    conn->idle_since = mono_now();
    conn->n--;
}

static void answer_slot(struct conn *conn, struct slot *slot, enum directory_class class,
                        const char *hosts, const char *addresses)
{
    struct ldap_answer answer = {.said.class = class};
    snprintf(answer.said.server, sizeof answer.said.server, "%s", uri_of(conn));
    snprintf(answer.hosts, sizeof answer.hosts, "%s", hosts);
    snprintf(answer.addresses, sizeof answer.addresses, "%s", addresses);
    slot->answered = true;
    ldappool_finish(slot->question, &answer);
    slot->question = NULL;
}

/* false: the connection is broken. */
static bool begin_search(struct conn *conn, struct question *question)
{
    struct slot *slot = conn->slots;
    while (slot->question != NULL || slot->answered)
        slot++;
    if (!ldaplink_search(conn->link, &question->search, &slot->id, &conn->err)) {
        ldappool_again(question, uri_of(conn), conn->err.text);
        return false;
    }
    slot->question = question;
    slot->sent = mono_now();
    conn->n++;
    return true;
}

static struct slot *find_slot(struct conn *conn, int id)
{
    for (size_t i = 0; i < ARRAY_LEN(conn->slots); i++) {
        struct slot *slot = &conn->slots[i];
        if ((slot->question != NULL || slot->answered) && slot->id == id)
            return slot;
    }
    return NULL;
}

static const struct ldaplink_search *find_search(void *arg, int id)
{
    static const struct ldaplink_search over = {.base = ""};
    const struct slot *slot = find_slot(arg, id);
    if (slot == NULL)
        return NULL;
    return slot->question != NULL ? &slot->question->search : &over;
}

/* One host lost would be another answer. Of addresses two are as good as many. */
static bool is_too_long(const struct ldaplink_message *message)
{
    return message->cut[ROUTING_CALLAHEAD] || message->cut[ROUTING_HOST] ||
           (message->cut[ROUTING_ADDRESS] &&
            strchr(message->values[ROUTING_ADDRESS], '\n') == NULL);
}

static void on_entry(struct conn *conn, struct slot *slot, const struct ldaplink_message *message)
{
    if (slot->answered)
        return;
    if (is_too_long(message)) {
        slot->answered = true;
        ldappool_fail(slot->question, uri_of(conn),
                      "the entry's hosts or addresses are too long, or hold a control byte");
        slot->question = NULL;
        return;
    }
    const char *ahead = message->values[ROUTING_CALLAHEAD];
    answer_slot(conn, slot, DIRECTORY_MATCH,
                ahead[0] != '\0' ? ahead : message->values[ROUTING_HOST],
                message->values[ROUTING_ADDRESS]);
}

static void on_end(struct conn *conn, struct slot *slot)
{
    if (!slot->answered && slot->elsewhere)
        ldappool_fail(slot->question, uri_of(conn), "the server refers to another directory");
    else if (!slot->answered)
        answer_slot(conn, slot, DIRECTORY_NO_MATCH, "", "");
    free_slot(conn, slot);
}

/* The server could do it, but did not want to: no reason to leave it. */
static void on_refusal(struct conn *conn, struct slot *slot, const char *text)
{
    if (!slot->answered)
        ldappool_fail(slot->question, uri_of(conn), text);
    free_slot(conn, slot);
}

/* false: the connection is broken. */
static bool on_message(struct conn *conn, enum ldaplink_event event,
                       const struct ldaplink_message *message)
{
    struct slot *slot = find_slot(conn, message->id);

    if (slot == NULL || event == LDAPLINK_BROKEN)
        return false;
    if (event == LDAPLINK_UNABLE && conn->directory->nservers > 1) {
        conn->proven = false; /* others may be able: it gets a pause, they what it was asked */
        return false;
    }
    conn->heard = mono_now();
    if (!conn->proven)
        server_works(conn);
    if (++slot->messages > ENTRIES_MAX)
        return err_set(&conn->err, ERR_PEER, "the server sends more entries than were asked for");
    switch (event) {
    case LDAPLINK_ENTRY:
        on_entry(conn, slot, message);
        break;
    case LDAPLINK_ELSEWHERE:
        slot->elsewhere = true;
        break;
    case LDAPLINK_END:
        on_end(conn, slot);
        break;
    case LDAPLINK_REFUSED:
    case LDAPLINK_UNABLE:
        on_refusal(conn, slot, conn->err.text);
        break;
    case LDAPLINK_NOTHING:
    case LDAPLINK_SKIPPED:
    case LDAPLINK_BROKEN:
        break;
    }
    return true;
}

/* false: broken. */
static bool read_messages(struct conn *conn, bool *more_out)
{
    struct ldaplink_message message = {0};

    *more_out = false;
    for (unsigned i = 0; i < MESSAGES_AT_ONCE; i++) {
        enum ldaplink_event event =
            ldaplink_next(conn->link, find_search, conn, &message, &conn->err);
        if (event == LDAPLINK_NOTHING)
            return true;
        if (!on_message(conn, event, &message))
            return false;
    }
    *more_out = true;
    return true;
}

/* next_out: when a search will have taken too long. false: one has, and the
 * server said nothing at all since it was sent; or there were many such. */
static bool look_at_time(struct conn *conn, mono_us *next_out)
{
    mono_us now = mono_now();

    for (size_t i = 0; i < ARRAY_LEN(conn->slots); i++) {
        struct slot *slot = &conn->slots[i];
        if (slot->question == NULL && !slot->answered)
            continue;
        mono_us until = slot->sent + (slot->answered ? END_TIME : slot->question->search.timeout);
        if (until > now) {
            *next_out = until < *next_out ? until : *next_out;
            continue;
        }
        if (conn->heard < slot->sent)
            return err_set(&conn->err, ERR_TIMEOUT, "searching: no answer in time");
        if (slot->answered || conn->abandoned++ >= ABANDONED_MAX)
            return err_set(&conn->err, ERR_PEER, "too many searches have no end");
        ldaplink_abandon(conn->link, slot->id);
        on_refusal(conn, slot, "searching: no answer in time");
    }
    return true;
}

/* --- the connection's life ------------------------------------------------------------ */

/* false: broken. */
static bool take_questions(struct conn *conn)
{
    eventfd_t one;
    while (conn->n < DIRECTORY_SEARCHES_MAX && eventfd_read(conn->directory->wake_fd, &one) == 0) {
        struct question *question = ldappool_take(conn->directory);
        if (question == NULL)
            continue;
        if (mono_now() >= question->deadline)
            ldappool_fail(question, "", "no answer in time");
        else if (!begin_search(conn, question))
            return false;
    }
    return true;
}

static bool is_over(const struct conn *conn)
{
    mono_us now = mono_now();
    return conn->n == 0 && (now - conn->idle_since >= IDLE_TIME ||
                            (conn->server > 0 && now - conn->opened >= BACKUP_TIME));
}

/* Until it is broken (false) or not needed any more. */
static bool serve(struct conn *conn)
{
    bool more = false;

    while (!is_stopping(conn) && !is_over(conn)) {
        mono_us next = conn->n == 0 ? mono_now() + IDLE_TIME : MONO_NEVER;
        if (!take_questions(conn) || !read_messages(conn, &more) || !look_at_time(conn, &next))
            return false;
        if (more)
            continue;
        struct pollfd fds[] = {
            {ldaplink_fd(conn->link), POLLIN, 0},
            {conn->directory->pool->stop_fd, POLLIN, 0},
            {conn->n < DIRECTORY_SEARCHES_MAX ? conn->directory->wake_fd : -1, POLLIN, 0},
        };
        if (poll(fds, ARRAY_LEN(fds), mono_poll_ms(next)) < 0 && errno != EINTR)
            return err_system(&conn->err, errno, "waiting for the server");
    }
    return true;
}

/* A server that closes an idle connection, or one that has long worked, is not
 * ill: the questions are asked once more. */
static void close_link(struct conn *conn, bool broken)
{
    bool dead = broken && (conn->err.kind == ERR_TIMEOUT || (!conn->proven && conn->n > 0));

    ldaplink_close(conn->link);
    conn->link = NULL;
    count_ready(conn, -1);
    conn->n = 0;
    if (dead)
        server_failed(conn);
    for (size_t i = 0; i < ARRAY_LEN(conn->slots); i++) {
        struct question *question = conn->slots[i].question;
        conn->slots[i] = (struct slot){0};
        if (question != NULL && broken)
            ldappool_again(question, uri_of(conn), conn->err.text);
        else if (question != NULL)
            ldappool_fail(question, uri_of(conn), "ending");
    }
}

/* Others take what waits, or fail in their turn; without any nobody can. */
static void fail_waiting(struct conn *conn)
{
    struct question *question = NULL;

    pthread_mutex_lock(&conn->directory->pool->lock);
    bool alone = conn->directory->threads == 1 || conn->directory->pool->stopping;
    pthread_mutex_unlock(&conn->directory->pool->lock);
    while (alone && (question = ldappool_take(conn->directory)) != NULL)
        ldappool_fail(question, uri_of(conn), conn->err.text);
}

/* Whether the thread may end: nothing came in meanwhile that only it can do. */
static bool leave(struct conn *conn)
{
    struct directory *directory = conn->directory;
    struct ldappool *pool = directory->pool;

    pthread_mutex_lock(&pool->lock);
    bool over = directory->queued == 0 || directory->threads > 1;
    if (over) {
        directory->threads--;
        if (--pool->threads == 0)
            pthread_cond_broadcast(&pool->ended);
    }
    pthread_mutex_unlock(&pool->lock);
    return over;
}

static void *run(void *arg)
{
    struct conn *conn = arg;

    do {
        conn->err = (struct err){0};
        if (open_link(conn))
            close_link(conn, !serve(conn));
        else
            fail_waiting(conn);
    } while (!leave(conn));
    free(conn);
    return NULL;
}

bool ldappool_conn_start(struct directory *directory, struct err *err)
{
    struct conn *conn = calloc(1, sizeof *conn);
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;

    if (conn == NULL || pthread_attr_init(&attr) != 0) {
        free(conn);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    conn->directory = directory;
    sigmask_of_threads(&all);
    CHECK(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
    CHECK(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int sys = pthread_create(&thread, &attr, run, conn);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    pthread_attr_destroy(&attr);
    if (sys == 0)
        return true;
    free(conn);
    return err_system(err, sys, "starting a thread");
}
