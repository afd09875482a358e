#include "milter/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "milter/control_listen.h"
#include "milter/reserve.h"

/* accept() without descriptors left: the backlog would make poll() spin. */
#define OUT_OF_DESCRIPTORS_PAUSE MONO_MS(200)

enum step {
    STEP_FREE,
    STEP_READING, /* the request */
    STEP_QUEUED,  /* for main */
    STEP_IN_MAIN, /* main is at it */
    STEP_ANSWERED,
    STEP_WRITING /* the reply */
};

/* Belongs to the control thread, but to main in STEP_IN_MAIN. */
struct client {
    enum step step; /* under control->lock */
    uint64_t turn;  /* first come, first served */
    int fd;
    uid_t user;
    bool holds; /* what its first request was answered with */
    mono_us deadline;
    char line[WIRE_REQUEST_MAX + 1];
    size_t line_n;
    struct wire_request request;
    const struct control_verb *verb;
    enum wire_status status;
    struct strbuf text;
    char head[WIRE_HEAD_MAX];
    size_t head_n, sent; /* of head and text together */
};

struct control {
    struct control_setup setup;
    struct socketfile file;
    int listen_fd, wake_fd;
    bool running; /* the thread exists */
    pthread_t thread;
    pthread_mutex_t lock; /* a leaf: steps, stopping and let_go */
    bool stopping;
    bool let_go; /* main has to */
    uint64_t turn;
    mono_us accept_again;   /* no accept() before */
    mono_us complained;     /* when a stranger was last logged */
    struct reserve reserve; /* the thread's own */
    struct client clients[CONTROL_CLIENTS_MAX];
};

static enum step step_of(struct control *control, const struct client *client)
{
    pthread_mutex_lock(&control->lock);
    enum step step = client->step;
    pthread_mutex_unlock(&control->lock);
    return step;
}

static void set_step(struct control *control, struct client *client, enum step step)
{
    pthread_mutex_lock(&control->lock);
    client->step = step;
    pthread_mutex_unlock(&control->lock);
}

static void wake(const struct control *control)
{
    static const uint64_t one = 1;
    (void)!write(control->wake_fd, &one, sizeof one);
}

/* --- clients come to an end ---------------------------------------------------------- */

static void tell_main_to_let_go(struct control *control)
{
    pthread_mutex_lock(&control->lock);
    control->let_go = true;
    pthread_mutex_unlock(&control->lock);
    control->setup.poke();
}

static void hang_up(struct control *control, struct client *client)
{
    if (client->holds)
        tell_main_to_let_go(control);
    client->holds = false;
    close(client->fd);
    reserve_fill(&control->reserve, control->wake_fd);
    strbuf_done(&client->text);
    set_step(control, client, STEP_FREE);
}

/* Of those that have not asked yet, the one that came first; NULL: all have. */
static struct client *oldest_silent(struct control *control)
{
    struct client *oldest = NULL;

    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (step_of(control, client) == STEP_READING && !client->holds &&
            (oldest == NULL || client->turn < oldest->turn))
            oldest = client;
    }
    return oldest;
}

/* When it may be hung up on for one that waits. */
static mono_us yields_at(const struct client *silent)
{
    return silent->deadline - CONTROL_PATIENCE + CONTROL_GRACE;
}

static bool give_up_silent(struct control *control)
{
    struct client *client = oldest_silent(control);

    if (client == NULL || yields_at(client) > mono_now())
        return false;
    hang_up(control, client);
    return true;
}

/* --- replying --------------------------------------------------------------------- */

