/* logtarget.c - see logtarget.h. */
#include "lib/base/logtarget.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SYSLOG_SOCKET "/dev/log"
#define PROGRAM_MAX 48 /* bytes of the name shown by syslog */
/* One line with all around it: priority, time, program, process; or time, level. */
#define OUTPUT_MAX (LOG_LINE_MAX + PROGRAM_MAX + 80)
#define GATHERED_MAX (64 * 1024)
/* After an error, which poll(2) does not see the end of. */
#define RETRY MONO_MS(200)
/* A full target is looked at anew, in case another has taken its place. */
#define LOOK_AGAIN MONO_SECONDS(1)

/* Belongs to whoever may call logtarget_put(), but for the last three. */
static struct {
    enum log_target kind;
    int fd;              /* -1: not connected to syslogd */
    char *path;          /* owned; the file, or the socket of syslogd */
    const char *program; /* borrowed */
    int facility;
    long pid;
    bool stream;   /* of syslogd's socket */
    bool restart;  /* what is under way begins again: nobody has its first part */
    bool mid_line; /* what went out last is the first part of a lost line */
    char gathered[GATHERED_MAX];
    size_t n;
    atomic_int next_fd; /* the file to go on with; -1: none */
    atomic_int wake_fd; /* -1: none */
    _Atomic mono_us until;
} target = {.fd = STDERR_FILENO, .next_fd = -1, .wake_fd = -1, .until = MONO_NEVER};

static const char *level_word(enum log_level level)
{
    switch (level) {
    case LOG_AT_ERROR:
        return "error";
    case LOG_AT_WARNING:
        return "warning";
    case LOG_AT_INFO:
        return "info";
    case LOG_AT_DEBUG:
        return "debug";
    }
    return "info";
}

static int syslog_level(enum log_level level)
{
    switch (level) {
    case LOG_AT_ERROR:
        return LOG_ERR;
    case LOG_AT_WARNING:
        return LOG_WARNING;
    case LOG_AT_INFO:
        return LOG_INFO;
    case LOG_AT_DEBUG:
        return LOG_DEBUG;
    }
    return LOG_INFO;
}

/* --- syslogd ------------------------------------------------------------------------- */

static int dial(int type)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    memcpy(un.sun_path, target.path, strlen(target.path)); /* logtarget_open(): it fits */
    if (connect(fd, (const struct sockaddr *)&un, sizeof un) == 0)
        return fd;
    int sys = errno;
    close(fd);
    errno = sys;
    return -1;
}

static bool connect_syslog(void)
{
    target.stream = false;
    target.fd = dial(SOCK_DGRAM);
    if (target.fd < 0 && errno == EPROTOTYPE) {
        target.stream = true;
        target.fd = dial(SOCK_STREAM);
    }
    return target.fd >= 0;
}

static void disconnect_syslog(void)
{
    if (target.fd >= 0)
        close(target.fd);
    target.fd = -1;
    target.restart = true;
}

/* The text ends in NUL, which parts the lines of a stream; a datagram goes
 * without it. */
static ssize_t send_syslog(const char *text, size_t n)
{
    if (target.fd < 0 && !connect_syslog())
        return -1;
    size_t nul = target.stream ? 0 : 1;
    ssize_t sent = send(target.fd, text, n - nul, MSG_DONTWAIT | MSG_NOSIGNAL);
    int sys = errno;
    if (sent < 0 && sys != EAGAIN && sys != EINTR && sys != ENOBUFS && sys != EMSGSIZE)
        disconnect_syslog();
    errno = sys;
    return sent >= 0 ? sent + (ssize_t)nul : -1;
}

/* As syslog(3) writes it, in the C locale; returns the length with the NUL. */
static size_t put_message(const struct logqueue_line *line, char text[OUTPUT_MAX])
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static time_t second = -1; /* asking for the local time reads files */
    static struct tm tm;
    time_t now = (time_t)(line->when / MONO_SECONDS(1));

    if (now != second)
        localtime_r(&now, &tm);
    second = now;
    int n = snprintf(text, OUTPUT_MAX, "<%d>%s %2d %02d:%02d:%02d %.*s[%ld]: ",
                     target.facility | syslog_level((enum log_level)line->level),
                     months[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                     PROGRAM_MAX, target.program, target.pid);
    CHECK(n > 0 && (size_t)n + line->text.n < OUTPUT_MAX);
    memcpy(text + n, line->text.p, line->text.n);
    text[(size_t)n + line->text.n] = '\0';
    return (size_t)n + line->text.n + 1;
}

