/*
 * sink.c - a scripted SMTP back end for benchmarks: one thread, epoll.
 *
 *     sink [-p PORT] [-l MILLISECONDS] [-s] [-n] [-w]
 *
 * Listens on 127.0.0.1 (a free port unless given) and writes the port as a
 * line. Known are all recipients but those that begin with "bad". -l: latency,
 * on the wire (every reply comes that much later, replies overlap), or with -s
 * in the server (each RCPT of a connection is worked on for so long, one after
 * another). -n: no PIPELINING. -w: ends with its standard input, a pipe.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX 4096
#define LINE_MAX_BYTES 1024
#define PENDING_MAX 4096 /* replies of one connection on their way */
#define NEVER INT64_MAX

struct pending {
    int64_t due; /* nanoseconds */
    const char *text;
};

struct conn {
    int fd; /* 0: free */
    bool closing;
    char line[LINE_MAX_BYTES];
    size_t line_n;
    struct pending pending[PENDING_MAX]; /* a ring */
    size_t first, n;
    int64_t busy_until;
};

static struct conn *conns[CONNS_MAX]; /* by descriptor */
static int highest;
static int64_t latency;
static bool serial, pipelining = true, watch_input;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- the dialogue ---------------------------------------------------------------- */

static const char *ehlo_reply(void)
{
    return pipelining ? "250-sink\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n" : "250 sink\r\n";
}

static const char *reply_to(const char *line, bool *is_rcpt)
{
    *is_rcpt = strncasecmp(line, "RCPT TO:<", 9) == 0;
    if (*is_rcpt)
        return strncmp(line + 9, "bad", 3) == 0 ? "550 5.1.1 User unknown\r\n" : "250 2.1.5 Ok\r\n";
    if (strncasecmp(line, "EHLO", 4) == 0)
        return ehlo_reply();
    if (strncasecmp(line, "QUIT", 4) == 0)
        return "221 2.0.0 Bye\r\n";
    return "250 2.0.0 Ok\r\n";
}

static void queue_reply(struct conn *conn, const char *text, bool is_rcpt, int64_t now)
{
    int64_t due = now;
    if (!serial) {
        due = now + latency;
    } else {
        int64_t start = conn->busy_until > now ? conn->busy_until : now;
        conn->busy_until = due = start + (is_rcpt ? latency : 0);
    }
    if (conn->n == PENDING_MAX) {
        conn->closing = true;
        return;
    }
    conn->pending[(conn->first + conn->n++) % PENDING_MAX] = (struct pending){due, text};
}

static void take_bytes(struct conn *conn, const char *bytes, size_t n, int64_t now)
{
    for (size_t i = 0; i < n; i++) {
        if (conn->line_n < sizeof conn->line - 1)
            conn->line[conn->line_n++] = bytes[i];
        if (bytes[i] != '\n')
            continue;
        bool is_rcpt = false;
        conn->line[conn->line_n] = '\0';
        conn->line_n = 0;
        const char *reply = reply_to(conn->line, &is_rcpt);
        queue_reply(conn, reply, is_rcpt, now);
    }
}

/* --- connections ------------------------------------------------------------------- */

static void close_conn(struct conn *conn)
{
    conns[conn->fd] = NULL;
    close(conn->fd);
    free(conn);
}

static void accept_all(int listener, int epoll, int64_t now)
{
    for (;;) {
        int one = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct conn *conn = fd < CONNS_MAX ? calloc(1, sizeof *conn) : NULL;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (!conn || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            free(conn);
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn->fd = fd;
        conns[fd] = conn;
        highest = fd > highest ? fd : highest;
        queue_reply(conn, "220 sink ESMTP\r\n", false, now);
    }
}

static void read_conn(struct conn *conn, int64_t now)
{
    static char bytes[65536];
    ssize_t n = read(conn->fd, bytes, sizeof bytes);
    if (n > 0)
        take_bytes(conn, bytes, (size_t)n, now);
    if (n == 0 || (n < 0 && errno != EAGAIN) || conn->closing)
        close_conn(conn);
}

/* All that is due in one write; the next due time. */
static int64_t write_due(struct conn *conn, int64_t now)
{
    static char out[65536];
    size_t n = 0;
    while (conn->n > 0 && conn->pending[conn->first].due <= now && n < sizeof out - 200) {
        size_t length = strlen(conn->pending[conn->first].text);
        memcpy(out + n, conn->pending[conn->first].text, length);
        n += length;
        conn->first = (conn->first + 1) % PENDING_MAX;
        conn->n--;
    }
    if (n > 0 && write(conn->fd, out, n) != (ssize_t)n)
        conn->closing = true;
    return conn->n > 0 ? conn->pending[conn->first].due : NEVER;
}

static int64_t write_all_due(int64_t now)
{
    int64_t next = NEVER;
    for (int fd = 0; fd <= highest; fd++) {
        int64_t due = conns[fd] ? write_due(conns[fd], now) : NEVER;
        next = due < next ? due : next;
    }
    return next;
}

static void serve(int listener)
{
    struct epoll_event events[256];
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)
        die("epoll");
    event.data.fd = 0;
    if (watch_input && epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event) != 0)
        die("standard input must be a pipe");
    for (;;) {
        int64_t next = write_all_due(now_ns()), left = next == NEVER ? 0 : next - now_ns();
        struct timespec wait = {.tv_sec = left > 0 ? left / 1000000000 : 0,
                                .tv_nsec = left > 0 ? left % 1000000000 : 0};
        int n = epoll_pwait2(epoll, events, 256, next == NEVER ? NULL : &wait, NULL);
        int64_t now = now_ns();
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == 0)
                return;
            if (fd == listener)
                accept_all(listener, epoll, now);
            else if (conns[fd])
                read_conn(conns[fd], now);
        }
    }
}

/* --- starting ------------------------------------------------------------------------ */

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t n = sizeof address;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, n) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &n) != 0)
        die("listening on 127.0.0.1");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    uint16_t port = 0;
    for (int option; (option = getopt(argc, argv, "p:l:snw")) != -1;) {
        if (option == 'p')
            port = (uint16_t)strtoul(optarg, NULL, 10);
        else if (option == 'l')
            latency = strtoll(optarg, NULL, 10) * 1000000;
        else if (option == 's')
            serial = true;
        else if (option == 'n')
            pipelining = false;
        else if (option == 'w')
            watch_input = true;
        else
            return 2;
    }
    serve(listen_on(port));
    return 0;
}
