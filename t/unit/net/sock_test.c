/* sock_test.c - connections that end at their deadline, whatever the other side does. */
#include "lib/net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

struct listener {
    int fd, conn;
    uint16_t port;
};

static struct ip loopback;

static void listener_start(struct listener *listener, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t n = sizeof address;
    loopback = ip_from_v4(0x7f000001);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    listener->conn = -1;
    assert_true(listener->fd >= 0);
    assert_int_equal(bind(listener->fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(listener->fd, backlog), 0);
    assert_int_equal(getsockname(listener->fd, (struct sockaddr *)&address, &n), 0);
    listener->port = ntohs(address.sin_port);
}

static void listener_stop(struct listener *listener)
{
    close(listener->fd);
    if (listener->conn >= 0)
        close(listener->conn);
}

static mono_us in_ms(int ms)
{
    return mono_now() + MONO_MS(ms);
}

static struct sock *connected(struct listener *listener, int stop_fd)
{
    struct err err = {0};
    struct sock *sock = sock_connect(&loopback, listener->port, "auto", stop_fd, in_ms(1000), &err);
    if (!sock)
        fail_msg("%s", err.text);
    listener->conn = accept(listener->fd, NULL, NULL);
    assert_true(listener->conn >= 0);
    return sock;
}

static void test_bytes(void **state)
{
    struct listener listener;
    struct err err = {0};
    char bytes[10];
    (void)state;
    listener_start(&listener, 1);
    struct sock *sock = connected(&listener, -1);
    assert_false(sock_has_tls(sock));
    assert_true(sock_write(sock, "hello", 5, in_ms(1000), &err));
    assert_int_equal(read(listener.conn, bytes, sizeof bytes), 5);
    assert_memory_equal(bytes, "hello", 5);
    assert_false(sock_readable(sock));
    assert_int_equal(write(listener.conn, "world", 5), 5);
    assert_int_equal(sock_read(sock, bytes, 3, in_ms(1000), &err), 3);
    assert_true(sock_readable(sock));
    /* What is there comes even after the deadline; then it is a time-out. */
    assert_int_equal(sock_read(sock, bytes, sizeof bytes, in_ms(-10), &err), 2);
    assert_int_equal(sock_read(sock, bytes, sizeof bytes, in_ms(-10), &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    close(listener.conn);
    listener.conn = -1;
    assert_int_equal(sock_read(sock, bytes, sizeof bytes, in_ms(1000), &err), 0);
    assert_true(sock_readable(sock));
    sock_close(sock);
    sock_close(NULL);
    listener_stop(&listener);
}

static void test_silence(void **state)
{
    struct listener listener;
    struct err err = {0};
    char byte;
    (void)state;
    listener_start(&listener, 1);
    struct sock *sock = connected(&listener, -1);
    mono_us began = mono_now();
    assert_int_equal(sock_read(sock, &byte, 1, in_ms(100), &err), -1);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_in_range(mono_now() - began, MONO_MS(100), MONO_SECONDS(10));
    sock_close(sock);
    listener_stop(&listener);
}

/* The end of both sides: ours is told at once, theirs is waited for. */
static void test_finish(void **state)
{
    static const char waste[SOCK_WASTE_MAX + 1];
    struct listener listener;
    char byte;
    (void)state;
    listener_start(&listener, 1);
    struct sock *sock = connected(&listener, -1);
    sock_finish(sock);
    assert_int_equal(read(listener.conn, &byte, 1), 0);
    assert_int_equal(write(listener.conn, "late", 4), 4);
    mono_us began = mono_now();
    assert_false(sock_await_close(sock, in_ms(-1)));
    assert_true(mono_now() - began < MONO_SECONDS(1));
    assert_false(sock_await_close(sock, in_ms(50)));
    assert_true(mono_now() - began >= MONO_MS(50));
    close(listener.conn);
    listener.conn = -1;
    assert_true(sock_await_close(sock, in_ms(10000)));
    sock_close(sock);

    /* Who talks on for ever is not listened to for ever. */
    sock = connected(&listener, -1);
    sock_finish(sock);
    assert_int_equal(write(listener.conn, waste, sizeof waste), sizeof waste);
    assert_true(sock_await_close(sock, in_ms(10000)));
    sock_close(sock);
    listener_stop(&listener);

    /* Nor is a close waited for at the end of all. */
    uint64_t one = 1;
    int stop = eventfd(0, EFD_CLOEXEC);
    listener_start(&listener, 1);
    sock = connected(&listener, stop);
    sock_finish(sock);
    assert_false(sock_await_close(sock, in_ms(10)));
    assert_int_equal(write(stop, &one, sizeof one), sizeof one);
    began = mono_now();
    assert_true(sock_await_close(sock, in_ms(60000)));
    assert_true(mono_now() - began < MONO_SECONDS(10));
    sock_close(sock);
    close(stop);
    listener_stop(&listener);
}

/* Nobody reads what we write. */
static void test_full_window(void **state)
{
    static char much[1 << 24];
    struct listener listener;
    struct err err = {0};
    (void)state;
    listener_start(&listener, 1);
    struct sock *sock = connected(&listener, -1);
    assert_false(sock_write(sock, much, sizeof much, in_ms(100), &err));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    sock_write_some(sock, much, sizeof much); /* does not wait */
    close(listener.conn);
    listener.conn = -1;
    assert_false(sock_write(sock, much, sizeof much, in_ms(1000), &err));
    assert_int_equal(err.kind, ERR_SYSTEM); /* and no SIGPIPE */
    sock_close(sock);
    listener_stop(&listener);
}

static void test_refused(void **state)
{
    struct listener listener;
    struct err err = {0};
    (void)state;
    listener_start(&listener, 1);
    listener_stop(&listener);
    assert_null(sock_connect(&loopback, listener.port, "auto", -1, in_ms(1000), &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_int_equal(err.sys, ECONNREFUSED);
}

/* A queue of connections that is full: the kernel does not answer. */
static void test_connect_timeout(void **state)
{
    struct listener listener;
    struct sock *socks[8] = {NULL};
    struct err err = {0};
    size_t n = 0;
    (void)state;
    listener_start(&listener, 0);
    mono_us began = mono_now();
    while (n < ARRAY_LEN(socks)) {
        began = mono_now();
        socks[n] = sock_connect(&loopback, listener.port, "", -1, in_ms(100), &err);
        if (!socks[n])
            break;
        n++;
    }
    assert_true(n < ARRAY_LEN(socks));
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_in_range(mono_now() - began, MONO_MS(100), MONO_SECONDS(10));
    while (n > 0)
        sock_close(socks[--n]);
    listener_stop(&listener);
}

static void test_interface(void **state)
{
    struct listener listener;
    struct sockaddr_in from;
    struct err err = {0};
    socklen_t n = sizeof from;
    (void)state;
    listener_start(&listener, 4);
    struct sock *sock = sock_connect(&loopback, listener.port, "127.0.0.9", -1, in_ms(1000), &err);
    assert_non_null(sock);
    listener.conn = accept(listener.fd, (struct sockaddr *)&from, &n);
    assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000009);
    sock_close(sock);
    assert_null(sock_connect(&loopback, listener.port, "::1", -1, in_ms(1000), &err));
    assert_int_equal(err.kind, ERR_RANGE);
    assert_null(sock_connect(&loopback, listener.port, "192.0.2.1", -1, in_ms(1000), &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_null(sock_connect(&loopback, listener.port, "nosuchdev", -1, in_ms(1000), &err));
    assert_int_equal(err.kind, ERR_SYSTEM);
    listener_stop(&listener);
}

static void *stop_soon(void *arg)
{
    uint64_t one = 1;
    struct err err = {0};
    struct listener silent;
    char byte;
    /* A wait that ends by itself, as a clock. */
    listener_start(&silent, 1);
    struct sock *sock = connected(&silent, -1);
    (void)sock_read(sock, &byte, 1, in_ms(100), &err);
    sock_close(sock);
    listener_stop(&silent);
    assert_int_equal(write(*(int *)arg, &one, sizeof one), sizeof one);
    return NULL;
}

static void test_stop(void **state)
{
    struct listener listener;
    struct err err = {0};
    pthread_t thread;
    char byte;
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    (void)state;
    listener_start(&listener, 1);
    struct sock *sock = connected(&listener, stop_fd);
    mono_us began = mono_now();
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop_fd), 0);
    assert_int_equal(sock_read(sock, &byte, 1, in_ms(20000), &err), -1);
    assert_int_equal(err.kind, ERR_SYSTEM);
    assert_int_equal(err.sys, ECANCELED);
    assert_in_range(mono_now() - began, MONO_MS(50), MONO_SECONDS(10));
    assert_int_equal(sock_read(sock, &byte, 1, in_ms(5000), &err), -1); /* for good */
    pthread_join(thread, NULL);
    sock_close(sock);
    listener_stop(&listener);
    close(stop_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),     cmocka_unit_test(test_silence),
        cmocka_unit_test(test_finish),    cmocka_unit_test(test_full_window),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_interface), cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
