/* Whatever the reader of the log does, nobody waits; and what it can have, it gets
 * (lib/base/logtarget.h, through lib/base/log.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>
#include "lib/base/log.h"
#include "lib/base/logqueue.h"

/* Lines of FILLER bytes; MANY of them are more than fit anywhere, SOME more than
 * pipes and sockets take. */
#define FILLER 900
#define SOME 1000
#define MANY (2 * LOGQUEUE_ROOM / FILLER)
#define PATIENCE MONO_SECONDS(60) /* for what takes a moment, on a slow machine */
/* log_stop_thread()'s bound, and what a busy machine adds to it. */
#define STOP_BOUND (MONO_MS(1500) + MONO_SECONDS(3))

static char folder[64], path[100];
static int saved_stderr;

static int start(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/logtarget_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    return saved_stderr < 0;
}

static int end(void **state)
{
    struct err err;
    (void)state;
    assert_int_equal(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
    close(saved_stderr);
    assert_true(log_open(LOG_TO_STDERR, NULL, 0, LOG_AT_INFO, "test", &err));
    unlink(path);
    return rmdir(folder);
}

/* --- lines -------------------------------------------------------------------------- */

static void say(unsigned number)
{
    log_note(LOG_AT_INFO, "line", "%u %0*u", number, FILLER, 0);
}

static void say_many(unsigned from, unsigned n)
{
    mono_us worst = 0;

    for (unsigned i = 0; i < n; i++) {
        mono_us began = mono_now();
        say(from + i);
        mono_us took = mono_now() - began;
        worst = took > worst ? took : worst;
    }
    assert_true(worst < MONO_SECONDS(1)); /* a second is the wait of an unread target */
}

/* Nobody reads: one line waits, and no more than one. */
static void say_without_thread(void)
{
    mono_us began = mono_now();
    for (unsigned i = 0; i < 10; i++)
        say(i);
    assert_true(mono_now() - began < MONO_SECONDS(4));
}

/* What a reader has seen. */
struct seen {
    unsigned lines, next; /* next: the number of the line that comes next without a gap */
    uint64_t dropped;
    unsigned gaps, torn;
    char end;           /* of a line: newline, or, of syslogd's stream, NUL */
    char pending[4096]; /* the beginning of a line */
    size_t n;
};

static void see_line(struct seen *seen, const char *line)
{
    const char *at = strstr(line, "event=");
    unsigned number;
    unsigned long long dropped;

    if (at && sscanf(at, "event=line detail=\"%u 0", &number) == 1 &&
        line[strlen(line) - 1] == '"' && strlen(at) > FILLER && !strstr(at + 1, "event=")) {
        seen->torn += number != seen->next;
        seen->next = number + 1;
        seen->lines++;
    } else if (at && sscanf(at, "event=log dropped=%llu", &dropped) == 1) {
        seen->dropped += dropped;
        seen->gaps++;
        seen->next += (unsigned)dropped;
    } else {
        seen->torn++;
    }
}

static void keep(struct seen *seen, const char *text, size_t n)
{
    assert_true(seen->n + n < sizeof seen->pending);
    memcpy(seen->pending + seen->n, text, n);
    seen->n += n;
    seen->pending[seen->n] = '\0';
}

static void see(struct seen *seen, const char *text, size_t n)
{
    const char *end;

    while ((end = memchr(text, seen->end, n)) != NULL) {
        size_t line = (size_t)(end - text);
        keep(seen, text, line);
        see_line(seen, seen->pending);
        seen->n = 0;
        text += line + 1;
        n -= line + 1;
    }
    keep(seen, text, n);
}

/* Reads until so many lines were seen or reported missing; a file may still grow. */
static void read_until(int fd, bool datagrams, unsigned wanted, struct seen *seen)
{
    static char chunk[65536];
    mono_us deadline = mono_now() + PATIENCE;
    struct pollfd event = {.fd = fd, .events = POLLIN};

    while (seen->lines + seen->dropped < wanted) {
        assert_true(poll(&event, 1, mono_poll_ms(deadline)) == 1);
        ssize_t n = read(fd, chunk, sizeof chunk - 1);
        assert_true(n >= 0 && mono_now() < deadline);
        if (datagrams)
            chunk[n++] = '\n';
        see(seen, chunk, (size_t)n);
    }
}

static void stop_soon(void)
{
    mono_us began = mono_now();
    log_stop_thread();
    assert_true(mono_now() - began < STOP_BOUND);
}

static void start_thread(void)
{
    struct err err;
    assert_true(log_start_thread(&err));
}

/* --- syslogd ------------------------------------------------------------------------- */

static int serve(int type)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    memcpy(un.sun_path, path, strlen(path));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 5), 0);
    return fd;
}