/* As much as fits. true: the client is finished with, one way or the other. */
static bool write_some(struct client *client)
{
    while (client->sent < client->head_n + client->text.n) {
        bool in_head = client->sent < client->head_n;
        size_t at = in_head ? client->sent : client->sent - client->head_n;
        const char *from = in_head ? client->head : client->text.p;
        size_t n = (in_head ? client->head_n : client->text.n) - at;
        ssize_t sent = send(client->fd, from + at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno != EAGAIN && errno != EINTR;
        client->sent += (size_t)sent;
    }
    return true;
}

/* Its next request may come. */
static void go_on_reading(struct control *control, struct client *client)
{
    strbuf_done(&client->text);
    strbuf_init(&client->text);
    client->line_n = 0;
    client->verb = NULL;
    client->deadline = mono_now() + control->setup.hold_patience;
    set_step(control, client, STEP_READING);
}

/* The reply is on its way, or cannot be sent. */
static void end_reply(struct control *control, struct client *client)
{
    bool whole = client->sent == client->head_n + client->text.n;

    if (whole && client->holds && client->status == WIRE_YES)
        go_on_reading(control, client);
    else
        hang_up(control, client);
}

static void begin_reply(struct control *control, struct client *client)
{
    if (client->text.failed || client->text.n > WIRE_REPLY_MAX) {
        strbuf_done(&client->text);
        strbuf_init(&client->text);
        client->status = WIRE_NO;
    }
    client->head_n = wire_print_head(client->status, client->text.n, client->head);
    client->sent = 0;
    client->deadline = mono_now() + CONTROL_READ_PATIENCE;
    if (write_some(client))
        end_reply(control, client);
    else
        set_step(control, client, STEP_WRITING);
}

static void refuse(struct control *control, struct client *client, enum wire_status status,
                   const char *words)
{
    client->status = status;
    strbuf_printf(&client->text, "%s\n", words);
    begin_reply(control, client);
}

/* --- requests ----------------------------------------------------------------------- */

static const struct control_verb *find_verb(const struct control *control, const char *name)
{
    for (size_t i = 0; i < control->setup.nverbs; i++) {
        if (strcmp(control->setup.verbs[i].name, name) == 0)
            return &control->setup.verbs[i];
    }
    return NULL;
}

static void put_words(const struct client *client, struct strbuf *out)
{
    for (size_t i = 0; i < client->request.nwords; i++)
        if (client->request.words[i][0] != '\0')
            strbuf_printf(out, " %s", client->request.words[i]);
}

/* After it: who asked for what, and what came of it, for which the first line of the answer
 * will do. */
static void log_request(const struct client *client)
{
    bool yes = client->status == WIRE_YES;
    const char *text = strbuf_text(&client->text);
    struct strbuf words;

    strbuf_init(&words);
    put_words(client, &words);
    log_note(LOG_AT_INFO, "control", "user %lu:%s: %s%s%.*s", (unsigned long)client->user,
             strbuf_text(&words),
             !yes                  ? "refused"
             : client->verb->holds ? "under way"
                                   : "done",
             yes || text[0] == '\0' ? "" : ": ", yes ? 0 : (int)strcspn(text, "\n"), text);
    strbuf_done(&words);
}

/* A client that holds something gives it back by its second request; where that is never made,
 * hang_up() sees to it. */
static void run_verb(const struct control *control, struct client *client)
{
    client->status = client->verb->run(control->setup.ctx, client->request.words + 1,
                                       client->request.nwords - 1, &client->text);
    if (client->verb->holds || client->verb->of_holder)
        client->holds = client->verb->holds && client->status == WIRE_YES;
    if (client->verb->logged)
        log_request(client);
}

static void take_request(struct control *control, struct client *client)
{
    struct err err;

    if (!wire_parse_request(client->line, client->line_n, &client->request, &err)) {
        refuse(control, client, WIRE_USAGE, err.text);
        return;
    }
    size_t n = client->request.nwords - 1;
    client->verb = find_verb(control, client->request.words[0]);
    if (client->verb == NULL || n < client->verb->least || n > client->verb->most ||
        client->verb->of_holder != client->holds) {
        refuse(control, client, WIRE_USAGE, "the running daemon does not know this request");
        return;
    }
    if (client->verb->in_main) {
        set_step(control, client, STEP_QUEUED);
        control->setup.poke();
        return;
    }
    run_verb(control, client);
    begin_reply(control, client);
}

static void read_some(struct control *control, struct client *client)
{
    size_t before = client->line_n;
    ssize_t n = recv(client->fd, client->line + before, WIRE_REQUEST_MAX - before, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(control, client);
        return;
    }
    const char *end = memchr(client->line + before, '\n', (size_t)n);
    client->line_n = before + (size_t)n;
    if (end != NULL) {
        client->line_n = (size_t)(end - client->line);
        take_request(control, client);
    } else if (client->line_n == WIRE_REQUEST_MAX) {
        refuse(control, client, WIRE_USAGE, "the request is too long");
    }
}

/* --- clients ------------------------------------------------------------------------- */

static struct client *free_client(struct control *control)
{
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (step_of(control, &control->clients[i]) == STEP_FREE)
            return &control->clients[i];
    }
    return NULL;
}

