#include "milter/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "milter/peek.h"
#include "milter/wire.h"

/* --- where --------------------------------------------------------------------------- */

/* false: the configuration cannot be read; says so. */
static bool find_socket(const char *conf, char path_out[PATH_MAX])
{
    char written[PATH_MAX];
    bool readable = peek_value(conf, "control_socket", written);

    peek_path(conf, written, path_out);
    return readable;
}

/* --- asking -------------------------------------------------------------------------- */

const struct ask_patience ask_patience = {.step = MONO_SECONDS(ASK_PATIENCE_S),
                                          .text = MONO_SECONDS(ASK_TEXT_PATIENCE_S),
                                          .reload = MONO_SECONDS(ASK_RELOAD_PATIENCE_S)};

struct line_to {
    const char *path;
    const struct ask_patience *patience;
    int fd;
    mono_us deadline; /* of the step under way */
};

static void begin_step(struct line_to *to)
{
    to->deadline = mono_now() + to->patience->step;
}

static bool no_answer(struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "the daemon does not answer");
}

/* Where its backlog is full the kernel waits for us, unix(7), for so long; poll(2)
 * cannot. */
static bool set_connect_patience(const struct line_to *to, struct err *err)
{
    struct timeval patience = {.tv_sec = to->patience->step / MONO_SECONDS(1),
                               .tv_usec = to->patience->step % MONO_SECONDS(1)};

    return setsockopt(to->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 ||
           err_system(err, errno, "setsockopt");
}

static bool connect_to(struct line_to *to, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (strlen(to->path) >= sizeof un.sun_path)
        return err_set(err, ERR_RANGE, "the path is longer than %zu bytes", sizeof un.sun_path - 1);
    memcpy(un.sun_path, to->path, strlen(to->path));
    to->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (to->fd < 0)
        return err_system(err, errno, "socket");
    if (!set_connect_patience(to, err))
        return false;
    if (connect(to->fd, (const struct sockaddr *)&un, sizeof un) == 0)
        return true;
    return errno == EAGAIN ? no_answer(err) : err_system(err, errno, "cannot connect");
}

/* 0: the deadline has passed; -1: err. */
static int wait_for(const struct line_to *to, short events, struct err *err)
{
    struct pollfd event = {.fd = to->fd, .events = events};
    int n;

    do {
        n = poll(&event, 1, mono_poll_ms(to->deadline));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        err_system(err, errno, "poll");
    return n;
}

static bool wait_long(const struct line_to *to, short events, struct err *err)
{
    int n = wait_for(to, events, err);
    return n > 0 || (n == 0 && no_answer(err));
}

static bool send_all(struct line_to *to, struct slice text, struct err *err)
{
    begin_step(to);
    while (text.n > 0) {
        if (!wait_long(to, POLLOUT, err))
            return false;
        ssize_t n = send(to->fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        /* Refused without being heard: the reply is there to be read. */
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return true;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_system(err, errno, "cannot send");
        if (n > 0)
            text = (struct slice){text.p + n, text.n - (size_t)n};
    }
    return true;
}

/* 0: the daemon has closed; -1: err. */
static ssize_t receive(const struct line_to *to, char *at, size_t room, struct err *err)
{
    for (;;) {
        if (!wait_long(to, POLLIN, err))
            return -1;
        ssize_t n = recv(to->fd, at, room, MSG_DONTWAIT);
        if (n >= 0)
            return n;
        if (errno != EAGAIN && errno != EINTR) {
            err_system(err, errno, "cannot read the answer");
            return -1;
        }
    }
}

static bool broken_off(struct err *err)
{
    return err_set(err, ERR_PEER, "the daemon's answer is incomplete");
}

/* One byte at a time: it is short, and the text behind it is not ours yet. */
static bool read_head(struct line_to *to, enum wire_status *status_out, size_t *length_out,
                      struct err *err)
{
    char line[WIRE_HEAD_MAX];
    size_t n = 0;

    begin_step(to);
    do {
        ssize_t got = receive(to, line + n, 1, err);
        if (got < 0)
            return false;
        if (got == 0)
            return broken_off(err);
    } while (line[n++] != '\n' && n < sizeof line);
    return wire_parse_head((struct slice){line, n - 1}, status_out, length_out) ||
           err_set(err, ERR_PEER, "what answers there is not a gatehoused of this version");
}

/* All of it before any is printed: half an answer is none, and a pager does not keep
 * the daemon waiting. */
static bool read_text(struct line_to *to, size_t length, struct strbuf *text_out, struct err *err)
{
    mono_us end = mono_now() + to->patience->text;
    char chunk[65536];

    while (text_out->n < length) {
        size_t room = length - text_out->n;
        begin_step(to); /* it may take its time, as long as something comes */
        if (to->deadline > end)
            to->deadline = end;
        ssize_t n = receive(to, chunk, room < sizeof chunk ? room : sizeof chunk, err);
        if (n <= 0)
            return n == 0 ? broken_off(err) : false;
        strbuf_add(text_out, chunk, (size_t)n);
        if (text_out->failed)
            return err_set(err, ERR_MEMORY, "out of memory");
    }
    return true;
}

static bool ask_for_status(const struct line_to *other, struct err *err);

/* A reload lasts as long as the tables are large. While it does the daemon answers
 * other questions; one that does not hangs. */
static bool wait_for_reload(struct line_to *to, struct err *err)
{
    mono_us end = mono_now() + to->patience->reload;
    int ready;

    do {
        begin_step(to);
        if (to->deadline > end)
            to->deadline = end;
        ready = wait_for(to, POLLIN, err);
        if (ready == 0 && mono_now() >= end)
            return err_set(err, ERR_TIMEOUT,
                           "the reload takes longer than %lld s; see gatehousectl status",
                           (long long)(to->patience->reload / MONO_SECONDS(1)));
    } while (ready == 0 && ask_for_status(to, err));
    return ready > 0;
}

/* All that belongs to a reload lasts as long as one. */
static bool is_long(const char *verb)
{
    return strncmp(verb, "reload", strlen("reload")) == 0;
}

/* One request and its answer; the connection stays. */
static bool exchange(struct line_to *to, const char *const *words, size_t n,
                     enum wire_status *status_out, struct strbuf *text_out, struct err *err)
{
    struct strbuf request;
    size_t length = 0;

    *status_out = WIRE_UNREACHABLE;
    strbuf_init(&request);
    bool good = wire_print_request(words, n, &request, err);
    if (!good)
        *status_out = WIRE_USAGE;
    good = good && (to->fd >= 0 || connect_to(to, err)) &&
           send_all(to, (struct slice){request.p, request.n}, err) &&
           (!is_long(words[0]) || wait_for_reload(to, err)) &&
           read_head(to, status_out, &length, err) && read_text(to, length, text_out, err);
    if (!good && *status_out != WIRE_USAGE)
        *status_out = WIRE_UNREACHABLE;
    strbuf_done(&request);
    return good;
}

static bool converse(struct line_to *to, const char *const *words, size_t n,
                     enum wire_status *status_out, struct strbuf *text_out, struct err *err)
{
    bool good = exchange(to, words, n, status_out, text_out, err);

    if (to->fd >= 0)
        close(to->fd);
    return good;
}

static bool ask_for_status(const struct line_to *other, struct err *err)
{
    struct line_to to = {.path = other->path, .patience = other->patience, .fd = -1};
    enum wire_status status;
    struct strbuf text;

    strbuf_init(&text);
    bool good = converse(&to, (const char *[]){"status"}, 1, &status, &text, err);
    strbuf_done(&text);
    return good;
}

int ask_at(const char *path, const char *const *words, size_t n,
           const struct ask_patience *patience, FILE *out)
{
    struct line_to to = {.path = path, .patience = patience, .fd = -1};
    enum wire_status status;
    struct strbuf text;
    struct err err;

    strbuf_init(&text);
    if (!converse(&to, words, n, &status, &text, &err)) {
        if (status == WIRE_USAGE)
            fprintf(stderr, "gatehousectl: %s\n", err.text);
        else
            fprintf(stderr, "gatehousectl: %s: %s\n", path, err.text);
    } else {
        out = status == WIRE_YES ? out : stderr;
        if (fwrite(strbuf_text(&text), 1, text.n, out) != text.n || fflush(out) != 0) {
            fprintf(stderr, "gatehousectl: cannot print the answer\n");
            status = WIRE_NO;
        }
    }
    strbuf_done(&text);
    return (int)status;
}

/* --- two requests --------------------------------------------------------------------- */

struct ask_held {
    char path[PATH_MAX];
    struct line_to to;
};

static void end_line(struct ask_held *held)
{
    if (held->to.fd >= 0)
        close(held->to.fd);
    free(held);
}

enum wire_status ask_hold(const char *conf, const char *const *words, size_t n,
                          struct strbuf *text_out, struct ask_held **held_out)
{
    struct ask_held *held = calloc(1, sizeof *held);
    enum wire_status status = WIRE_NO;
    struct err err = {0};

    *held_out = NULL;
    if (held == NULL) {
        fprintf(stderr, "gatehousectl: out of memory\n");
        return WIRE_NO;
    }
    held->to = (struct line_to){.path = held->path, .patience = &ask_patience, .fd = -1};
    if (!find_socket(conf, held->path))
        status = WIRE_NO;
    else if (!exchange(&held->to, words, n, &status, text_out, &err))
        fprintf(stderr, "gatehousectl: %s: %s\n", held->path, err.text);
    if (status == WIRE_YES)
        *held_out = held;
    else
        end_line(held);
    return status;
}

enum wire_status ask_end(struct ask_held *held, const char *const *words, size_t n,
                         struct strbuf *text_out, struct err *err)
{
    enum wire_status status = WIRE_YES;

    if (words != NULL)
        (void)!exchange(&held->to, words, n, &status, text_out, err);
    end_line(held);
    return status;
}

int ask_daemon_into(const char *conf, const char *const *words, size_t n, FILE *out)
{
    char path[PATH_MAX];

    if (!find_socket(conf, path))
        return WIRE_NO;
    return ask_at(path, words, n, &ask_patience, out);
}

int ask_daemon(const char *conf, const char *const *words, size_t n)
{
    return ask_daemon_into(conf, words, n, stdout);
}

int ask_daemon_text(const char *conf, const char *const *words, size_t n, struct strbuf *text_out,
                    struct err *err)
{
    char path[PATH_MAX];
    struct line_to to = {.path = path, .patience = &ask_patience, .fd = -1};
    enum wire_status status;

    if (!find_socket(conf, path)) {
        err_set(err, ERR_SYNTAX, "%.200s cannot be read", conf);
        return WIRE_UNREACHABLE;
    }
    struct err why = {0};
    if (!converse(&to, words, n, &status, text_out, &why)) {
        err_set(err, why.kind, "%.120s: %.120s", path, why.text);
        err->sys = why.sys;
    }
    return (int)status;
}