static void open_syslog(void)
{
    struct err err;
    assert_true(log_open(LOG_TO_SYSLOG, path, LOG_MAIL, LOG_AT_INFO, "test", &err));
}

static void assert_message(const char *text, size_t n)
{
    char wanted[64], time[16];
    unsigned day, hour, minute, second;
    char month[4];

    assert_int_equal(sscanf(text, "<22>%3s %2u %2u:%2u:%2u", month, &day, &hour, &minute, &second),
                     5);
    snprintf(time, sizeof time, "%s %2u %02u:%02u:%02u", month, day, hour, minute, second);
    assert_memory_equal(text + 4, time, 15);
    snprintf(wanted, sizeof wanted, " test[%ld]: event=x detail=\"y\"", (long)getpid());
    assert_int_equal(n, 19 + strlen(wanted));
    assert_memory_equal(text + 19, wanted, strlen(wanted));
}

static void writes_datagrams(void **state)
{
    char text[4096];
    int fd = serve(SOCK_DGRAM);
    (void)state;
    open_syslog();
    for (int threaded = 0; threaded < 2; threaded++) {
        if (threaded)
            start_thread();
        log_note(LOG_AT_INFO, "x", "y");
        ssize_t n = read(fd, text, sizeof text);
        assert_true(n > 0);
        assert_message(text, (size_t)n);
    }
    stop_soon();
    close(fd);
}

static void writes_a_stream(void **state)
{
    char text[4096];
    int fd = serve(SOCK_STREAM);
    (void)state;
    open_syslog();
    start_thread();
    log_note(LOG_AT_INFO, "x", "y");
    log_note(LOG_AT_INFO, "x", "y");
    stop_soon();
    int client = accept(fd, NULL, NULL);
    ssize_t n = read(client, text, sizeof text);
    assert_true(n > 0 && n % 2 == 0);
    assert_int_equal(text[n / 2 - 1], '\0');
    assert_message(text, (size_t)n / 2 - 1);
    assert_message(text + n / 2, (size_t)n / 2 - 1);
    close(client);
    close(fd);
}

/* Stopped while it takes nothing; then with a reader, who gets all there is. */
static void unread_syslogd(int type)
{
    struct seen seen = {.end = '\n'};
    int fd = serve(type), reader = fd;
    uint64_t before = log_dropped();

    open_syslog();
    if (type == SOCK_STREAM)
        reader = accept(fd, NULL, NULL);
    seen.end = type == SOCK_STREAM ? '\0' : '\n';
    start_thread();
    say_many(0, MANY);
    uint64_t dropped = log_dropped() - before;
    assert_true(dropped > 0 && dropped < MANY);
    read_until(reader, type == SOCK_DGRAM, MANY, &seen);
    assert_int_equal(seen.torn, 0);
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.dropped, dropped);

    say_many(MANY, SOME);
    stop_soon();
    if (type == SOCK_DGRAM)
        say_without_thread();
    if (reader != fd)
        close(reader);
    close(fd);
}

static void unread_datagrams(void **state)
{
    (void)state;
    unread_syslogd(SOCK_DGRAM);
}

static void unread_stream(void **state)
{
    (void)state;
    unread_syslogd(SOCK_STREAM);
}