/* --- files and standard error ---------------------------------------------------------- */

static int open_file(const char *path, struct err *err)
{
    int flags = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, O_WRONLY | flags, 0640);
    if (fd < 0 && errno == ENXIO) /* a FIFO without a reader: be one, fifo(7) */
        fd = open(path, O_RDWR | flags, 0640);
    if (fd < 0)
        err_system(err, errno, "cannot open log file %s", path);
    return fd;
}

/* One that is there is opened, without waiting for the reader of a pipe; one that is
 * not needs a folder to write in. */
bool logtarget_check(const char *path, struct err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno == ENXIO) /* a pipe that nobody reads yet */
        return true;
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
                     slash == NULL ? "." : path);
    if (errno == ENOENT && n < (int)sizeof folder &&
        faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
        return true;
    return err_system(err, errno, "cannot open log file %s", path);
}

/* So much of the text that no line is cut, if possible. */
static size_t whole_lines(const char *text, size_t n, size_t most)
{
    if (n <= most)
        return n;
    for (size_t end = most; end > 0; end--) {
        if (text[end - 1] == '\n')
            return end;
    }
    return most;
}

static ssize_t write_shared(const char *text, size_t n)
{
    struct pollfd event = {.fd = target.fd, .events = POLLOUT};

    ssize_t sent = send(target.fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK)
        return sent;
    int ready = poll(&event, 1, 0);
    if (ready > 0)
        return write(target.fd, text, whole_lines(text, n, PIPE_BUF));
    if (ready == 0)
        errno = EAGAIN;
    return -1;
}

/* "2026-01-02T03:04:05.678Z info "; the second is kept from line to line. */
static size_t put_line(const struct logqueue_line *line, char text[OUTPUT_MAX])
{
    static int64_t second = -1;
    static char at[MONO_WALL_TEXT_MAX];
    int64_t now = line->when / MONO_SECONDS(1);
    int ms = (int)(line->when % MONO_SECONDS(1) / MONO_MS(1));

    if (now != second)
        mono_wall_at(now, at);
    second = now;
    int n = snprintf(text, OUTPUT_MAX, "%.19s.%03dZ %s ", at, ms,
                     level_word((enum log_level)line->level));
    CHECK(n > 0 && (size_t)n + line->text.n < OUTPUT_MAX);
    memcpy(text + n, line->text.p, line->text.n);
    text[(size_t)n + line->text.n] = '\n';
    return (size_t)n + line->text.n + 1;
}

/* --- writing ------------------------------------------------------------------------- */

static ssize_t attempt(const char *text, size_t n)
{
    switch (target.kind) {
    case LOG_TO_FILE:
        return write(target.fd, text, n);
    case LOG_TO_SYSLOG:
        return send_syslog(text, n);
    case LOG_TO_STDERR:
        return write_shared(text, n);
    }
    errno = EBADF;
    return -1;
}

static void take_next_file(void)
{
    int fd = atomic_exchange(&target.next_fd, -1);

    if (fd < 0)
        return;
    close(target.fd);
    target.fd = fd;
    target.restart = true;
    target.mid_line = false;
}

/* After a failure: until there may be room again. false: the deadline has passed.
 * *full: whether poll(2) had seen room before it, and wrongly, so that it is not
 * believed this time; then whether it saw some now. */
static bool wait_for_room(int why, bool *full, mono_us deadline)
{
    bool by_poll = why == EAGAIN && !*full;
    mono_us now = mono_now(), until = atomic_load(&target.until);
    mono_us look = now + (by_poll ? LOOK_AGAIN : RETRY);
    struct pollfd events[] = {{.fd = atomic_load(&target.wake_fd), .events = POLLIN},
                              {.fd = by_poll ? target.fd : -1, .events = POLLOUT}};
    uint64_t count;

    if (until < deadline)
        deadline = until;
    if (deadline <= now)
        return false;
    int n = poll(events, 2, mono_poll_ms(deadline < look ? deadline : look));
    if (n > 0 && events[0].revents != 0)
        (void)!read(events[0].fd, &count, sizeof count);
    *full = n > 0 && events[1].revents != 0;
    /* syslogd hangs; there may be a new one. Of a stream that would be a
     * connection more each time. */
    if (n == 0 && by_poll && target.kind == LOG_TO_SYSLOG && !target.stream)
        disconnect_syslog();
    return true;
}

