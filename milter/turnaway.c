/* turnaway.c - see turnaway.h. */
#include "milter/turnaway.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "milter/shortage.h"

/* Letters of the milter protocol, and the steps that an MTA may leave out: HELO, MAIL, RCPT,
 * body, header fields, end of them, unknown commands, DATA. */
#define NEGOTIATE 'O'
#define MACROS 'D'
#define CONNECT 'C'
#define QUIT 'Q'
#define TEMPFAIL 't'
#define ALL_BUT_CONNECT 0x37EU
#define PROTOCOL 6U
#define NEGOTIATE_SIZE 13U

#define PATIENCE MONO_SECONDS(1)
/* Macros and a connect packet are a few hundred bytes. */
#define PACKETS_MAX 8192

struct guest {
    int fd; /* -1: none */
    mono_us deadline;
    size_t n;
    uint8_t in[PACKETS_MAX];
};

static struct {
    int wake_fd;
    pthread_mutex_t lock; /* a leaf; guards the following four */
    pthread_cond_t left;
    int arrived[TURNAWAY_MAX];
    size_t narrived, present;          /* present: the guests, too */
    struct guest guests[TURNAWAY_MAX]; /* the thread's own */
} turnaway = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- the protocol -------------------------------------------------------------- */

static uint32_t read_number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_number(struct strbuf *out, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        strbuf_putc(out, (char)(number >> shift & 0xFF));
}

/* Of what the MTA offers: the connect stage alone. */
static void agree(const uint8_t *offer, struct strbuf *out)
{
    uint32_t version = read_number(offer), steps = read_number(offer + 8);

    put_number(out, NEGOTIATE_SIZE);
    strbuf_putc(out, NEGOTIATE);
    put_number(out, version < PROTOCOL ? version : PROTOCOL);
    put_number(out, 0);
    put_number(out, steps & ALL_BUT_CONNECT);
}

size_t turnaway_answer(const uint8_t *in, size_t n, struct strbuf *out, bool *over_out)
{
    size_t size = n >= 4 ? read_number(in) : 0;

    *over_out = false;
    if (n < 5 || (size <= PACKETS_MAX && n < 4 + size))
        return 0;
    switch (size > 0 && size <= PACKETS_MAX ? (char)in[4] : QUIT) {
    case NEGOTIATE:
        *over_out = size < NEGOTIATE_SIZE;
        if (size >= NEGOTIATE_SIZE)
            agree(in + 5, out);
        break;
    case MACROS:
        break;
    case CONNECT:
        put_number(out, 1);
        strbuf_putc(out, TEMPFAIL);
        *over_out = true;
        break;
    default:
        *over_out = true;
        break;
    }
    return *over_out ? n : 4 + size;
}

/* --- the thread ----------------------------------------------------------------- */

static void hang_up(struct guest *guest)
{
    (void)close(guest->fd);
    guest->fd = -1;
    pthread_mutex_lock(&turnaway.lock);
    turnaway.present--;
    pthread_cond_signal(&turnaway.left);
    pthread_mutex_unlock(&turnaway.lock);
}

/* Answers are a few bytes: what does not fit into the socket's buffer is no MTA's. */
static bool send_all(int fd, const struct strbuf *out)
{
    return !out->failed && (out->n == 0 || send(fd, out->p, out->n, MSG_NOSIGNAL | MSG_DONTWAIT) ==
                                               (ssize_t)out->n);
}

/* Answers all packets that are there. false: that was all. */
static bool answer_all(struct guest *guest)
{
    bool over = false, sent = true;
    size_t used = 0;

    do {
        struct strbuf out;
        strbuf_init(&out);
        used = turnaway_answer(guest->in, guest->n, &out, &over);
        sent = send_all(guest->fd, &out);
        strbuf_done(&out);
        guest->n -= used;
        memmove(guest->in, guest->in + used, guest->n);
    } while (used > 0 && sent && !over);
    return sent && !over && guest->n < sizeof guest->in;
}

static bool serve(struct guest *guest)
{
    ssize_t n = recv(guest->fd, guest->in + guest->n, sizeof guest->in - guest->n, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    guest->n += (size_t)n;
    return answer_all(guest);
}

/* There is one for each that arrived. */
static struct guest *free_guest(void)
{
    size_t i = 0;
    while (turnaway.guests[i].fd >= 0)
        i++;
    CHECK(i < TURNAWAY_MAX);
    return &turnaway.guests[i];
}

static void take_arrived(void)
{
    pthread_mutex_lock(&turnaway.lock);
    while (turnaway.narrived > 0) {
        struct guest *guest = free_guest();
        guest->fd = turnaway.arrived[--turnaway.narrived];
        guest->n = 0;
        guest->deadline = mono_now() + PATIENCE;
    }
    pthread_mutex_unlock(&turnaway.lock);
}

static mono_us next_deadline(void)
{
    mono_us next = MONO_NEVER;

    for (size_t i = 0; i < TURNAWAY_MAX; i++) {
        const struct guest *guest = &turnaway.guests[i];
        if (guest->fd >= 0 && guest->deadline < next)
            next = guest->deadline;
    }
    return next;
}

static void *run(void *unused)
{
    struct pollfd fds[1 + TURNAWAY_MAX];
    uint64_t count;

    for (;;) {
        take_arrived();
        fds[0] = (struct pollfd){.fd = turnaway.wake_fd, .events = POLLIN};
        for (size_t i = 0; i < TURNAWAY_MAX; i++)
            fds[1 + i] = (struct pollfd){.fd = turnaway.guests[i].fd, .events = POLLIN};
        if (poll(fds, ARRAY_LEN(fds), mono_poll_ms(next_deadline())) < 0)
            continue;
        if (fds[0].revents != 0)
            (void)!read(turnaway.wake_fd, &count, sizeof count);
        for (size_t i = 0; i < TURNAWAY_MAX; i++) {
            struct guest *guest = &turnaway.guests[i];
            bool stays = fds[1 + i].revents == 0 || serve(guest);
            if (guest->fd >= 0 && (!stays || guest->deadline <= mono_now()))
                hang_up(guest);
        }
    }
    return unused;
}

bool turnaway_start(struct err *err)
{
    pthread_t thread;

    for (size_t i = 0; i < TURNAWAY_MAX; i++)
        turnaway.guests[i].fd = -1;
    if (!mono_cond_init(&turnaway.left))
        return err_set(err, ERR_MEMORY, "out of memory");
    turnaway.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (turnaway.wake_fd < 0)
        return err_system(err, errno, "eventfd");
    int sys = pthread_create(&thread, NULL, run, NULL);
    if (sys == 0)
        (void)pthread_detach(thread);
    return sys == 0 || err_system(err, sys, "cannot start a thread");
}

void turnaway_take(int fd)
{
    static const uint64_t one = 1;

    shortage_note(SHORT_OF_DESCRIPTORS);
    mono_us deadline = mono_now() + TURNAWAY_PATIENCE;
    pthread_mutex_lock(&turnaway.lock);
    while (turnaway.present == TURNAWAY_MAX &&
           mono_cond_wait(&turnaway.left, &turnaway.lock, deadline))
        ;
    bool taken = turnaway.present < TURNAWAY_MAX;
    if (taken) {
        turnaway.arrived[turnaway.narrived++] = fd;
        turnaway.present++;
    }
    pthread_mutex_unlock(&turnaway.lock);
    if (!taken)
        (void)close(fd);
    else
        (void)!write(turnaway.wake_fd, &one, sizeof one);
}