/* There is none; there is one; it goes, and another comes. */
static void finds_syslogd_again(int first, int second)
{
    struct seen seen = {.end = '\n'};

    open_syslog();
    start_thread();
    say(0);
    int fd = serve(first);
    int reader = first == SOCK_STREAM ? accept(fd, NULL, NULL) : fd;
    read_until(reader, first == SOCK_DGRAM, 1, &seen);
    say(1);
    read_until(reader, first == SOCK_DGRAM, 2, &seen);
    close(reader);
    if (reader != fd)
        close(fd);
    say(2);
    unlink(path);
    say(3);
    fd = serve(second);
    seen.end = second == SOCK_STREAM ? '\0' : '\n';
    reader = second == SOCK_STREAM ? accept(fd, NULL, NULL) : fd;
    say(4);
    read_until(reader, second == SOCK_DGRAM, 5, &seen);
    assert_int_equal(seen.lines, 5);
    assert_int_equal(seen.torn, 0);
    stop_soon();
    if (reader != fd)
        close(reader);
    close(fd);
}

static void finds_another_syslogd(void **state)
{
    (void)state;
    finds_syslogd_again(SOCK_DGRAM, SOCK_DGRAM);
}

static void finds_one_of_another_kind(void **state)
{
    (void)state;
    finds_syslogd_again(SOCK_DGRAM, SOCK_STREAM);
}

/* One that hangs holds its socket; the next one has the same path. */
static void leaves_a_syslogd_that_hangs(void **state)
{
    struct seen seen = {.end = '\n'};
    int hangs = serve(SOCK_DGRAM);
    (void)state;
    open_syslog();
    start_thread();
    say_many(0, SOME);
    unlink(path);
    int fd = serve(SOCK_DGRAM);
    struct pollfd event = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&event, 1, (int)(PATIENCE / 1000)), 1);
    close(hangs);
    read_until(fd, true, 100, &seen);
    stop_soon();
    close(fd);
}

static void no_syslogd_at_all(void **state)
{
    (void)state;
    uint64_t before = log_dropped();
    open_syslog();
    start_thread();
    say_many(0, 10);
    stop_soon();
    assert_int_equal(log_dropped() - before, 10);
}

/* --- standard error --------------------------------------------------------------------- */

/* Its other end. */
static int take_stderr(int ends[2])
{
    struct err err;
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    assert_true(log_open(LOG_TO_STDERR, NULL, 0, LOG_AT_INFO, "test", &err));
    return ends[0];
}

static void unread_stderr(int reader, unsigned n)
{
    struct seen seen = {.end = '\n'};
    uint64_t before = log_dropped();
    int mode = fcntl(STDERR_FILENO, F_GETFL);

    start_thread();
    say_many(0, n);
    uint64_t dropped = log_dropped() - before;
    assert_int_equal(dropped > 0, n == MANY);
    read_until(reader, false, n, &seen);
    assert_int_equal(seen.torn, 0);
    assert_int_equal(seen.dropped, dropped);
    say_many(n, SOME);
    stop_soon();
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL), mode); /* others have it, too */
    close(reader);
}

static void unread_pipe(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    unread_stderr(take_stderr(ends), MANY);
}

static void unread_pipe_that_does_not_block(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    unread_stderr(take_stderr(ends), SOME);
}

static void unread_socket(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    unread_stderr(take_stderr(ends), SOME);
}

static void reader_gone(void **state)
{
    int ends[2];
    (void)state;
    uint64_t before = log_dropped();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(take_stderr(ends));
    start_thread();
    say_many(0, SOME);
    stop_soon();
    assert_int_equal(log_dropped() - before, SOME);
}

/* --- files ---------------------------------------------------------------------------- */

static void open_log_file(const char *name)
{
    struct err err;
    assert_true(log_open(LOG_TO_FILE, name, 0, LOG_AT_INFO, "test", &err));
}

static void read_file(const char *name, unsigned wanted, struct seen *seen)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    read_until(fd, false, wanted, seen);
    close(fd);
}

