/*
 * milter_load - the MTA side of the milter protocol, as fast as it goes.
 *
 *   milter_load SOCKET [-c SESSIONS] [-s SECONDS] [-n TOTAL] [-r RCPTS]
 *               [-u USERS] [-d DOMAIN] [-b BYTES] [-a ADDRESSES]
 *
 * Keeps SESSIONS sessions open at once, each on a connection of its own as
 * Postfix does it: negotiate, connect, MAIL, RCPTS times RCPT, a body of BYTES
 * and end of message (0: none, the message is aborted), quit; with RCPTS 0 only the
 * connect stage. Clients have ADDRESSES different addresses from 11.0.0.0 on
 * (without: all have 192.0.2.1). Recipients are
 * u0...u(USERS-1)@DOMAIN in turn, so USERS decides between a warm and a cold
 * verdict cache. Stops after SECONDS or TOTAL sessions and prints one line:
 *
 *   sessions=N rcpts=N seconds=S sessions_per_s=N rcpts_per_s=N accepted=N
 *   refused=N tempfailed=N errors=N rcpt_p50_us=N rcpt_p99_us=N rcpt_max_us=N
 *
 * One thread, epoll. SOCKET is a path.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define IN_MAX 4096
#define OUT_MAX 4096
#define NOBODY 0x10U
#define NR_BODY 0x80000U

enum step { STEP_NEGOTIATE, STEP_CONNECT, STEP_MAIL, STEP_RCPT, STEP_EOM, STEP_DONE };

struct client {
    int fd;
    enum step step;
    unsigned rcpts_left;
    uint32_t protocol; /* negotiated steps */
    double asked;      /* when the last command was sent */
    size_t in_n;
    unsigned char in[IN_MAX];
};

static struct {
    const char *socket, *domain;
    unsigned sessions, rcpts, users, body, addresses;
    uint64_t total;
    double seconds;
} want = {.domain = "example.com", .sessions = 50, .rcpts = 3, .users = 100, .seconds = 3};

static struct {
    uint64_t started, finished, rcpts, accepted, refused, tempfailed, errors;
    uint64_t next_user, next_address;
    unsigned open;
    uint32_t *rcpt_us;
    size_t rcpt_n, rcpt_room;
} seen;

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- packets -------------------------------------------------------------------- */

struct packet {
    size_t n;
    unsigned char bytes[OUT_MAX];
};

static size_t packet_begin(struct packet *packet, char command)
{
    size_t at = packet->n;
    packet->n += 4;
    packet->bytes[packet->n++] = (unsigned char)command;
    return at;
}

static void packet_put(struct packet *packet, const void *bytes, size_t n)
{
    if (packet->n + n > OUT_MAX)
        abort();
    memcpy(packet->bytes + packet->n, bytes, n);
    packet->n += n;
}

static void packet_text(struct packet *packet, const char *text)
{
    packet_put(packet, text, strlen(text) + 1);
}

static void packet_end(struct packet *packet, size_t at)
{
    uint32_t n = htonl((uint32_t)(packet->n - at - 4));
    memcpy(packet->bytes + at, &n, 4);
}

static void put_negotiate(struct packet *packet)
{
    const uint32_t words[] = {htonl(6), htonl(0x1FF), htonl(0x1FFFFF)};
    size_t at = packet_begin(packet, 'O');
    packet_put(packet, words, sizeof words);
    packet_end(packet, at);
}

static void put_macros(struct packet *packet, char command, const char *const *pairs)
{
    size_t at = packet_begin(packet, 'D');
    packet_put(packet, &command, 1);
    for (; *pairs != NULL; pairs++)
        packet_text(packet, *pairs);
    packet_end(packet, at);
}