/* Where the line begins that the byte at is part of. */
static size_t line_start(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

/* How much of it went out. */
static size_t write_out(const char *text, size_t n, mono_us deadline)
{
    size_t done = 0;
    bool full = false;

    while (done < n) {
        take_next_file();
        if (target.restart)
            done = line_start(text, done);
        target.restart = false;
        ssize_t wrote = attempt(text + done, n - done);
        int why = wrote < 0 ? errno : EAGAIN;
        if (wrote > 0) {
            done += (size_t)wrote;
            full = false;
        } else if (why != EINTR && (why == EMSGSIZE || !wait_for_room(why, &full, deadline))) {
            break;
        }
    }
    return done;
}

static size_t lines_in(const char *text, size_t n)
{
    size_t lines = 0;

    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    return lines;
}

/* What is gathered; returns how many lines are lost. */
static size_t flush(mono_us deadline)
{
    const char *text = target.gathered;
    size_t n = target.n, done = 0;

    target.n = 0;
    take_next_file();
    if (target.mid_line)
        target.mid_line = write_out("\n", 1, deadline) == 0;
    if (!target.mid_line) {
        done = write_out(text, n, deadline);
        target.mid_line = done > 0 && text[done - 1] != '\n';
    }
    return lines_in(text + done, n - done);
}

/* A stream that got the first part only is of no use any more. */
static size_t send_message(const struct logqueue_line *line, mono_us deadline)
{
    char text[OUTPUT_MAX];
    size_t n = put_message(line, text);
    size_t sent = write_out(text, n, deadline);

    if (sent > 0 && sent < n)
        disconnect_syslog();
    return sent == n ? 0 : 1;
}

size_t logtarget_put(const struct logqueue_line *line, bool more, mono_us deadline)
{
    mono_us until = atomic_load(&target.until);

    if (until != MONO_NEVER && until <= mono_now()) {
        size_t lost = 1 + lines_in(target.gathered, target.n);
        target.n = 0;
        return lost;
    }
    if (target.kind == LOG_TO_SYSLOG)
        return send_message(line, deadline);
    target.n += put_line(line, target.gathered + target.n);
    return more && target.n <= GATHERED_MAX - OUTPUT_MAX ? 0 : flush(deadline);
}

/* --- life ------------------------------------------------------------------------------ */

bool logtarget_open(enum log_target kind, const char *path, int facility, const char *program,
                    struct err *err)
{
    int fd = kind == LOG_TO_STDERR ? STDERR_FILENO : -1;
    char *copy = NULL;

    if (kind == LOG_TO_SYSLOG && path == NULL)
        path = SYSLOG_SOCKET;
    if (kind == LOG_TO_SYSLOG && strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return err_set(err, ERR_RANGE, "%s: the path is too long", path);
    if (kind == LOG_TO_FILE && (fd = open_file(path, err)) < 0)
        return false;
    if (path != NULL && (copy = strdup(path)) == NULL) {
        if (kind == LOG_TO_FILE)
            close(fd);
        return err_set(err, ERR_MEMORY, "out of memory");
    }
    int unused = atomic_exchange(&target.next_fd, -1);
    if (unused >= 0)
        close(unused);
    if (target.fd >= 0 && target.kind != LOG_TO_STDERR)
        close(target.fd);
    free(target.path);
    target.kind = kind;
    target.fd = fd;
    target.path = copy;
    target.facility = facility;
    target.program = program;
    target.pid = (long)getpid();
    target.restart = target.mid_line = false;
    target.n = 0;
    if (kind == LOG_TO_SYSLOG)
        (void)connect_syslog(); /* later, if not now */
    return true;
}

static void wake(void)
{
    static const uint64_t one = 1;
    int fd = atomic_load(&target.wake_fd);

    if (fd >= 0)
        (void)!write(fd, &one, sizeof one);
}

bool logtarget_reopen(struct err *err)
{
    if (target.kind != LOG_TO_FILE)
        return true;
    int fd = open_file(target.path, err);
    if (fd < 0)
        return false;
    int unused = atomic_exchange(&target.next_fd, fd);
    if (unused >= 0)
        close(unused);
    wake();
    return true;
}

bool logtarget_listen(struct err *err)
{
    if (atomic_load(&target.wake_fd) < 0)
        atomic_store(&target.wake_fd, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return atomic_load(&target.wake_fd) >= 0 || err_system(err, errno, "eventfd");
}

void logtarget_hurry(mono_us deadline)
{
    atomic_store(&target.until, deadline);
    wake();
}
