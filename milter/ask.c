#include "milter/ask.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/mono.h"
#include "lib/conf/ini.h"
#include "milter/settings.h"
#include "milter/wire.h"

/* --- where --------------------------------------------------------------------------- */

struct search {
    bool in_section;
    char path[PATH_MAX]; /* as written; "" not found */
};

static void look_at(const struct ini_event *event, void *arg)
{
    struct search *search = arg;

    if (event->kind == INI_SECTION)
        search->in_section = slice_is(event->name, "gatehouse");
    else if (event->kind == INI_KEY && search->in_section && search->path[0] == '\0' &&
             slice_is(event->name, "control_socket"))
        snprintf(search->path, sizeof search->path, "%.*s", (int)event->value.n, event->value.p);
}

/* Relative paths are relative to the configuration's folder, as the daemon
 * knows it. */
static void put_path(const char *conf, const char *written, char path_out[PATH_MAX])
{
    char real[PATH_MAX];

    if (realpath(conf, real) != NULL)
        conf = real;
    const char *slash = strrchr(conf, '/');
    int folder_n = written[0] == '/' || slash == NULL ? 0 : (int)(slash - conf) + 1;

    int n = snprintf(path_out, PATH_MAX, "%.*s%s", folder_n, conf, written);
    if (n < 0 || n >= PATH_MAX)
        path_out[0] = '\0'; /* too long for a socket, too */
}

static const char *default_path(void)
{
    return settings_rows[key_find(settings_rows, settings_nrows, slice_of("control_socket"))].dflt;
}

/* false: the configuration cannot be read; says so. */
static bool find_socket(const char *conf, char path_out[PATH_MAX])
{
    struct search search = {.in_section = false};
    struct problems problems;

    problems_init(&problems);
    bool readable = ini_read(conf, look_at, &search, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
    put_path(conf, search.path[0] != '\0' ? search.path : default_path(), path_out);
    return readable;
}

/* --- asking -------------------------------------------------------------------------- */

struct line_to {
    int fd;
    mono_us deadline;
};

static bool connect_to(const char *path, struct line_to *to, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof un.sun_path)
        return err_set(err, ERR_RANGE, "the path is longer than %zu bytes", sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, strlen(path));
    to->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (to->fd < 0)
        return err_system(err, errno, "socket");
    return connect(to->fd, (const struct sockaddr *)&un, sizeof un) == 0 ||
           err_system(err, errno, "cannot connect");
}

static bool wait_for(const struct line_to *to, short events, struct err *err)
{
    struct pollfd event = {.fd = to->fd, .events = events};
    int n;

    do {
        n = poll(&event, 1, mono_poll_ms(to->deadline));
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return err_set(err, ERR_TIMEOUT, "the daemon does not answer");
    return n > 0 || err_system(err, errno, "poll");
}

static bool send_all(const struct line_to *to, struct slice text, struct err *err)
{
    while (text.n > 0) {
        if (!wait_for(to, POLLOUT, err))
            return false;
        ssize_t n = send(to->fd, text.p, text.n, MSG_NOSIGNAL);
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
        if (!wait_for(to, POLLIN, err))
            return -1;
        ssize_t n = recv(to->fd, at, room, 0);
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
    return err_set(err, ERR_PEER, "the daemon broke off its answer");
}

/* One byte at a time: it is short, and the text behind it is not ours yet. */
static bool read_head(const struct line_to *to, enum wire_status *status_out, size_t *length_out,
                      struct err *err)
{
    char line[WIRE_HEAD_MAX];
    size_t n = 0;

    do {
        ssize_t got = receive(to, line + n, 1, err);
        if (got < 0)
            return false;
        if (got == 0)
            return broken_off(err);
    } while (line[n++] != '\n' && n < sizeof line);
    return wire_parse_head((struct slice){line, n - 1}, status_out, length_out) ||
           err_set(err, ERR_PEER, "what answers there is no gatehoused of this version");
}

static bool print_text(const struct line_to *to, size_t length, FILE *out, struct err *err)
{
    char chunk[4096];

    while (length > 0) {
        ssize_t n = receive(to, chunk, length < sizeof chunk ? length : sizeof chunk, err);
        if (n <= 0)
            return n == 0 ? broken_off(err) : false;
        length -= (size_t)n;
        if (fwrite(chunk, 1, (size_t)n, out) != (size_t)n)
            return err_system(err, errno, "cannot print the answer");
    }
    return fflush(out) == 0 || err_system(err, errno, "cannot print the answer");
}

static bool converse(struct line_to *to, const char *path, struct slice request, FILE *out,
                     enum wire_status *status_out, struct err *err)
{
    size_t length = 0;

    return connect_to(path, to, err) && send_all(to, request, err) &&
           read_head(to, status_out, &length, err) &&
           print_text(to, length, *status_out == WIRE_YES ? out : stderr, err);
}

static int ask_at(const char *path, const char *const *words, size_t n, FILE *out)
{
    bool patient = strcmp(words[0], "reload") == 0;
    struct line_to to = {.fd = -1};
    enum wire_status status = WIRE_UNREACHABLE;
    struct strbuf request;
    struct err err;

    to.deadline = patient ? MONO_NEVER : mono_now() + MONO_SECONDS(ASK_PATIENCE_S);
    strbuf_init(&request);
    if (!wire_print_request(words, n, &request, &err)) {
        fprintf(stderr, "gatehousectl: %s\n", err.text);
        status = WIRE_USAGE;
    } else if (!converse(&to, path, (struct slice){request.p, request.n}, out, &status, &err)) {
        fprintf(stderr, "gatehousectl: %s: %s\n", path, err.text);
        status = WIRE_UNREACHABLE;
    }
    strbuf_done(&request);
    if (to.fd >= 0)
        close(to.fd);
    return (int)status;
}

int ask_daemon_into(const char *conf, const char *const *words, size_t n, FILE *out)
{
    char path[PATH_MAX];

    if (!find_socket(conf, path))
        return WIRE_NO;
    return ask_at(path, words, n, out);
}

int ask_daemon(const char *conf, const char *const *words, size_t n)
{
    return ask_daemon_into(conf, words, n, stdout);
}