/* Neighbours in time are no neighbours in the table. */
static const char *next_address(char text[16])
{
    if (want.addresses == 0)
        return "192.0.2.1";
    unsigned n = (unsigned)(seen.next_address++ * 7919 % want.addresses);
    snprintf(text, 16, "11.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
    return text;
}

static void put_connect(struct packet *packet)
{
    char address[16];
    static const char *const macros[] = {"j",
                                         "mx.example.com",
                                         "{daemon_name}",
                                         "smtpd",
                                         "{daemon_addr}",
                                         "127.0.0.1",
                                         "{daemon_port}",
                                         "25",
                                         "{client_name}",
                                         "client.example.net",
                                         "{client_resolve}",
                                         "OK",
                                         NULL};
    uint16_t port = htons(40000);
    put_macros(packet, 'C', macros);
    size_t at = packet_begin(packet, 'C');
    packet_text(packet, "client.example.net");
    packet_put(packet, "4", 1);
    packet_put(packet, &port, 2);
    packet_text(packet, next_address(address));
    packet_end(packet, at);
}

static void put_text_command(struct packet *packet, char command, const char *text)
{
    size_t at = packet_begin(packet, command);
    packet_text(packet, text);
    packet_end(packet, at);
}

static void put_rcpt(struct packet *packet)
{
    char address[300];
    snprintf(address, sizeof address, "<u%llu@%s>",
             (unsigned long long)(seen.next_user++ % want.users), want.domain);
    put_text_command(packet, 'R', address);
}

static void put_body(struct packet *packet, const struct client *client)
{
    static const unsigned char body[OUT_MAX - 64];
    if ((client->protocol & NOBODY) == 0) {
        size_t at = packet_begin(packet, 'B');
        packet_put(packet, body, want.body < sizeof body ? want.body : sizeof body);
        packet_end(packet, at);
    }
    packet_end(packet, packet_begin(packet, 'E'));
}

/* --- one session ------------------------------------------------------------------ */

static void finish(struct client *client, bool good)
{
    close(client->fd);
    client->fd = -1;
    client->step = STEP_DONE;
    seen.open--;
    seen.finished += good;
    seen.errors += !good;
}

static void send_packet(struct client *client, const struct packet *packet)
{
    client->asked = now();
    if (write(client->fd, packet->bytes, packet->n) != (ssize_t)packet->n)
        finish(client, false);
}

static void send_step(struct client *client)
{
    struct packet packet = {.n = 0};
    switch (client->step) {
    case STEP_NEGOTIATE:
        put_negotiate(&packet);
        break;
    case STEP_CONNECT:
        put_connect(&packet);
        break;
    case STEP_MAIL:
        put_text_command(&packet, 'M', "<sender@example.net>");
        break;
    case STEP_RCPT:
        put_rcpt(&packet);
        break;
    case STEP_EOM:
        put_body(&packet, client);
        break;
    case STEP_DONE:
        if (want.body == 0)
            packet_end(&packet, packet_begin(&packet, 'A'));
        packet_end(&packet, packet_begin(&packet, 'Q'));
        (void)!write(client->fd, packet.bytes, packet.n);
        finish(client, true);
        return;
    }
    send_packet(client, &packet);
}

static void note_rcpt(const struct client *client, char reply)
{
    if (seen.rcpt_n == seen.rcpt_room) {
        seen.rcpt_room = seen.rcpt_room ? 2 * seen.rcpt_room : 1 << 16;
        seen.rcpt_us = realloc(seen.rcpt_us, seen.rcpt_room * sizeof *seen.rcpt_us);
        if (seen.rcpt_us == NULL)
            abort();
    }
    seen.rcpt_us[seen.rcpt_n++] = (uint32_t)((now() - client->asked) * 1e6);
    seen.rcpts++;
    seen.accepted += reply == 'c';
    seen.refused += reply == 'r';
    seen.tempfailed += reply == 't';
}

/* Which command follows the answered one. */
static void advance(struct client *client, const unsigned char *reply, size_t n)
{
    char command = (char)reply[0];
    switch (client->step) {
    case STEP_NEGOTIATE:
        if (command != 'O' || n < 13) {
            finish(client, false);
            return;
        }
        memcpy(&client->protocol, reply + 9, 4);
        client->protocol = ntohl(client->protocol);
        client->step = STEP_CONNECT;
        break;
    case STEP_CONNECT:
        client->step = command == 'c' && want.rcpts > 0 ? STEP_MAIL : STEP_DONE;
        break;
    case STEP_MAIL:
        client->rcpts_left = want.rcpts;
        client->step = command == 'c' ? STEP_RCPT : STEP_DONE;
        break;
    case STEP_RCPT:
        if (command == 'y') /* reply code and text: by its class */
            command = n > 1 && reply[1] == '4' ? 't' : 'r';
        note_rcpt(client, command);
        if (--client->rcpts_left == 0)
            client->step = want.body > 0 ? STEP_EOM : STEP_DONE;
        break;
    case STEP_EOM:
    case STEP_DONE:
        client->step = STEP_DONE;
        break;
    }
    send_step(client);
}

static void take_replies(struct client *client)
{
    while (client->fd >= 0 && client->in_n >= 5) {
        uint32_t n;
        memcpy(&n, client->in, 4);
        n = ntohl(n);
        if (n == 0 || n > IN_MAX - 4) {
            finish(client, false);
            return;
        }
        if (client->in_n < 4 + n)
            return;
        unsigned char reply[IN_MAX];
        memcpy(reply, client->in + 4, n);
        client->in_n -= 4 + n;
        memmove(client->in, client->in + 4 + n, client->in_n);
        /* A body that nobody asked to stay silent about is answered too. */
        if (client->step == STEP_EOM && (client->protocol & (NR_BODY | NOBODY)) == 0 &&
            reply[0] == 'c') {
            client->protocol |= NR_BODY;
            continue;
        }
        advance(client, reply, n);
    }
}

static void on_readable(struct client *client)
{
    ssize_t n = read(client->fd, client->in + client->in_n, IN_MAX - client->in_n);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        finish(client, false);
        return;
    }
    client->in_n += (size_t)n;
    take_replies(client);
}