/* At most a line a second: it is a stranger who decides how often. */
static void log_stranger(struct control *control, const struct err *err)
{
    mono_us now = mono_now();

    if (control->complained != 0 && now - control->complained < MONO_SECONDS(1))
        return;
    control->complained = now;
    log_note(LOG_AT_WARNING, "control", "%s", err->text);
}

/* Without descriptors one that is held back will do, or that of a silent client, which
 * has become one. */
static int accept_client(struct control *control)
{
    int fd = accept4(control->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE))
        return fd;
    int sys = errno;
    if (reserve_give_up(&control->reserve) ||
        (give_up_silent(control) && reserve_give_up(&control->reserve)))
        return accept4(control->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    errno = sys;
    return fd;
}

static void begin_client(struct control *control, struct client *client, int fd)
{
    client->turn = control->turn++;
    client->fd = fd;
    client->holds = false;
    client->verb = NULL;
    client->deadline = mono_now() + CONTROL_PATIENCE;
    client->line_n = 0;
    strbuf_init(&client->text);
    set_step(control, client, STEP_READING);
}

static void accept_one(struct control *control, struct client *client)
{
    struct err err;
    int fd = accept_client(control);

    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            control->accept_again = mono_now() + OUT_OF_DESCRIPTORS_PAUSE;
        return;
    }
    begin_client(control, client, fd);
    if (peer_may(fd, &control->setup.rules, &client->user, &err))
        return;
    log_stranger(control, &err);
    refuse(control, client, WIRE_UNREACHABLE, err.text);
    if (step_of(control, client) == STEP_WRITING)
        hang_up(control, client); /* no waiting for strangers */
}

/* --- the thread ----------------------------------------------------------------------- */

struct watch {
    struct pollfd fds[CONTROL_CLIENTS_MAX + 2];
    struct client *clients[CONTROL_CLIENTS_MAX + 2]; /* whose; the first two are nobody's */
    nfds_t n;
    mono_us until;
};

static void watch_fd(struct watch *watch, int fd, short events, struct client *client)
{
    watch->fds[watch->n] = (struct pollfd){.fd = fd, .events = events};
    watch->clients[watch->n++] = client;
}

static void watch_client(struct control *control, struct watch *watch, struct client *client)
{
    enum step step = step_of(control, client);

    if (step == STEP_ANSWERED) {
        begin_reply(control, client);
        step = step_of(control, client);
    }
    if (step != STEP_READING && step != STEP_WRITING)
        return;
    if (client->deadline <= mono_now()) {
        hang_up(control, client);
        return;
    }
    watch_fd(watch, client->fd, step == STEP_READING ? POLLIN : POLLOUT, client);
    if (client->deadline < watch->until)
        watch->until = client->deadline;
}

/* When the next one may come in. */
static mono_us room_at(struct control *control)
{
    mono_us at = control->accept_again;

    if (free_client(control) == NULL) {
        const struct client *silent = oldest_silent(control);
        mono_us left = silent != NULL ? yields_at(silent) : MONO_NEVER;
        at = left > at ? left : at;
    }
    return at;
}

static void set_watch(struct control *control, struct watch *watch)
{
    *watch = (struct watch){.until = MONO_NEVER};
    watch_fd(watch, control->wake_fd, POLLIN, NULL);
    watch_fd(watch, -1, POLLIN, NULL); /* the listening socket, below */
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
        watch_client(control, watch, &control->clients[i]);
    mono_us room = room_at(control);
    if (room <= mono_now())
        watch->fds[1].fd = control->listen_fd;
    else if (room < watch->until)
        watch->until = room;
}

