#include "milter/wake.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/str.h"

#define WAKE_CONNECTION_MAX 128 /* bytes: the longest path and "local:" are fewer */

struct wake {
    struct sockaddr_storage address;
    socklen_t length;
    pthread_mutex_t lock; /* a leaf; guards reserve */
    int reserve;          /* a descriptor to give up where there is no other; -1: given up */
    char connection[WAKE_CONNECTION_MAX];
};

static bool set_unix(struct wake *wake, const char *path, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof un.sun_path)
        return err_set(err, ERR_RANGE, "the socket path is longer than %zu bytes",
                       sizeof un.sun_path - 1);
    memcpy(un.sun_path, path, strlen(path));
    memcpy(&wake->address, &un, sizeof un);
    wake->length = sizeof un;
    snprintf(wake->connection, sizeof wake->connection, "unix:%s", path);
    return true;
}

/* PORT@HOST; without a host libmilter listens on every address. */
static bool set_inet(struct wake *wake, int family, const char *spec, struct err *err)
{
    const char *at = strchr(spec, '@');
    const char *host = at != NULL ? at + 1 : (family == AF_INET6 ? "::1" : "127.0.0.1");
    size_t port_n = at != NULL ? (size_t)(at - spec) : strlen(spec);
    char port[16], bare[256];
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found = NULL;

    snprintf(port, sizeof port, "%.*s", (int)port_n, spec);
    snprintf(bare, sizeof bare, "%s", host[0] == '[' ? host + 1 : host);
    if (host[0] == '[' && bare[0] != '\0' && bare[strlen(bare) - 1] == ']')
        bare[strlen(bare) - 1] = '\0';
    int rc = getaddrinfo(bare, port, &hints, &found);
    if (rc != 0)
        return err_set(err, ERR_SYNTAX, "\"%s\": %s", spec, gai_strerror(rc));
    memcpy(&wake->address, found->ai_addr, found->ai_addrlen);
    wake->length = found->ai_addrlen;
    freeaddrinfo(found);
    char address[64];
    rc = getnameinfo((const struct sockaddr *)&wake->address, wake->length, address, sizeof address,
                     NULL, 0, NI_NUMERICHOST);
    if (rc != 0)
        return err_set(err, ERR_SYSTEM, "\"%s\": %s", spec, gai_strerror(rc));
    snprintf(wake->connection, sizeof wake->connection, "%s:%s@[%s]",
             family == AF_INET6 ? "inet6" : "inet", port, address);
    return true;
}

static bool set_address(struct wake *wake, const char *socket, struct err *err)
{
    if (strncmp(socket, "unix:", 5) == 0)
        return set_unix(wake, socket + 5, err);
    if (strncmp(socket, "local:", 6) == 0)
        return set_unix(wake, socket + 6, err);
    if (strncmp(socket, "inet:", 5) == 0)
        return set_inet(wake, AF_INET, socket + 5, err);
    if (strncmp(socket, "inet6:", 6) == 0)
        return set_inet(wake, AF_INET6, socket + 6, err);
    return err_set(err, ERR_SYNTAX,
                   "\"%s\" is not a socket; allowed: unix:PATH, inet:PORT@HOST or inet6:PORT@HOST",
                   socket);
}

static int new_socket(const struct wake *wake)
{
    return socket(wake->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

struct wake *wake_new(const char *socket, struct err *err)
{
    struct wake *wake = calloc(1, sizeof *wake);

    if (wake == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    if (!set_address(wake, socket, err)) {
        free(wake);
        return NULL;
    }
    CHECK(pthread_mutex_init(&wake->lock, NULL) == 0);
    wake->reserve = new_socket(wake);
    return wake;
}

void wake_free(struct wake *wake)
{
    if (wake == NULL)
        return;
    if (wake->reserve >= 0)
        close(wake->reserve);
    pthread_mutex_destroy(&wake->lock);
    free(wake);
}

const char *wake_connection(const struct wake *wake)
{
    return wake->connection;
}

int wake_try_bind(const struct wake *wake)
{
    int fd = socket(wake->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                 bind(fd, (const struct sockaddr *)&wake->address, wake->length) == 0;
    int sys = bound ? 0 : errno;

    if (fd >= 0)
        close(fd);
    return sys;
}

/* The reserve itself, where no other descriptor is to be had. -1: it is in use, too. */
static int take_reserve(struct wake *wake)
{
    pthread_mutex_lock(&wake->lock);
    int fd = wake->reserve;
    wake->reserve = -1;
    pthread_mutex_unlock(&wake->lock);
    return fd;
}

/* The next one takes the place of a reserve that was used. */
static void renew_reserve(struct wake *wake)
{
    int fd = new_socket(wake);

    pthread_mutex_lock(&wake->lock);
    bool kept = fd >= 0 && wake->reserve < 0;
    if (kept)
        wake->reserve = fd;
    pthread_mutex_unlock(&wake->lock);
    if (fd >= 0 && !kept)
        close(fd);
}

bool wake_listener(struct wake *wake, struct err *err)
{
    int fd = new_socket(wake), sys = errno;
    bool reserved = fd < 0;
    bool reached = false;

    if (reserved)
        fd = take_reserve(wake);
    if (fd < 0)
        return err_system(err, sys, "self-connect");
    /* A full backlog (EAGAIN) or a handshake under way wakes it just as well. */
    reached = connect(fd, (const struct sockaddr *)&wake->address, wake->length) == 0 ||
              errno == EINPROGRESS || errno == EAGAIN;
    if (!reached)
        err_system(err, errno, "self-connect");
    close(fd);
    if (reserved)
        renew_reserve(wake);
    return reached;
}

void wake_before_wait(void *arg)
{
    struct err err;
    /* Without it this callback still answers in time; others may be late. */
    (void)!wake_listener(arg, &err);
}