static bool start_client(struct client *client, int poll_fd)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    snprintf(un.sun_path, sizeof un.sun_path, "%s", want.socket);
    *client = (struct client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&un, sizeof un) != 0)
        return false;
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, client->fd, &event);
    seen.started++;
    seen.open++;
    send_step(client);
    return true;
}

/* --- the run ------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void report(double seconds)
{
    qsort(seen.rcpt_us, seen.rcpt_n, sizeof *seen.rcpt_us, by_value);
    const uint32_t *us = seen.rcpt_us;
    size_t n = seen.rcpt_n;
    printf("sessions=%llu rcpts=%llu seconds=%.2f sessions_per_s=%.0f rcpts_per_s=%.0f "
           "accepted=%llu refused=%llu tempfailed=%llu errors=%llu rcpt_p50_us=%u "
           "rcpt_p99_us=%u rcpt_max_us=%u\n",
           (unsigned long long)seen.finished, (unsigned long long)seen.rcpts, seconds,
           (double)seen.finished / seconds, (double)seen.rcpts / seconds,
           (unsigned long long)seen.accepted, (unsigned long long)seen.refused,
           (unsigned long long)seen.tempfailed, (unsigned long long)seen.errors, n ? us[n / 2] : 0,
           n ? us[n * 99 / 100] : 0, n ? us[n - 1] : 0);
}

static bool may_start(double began)
{
    return (want.total == 0 || seen.started < want.total) && now() - began < want.seconds;
}

static int run(void)
{
    struct client *clients = calloc(want.sessions, sizeof *clients);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    double began = now();

    if (clients == NULL || poll_fd < 0)
        return 1;
    for (unsigned i = 0; i < want.sessions && may_start(began); i++)
        if (!start_client(&clients[i], poll_fd)) {
            perror(want.socket);
            return 1;
        }
    while (seen.open > 0) {
        struct epoll_event events[64];
        int n = epoll_wait(poll_fd, events, 64, 30000);
        if (n <= 0)
            break;
        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;
            if (client->fd >= 0)
                on_readable(client);
            if (client->fd < 0 && may_start(began) && !start_client(client, poll_fd))
                seen.errors++;
        }
    }
    seen.errors += seen.open;
    report(now() - began);
    free(clients);
    free(seen.rcpt_us);
    close(poll_fd);
    return seen.errors != 0;
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "c:s:n:r:u:d:b:a:")) != -1) {
        if (option == 'c')
            want.sessions = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 's')
            want.seconds = strtod(optarg, NULL);
        else if (option == 'n')
            want.total = strtoull(optarg, NULL, 10);
        else if (option == 'r')
            want.rcpts = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'u')
            want.users = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'd')
            want.domain = optarg;
        else if (option == 'b')
            want.body = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'a')
            want.addresses = (unsigned)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (optind + 1 != argc || want.sessions == 0 || want.users == 0) {
        fprintf(stderr, "usage: milter_load SOCKET [-c SESSIONS] [-s SECONDS] [-n TOTAL] "
                        "[-r RCPTS] [-u USERS] [-d DOMAIN] [-b BYTES] [-a ADDRESSES]\n");
        return 2;
    }
    want.socket = argv[optind];
    return run();
}