static void serve_watched(struct control *control, const struct watch *watch)
{
    uint64_t count;

    if (watch->fds[0].revents != 0)
        (void)!read(control->wake_fd, &count, sizeof count);
    for (nfds_t i = 2; i < watch->n; i++) {
        struct client *client = watch->clients[i];
        if (watch->fds[i].revents == 0)
            continue;
        if (step_of(control, client) == STEP_READING)
            read_some(control, client);
        else if (write_some(client))
            end_reply(control, client);
    }
    if (watch->fds[1].revents == 0)
        return;
    if (free_client(control) == NULL)
        (void)give_up_silent(control);
    struct client *client = free_client(control);
    if (client != NULL)
        accept_one(control, client);
}

static bool is_stopping(struct control *control)
{
    pthread_mutex_lock(&control->lock);
    bool stopping = control->stopping;
    pthread_mutex_unlock(&control->lock);
    return stopping;
}

static void *serve(void *arg)
{
    struct control *control = arg;
    struct watch watch;

    while (!is_stopping(control)) {
        set_watch(control, &watch);
        if (poll(watch.fds, watch.n, mono_poll_ms(watch.until)) > 0)
            serve_watched(control, &watch);
    }
    return NULL;
}

/* --- main's part ------------------------------------------------------------------------ */

static struct client *next_for_main(struct control *control)
{
    struct client *next = NULL;

    pthread_mutex_lock(&control->lock);
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->step == STEP_QUEUED && (next == NULL || client->turn < next->turn))
            next = client;
    }
    if (next != NULL)
        next->step = STEP_IN_MAIN;
    pthread_mutex_unlock(&control->lock);
    return next;
}

static bool must_let_go(struct control *control)
{
    pthread_mutex_lock(&control->lock);
    bool must = control->let_go;
    control->let_go = false;
    pthread_mutex_unlock(&control->lock);
    return must;
}

/* Whoever holds something, or wants to, must be there when it is done: nothing is put in force for
 * one who has given up already. */
static bool has_left(const struct client *client)
{
    char byte;

    return (client->verb->holds || client->verb->of_holder) &&
           recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void control_serve(struct control *control)
{
    struct client *client;

    for (;;) {
        if (must_let_go(control))
            control->setup.let_go(control->setup.ctx);
        client = next_for_main(control);
        if (client == NULL)
            return;
        if (has_left(client))
            client->status = WIRE_NO;
        else
            run_verb(control, client);
        set_step(control, client, STEP_ANSWERED);
        wake(control);
    }
}

/* --- life --------------------------------------------------------------------------------- */

static bool bind_and_listen(struct control *control, struct err *err)
{
    control->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control->wake_fd < 0)
        return err_system(err, errno, "eventfd");
    control->listen_fd = control_listen(&control->setup, &control->file, err);
    return control->listen_fd >= 0;
}

struct control *control_open(const struct control_setup *setup, struct err *err)
{
    struct control *control = calloc(1, sizeof *control);

    if (control == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    control->setup = *setup;
    control->listen_fd = control->wake_fd = -1;
    reserve_init(&control->reserve);
    CHECK(pthread_mutex_init(&control->lock, NULL) == 0);
    if (!bind_and_listen(control, err)) {
        control_close(control);
        return NULL;
    }
    reserve_fill(&control->reserve, control->wake_fd);
    return control;
}

bool control_start(struct control *control, struct err *err)
{
    int sys = pthread_create(&control->thread, NULL, serve, control);

    control->running = sys == 0;
    return control->running || err_system(err, sys, "cannot start the control thread");
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    if (control->running) {
        pthread_mutex_lock(&control->lock);
        control->stopping = true;
        pthread_mutex_unlock(&control->lock);
        wake(control);
        pthread_join(control->thread, NULL);
    }
    for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].step != STEP_FREE)
            hang_up(control, &control->clients[i]);
    }
    socketfile_remove(&control->file);
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    if (control->wake_fd >= 0)
        close(control->wake_fd);
    while (reserve_give_up(&control->reserve))
        ;
    pthread_mutex_destroy(&control->lock);
    free(control);
}