static void limit_files(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk is full in the middle of a line; then there is room. With the thread
 * nothing is lost; without, a line is, and the next one stands by itself. */
static void full_disk_with_thread(void **state)
{
    struct seen seen = {.end = '\n'};
    struct stat st;
    (void)state;
    limit_files(2 * FILLER);
    open_log_file(path);
    start_thread();
    say_many(0, 10);
    do
        assert_int_equal(stat(path, &st), 0);
    while (st.st_size < 2 * FILLER);
    limit_files(RLIM_INFINITY);
    log_stop_thread();
    read_file(path, 10, &seen);
    assert_int_equal(seen.lines, 10);
    assert_int_equal(seen.torn, 0);
}

static void full_disk_without_thread(void **state)
{
    struct seen seen = {.end = '\n'};
    (void)state;
    uint64_t before = log_dropped();
    limit_files(2 * FILLER);
    open_log_file(path);
    for (unsigned i = 0; i < 10; i++)
        say(i);
    assert_int_equal(log_dropped() - before, 9);
    limit_files(RLIM_INFINITY);
    say(10);
    read_file(path, 11, &seen);
    assert_int_equal(seen.lines, 2);
    assert_int_equal(seen.gaps, 1);
    assert_int_equal(seen.dropped, 9);
    assert_int_equal(seen.torn, 1); /* the line the disk cut */
}

/* What was lost before the thread began, it tells. */
static void tells_of_losses_at_the_start(void **state)
{
    struct seen seen = {.end = '\n'};
    (void)state;
    limit_files(0);
    open_log_file(path);
    say(0);
    say(1);
    limit_files(RLIM_INFINITY);
    start_thread();
    say(2);
    read_file(path, 3, &seen);
    assert_int_equal(seen.lines, 1);
    assert_int_equal(seen.dropped, 2);
    assert_int_equal(seen.torn, 0);
    stop_soon();
}

static void disk_full_for_ever(void **state)
{
    (void)state;
    uint64_t before = log_dropped();
    open_log_file("/dev/full");
    start_thread();
    say_many(0, SOME);
    stop_soon();
    assert_int_equal(log_dropped() - before, SOME);
}

static void fifo_without_reader(void **state)
{
    struct seen seen = {.end = '\n'};
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    open_log_file(path);
    start_thread();
    say_many(0, 10);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    read_until(reader, false, 10, &seen);
    close(reader);
    say_many(10, SOME);
    reader = open(path, O_RDONLY | O_CLOEXEC);
    read_until(reader, false, 10 + SOME, &seen);
    assert_int_equal(seen.torn, 0);
    stop_soon();
    close(reader);
}

/* Rotation while nobody reads: what waited goes into the new file, all of it. */
static void reopens_while_stuck(void **state)
{
    struct seen seen = {.end = '\n'};
    struct err err;
    char line[4096];
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    open_log_file(path);
    start_thread();
    say_many(0, SOME);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    unlink(path);
    assert_true(log_reopen(&err));
    FILE *taken = fdopen(reader, "r");
    assert_int_equal(fcntl(reader, F_SETFL, O_NONBLOCK), 0);
    while (fgets(line, sizeof line, taken) && line[strlen(line) - 1] == '\n')
        seen.next++; /* whole lines that the FIFO had */

    fclose(taken);
    seen.lines = seen.next;
    read_file(path, SOME, &seen);
    assert_int_equal(seen.torn, 0);
    stop_soon();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_datagrams),
        TEST(writes_a_stream),
        TEST(unread_datagrams),
        TEST(unread_stream),
        TEST(finds_another_syslogd),
        TEST(finds_one_of_another_kind),
        TEST(leaves_a_syslogd_that_hangs),
        TEST(no_syslogd_at_all),
        TEST(unread_pipe),
        TEST(unread_pipe_that_does_not_block),
        TEST(unread_socket),
        TEST(reader_gone),
        TEST(full_disk_with_thread),
        TEST(full_disk_without_thread),
        TEST(tells_of_losses_at_the_start),
        TEST(disk_full_for_ever),
        TEST(fifo_without_reader),
        TEST(reopens_while_stuck),
    };
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    return cmocka_run_group_tests_name("base/logtarget", tests, NULL, NULL);
}
