/* control_test.c - what a request holds belongs to its connection: who may end it, and what
 * becomes of it when nobody does (milter/control.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/base/log.h"
#include "lib/base/mono.h"
#include "milter/control.h"

#define PATIENCE MONO_SECONDS(20)

static char folder[64], path[100];
static struct control *control;
static atomic_bool poked;
static unsigned held, taken, let_go;
static bool refuse;

static enum wire_status hold(void *ctx, const char *const *words, size_t n, struct strbuf *reply)
{
    (void)ctx, (void)words, (void)n;
    strbuf_puts(reply, refuse ? "no\n" : "held\n");
    held += !refuse;
    return refuse ? WIRE_NO : WIRE_YES;
}

static enum wire_status take(void *ctx, const char *const *words, size_t n, struct strbuf *reply)
{
    (void)ctx, (void)words, (void)n;
    taken++;
    strbuf_puts(reply, "taken\n");
    return WIRE_YES;
}

static void on_let_go(void *ctx)
{
    (void)ctx;
    let_go++;
}

static void poke(void)
{
    atomic_store(&poked, true);
}

static const struct control_verb verbs[] = {
    {.name = "hold", .in_main = true, .holds = true, .run = hold},
    {.name = "take", .in_main = true, .of_holder = true, .run = take},
    {.name = "other", .run = take},
};

static void begin(mono_us hold_patience)
{
    struct control_setup setup = {.path = path,
                                  .rules = {.user = getuid()},
                                  .group = getgid(),
                                  .verbs = verbs,
                                  .nverbs = ARRAY_LEN(verbs),
                                  .let_go = on_let_go,
                                  .hold_patience = hold_patience,
                                  .poke = poke};
    struct err err = {0};

    control = control_open(&setup, &err);
    if (control == NULL)
        fail_msg("%s", err.text);
    assert_true(control_start(control, &err));
}

static int set_up(void **state)
{
    (void)state;
    held = taken = let_go = 0;
    refuse = false;
    log_set_level(LOG_AT_ERROR);
    snprintf(folder, sizeof folder, "/tmp/control_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    control_close(control);
    rmdir(folder);
    return 0;
}

/* What main does, until the socket has something to say. */
static void serve_until_readable(int fd)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    mono_us end = mono_now() + PATIENCE;

    while (poll(&event, 1, 2) == 0) {
        assert_true(mono_now() < end);
        control_serve(control);
    }
}

static void serve_until_let_go(unsigned n)
{
    mono_us end = mono_now() + PATIENCE;

    while (let_go < n) {
        assert_true(mono_now() < end);
        (void)poll(NULL, 0, 2);
        control_serve(control);
    }
    control_serve(control);
    assert_int_equal(let_go, n);
}

static int dial(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(un.sun_path, path, strlen(path));
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

static void say(int fd, const char *verb)
{
    char line[100];
    int n = snprintf(line, sizeof line, "gatehouse-1\t%s\n", verb);
    assert_int_equal(send(fd, line, (size_t)n, MSG_NOSIGNAL), n);
}

/* The whole answer; "" the daemon has hung up. */
static const char *answer(int fd)
{
    static char text[200];

    serve_until_readable(fd);
    (void)poll(NULL, 0, 20); /* head and text are sent apart */
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static const char *ask(int fd, const char *verb)
{
    say(fd, verb);
    return answer(fd);
}

#define HELD "gatehouse-1\t0\t5\nheld\n"
#define TAKEN "gatehouse-1\t0\t6\ntaken\n"
#define UNKNOWN "gatehouse-1\t2\t"

static void held_and_taken(void **state)
{
    (void)state;
    begin(PATIENCE);
    int fd = dial();
    assert_string_equal(ask(fd, "hold"), HELD);
    assert_string_equal(ask(fd, "take"), TAKEN);
    assert_string_equal(answer(fd), "");
    close(fd);
    fd = dial();
    assert_string_equal(ask(fd, "hold"), HELD);
    assert_int_equal(let_go, 0); /* what was taken is nobody's to give back */
    close(fd);
    serve_until_let_go(1);
}

static void who_leaves_gives_back(void **state)
{
    (void)state;
    begin(PATIENCE);
    for (unsigned i = 1; i <= 3; i++) {
        int fd = dial();
        assert_string_equal(ask(fd, "hold"), HELD);
        close(fd);
        serve_until_let_go(i);
    }
    assert_int_equal(taken, 0);
}

static void who_leaves_before_the_answer_holds_nothing(void **state)
{
    (void)state;
    begin(PATIENCE);
    int fd = dial();
    say(fd, "hold");
    shutdown(fd, SHUT_RDWR);
    int other = dial();
    assert_string_equal(ask(other, "hold"), HELD); /* it was heard after the first one */
    assert_int_equal(held, 1);
    close(fd);
    close(other);
    serve_until_let_go(1);
}

static void who_leaves_before_it_is_done_takes_nothing(void **state)
{
    (void)state;
    begin(PATIENCE);
    int fd = dial();
    assert_string_equal(ask(fd, "hold"), HELD);
    say(fd, "take");
    close(fd);
    serve_until_let_go(1);
    assert_int_equal(taken, 0);
}

static void not_for_ever(void **state)
{
    (void)state;
    begin(MONO_MS(300));
    int fd = dial();
    mono_us began = mono_now();
    assert_string_equal(ask(fd, "hold"), HELD);
    serve_until_let_go(1);
    assert_true(mono_now() - began >= MONO_MS(300));
    assert_string_equal(answer(fd), "");
    close(fd);
}

/* Its patience is longer than that for a request. */
static void but_long_enough(void **state)
{
    (void)state;
    begin(PATIENCE);
    int fd = dial();
    assert_string_equal(ask(fd, "hold"), HELD);
    mono_us end = mono_now() + CONTROL_PATIENCE + MONO_MS(500);
    while (mono_now() < end) {
        (void)poll(NULL, 0, 50);
        control_serve(control);
    }
    assert_string_equal(ask(fd, "take"), TAKEN);
    assert_int_equal(let_go, 0);
    close(fd);
}

static void refused_is_not_held(void **state)
{
    (void)state;
    refuse = true;
    begin(PATIENCE);
    int fd = dial();
    assert_string_equal(ask(fd, "hold"), "gatehouse-1\t1\t3\nno\n");
    assert_string_equal(answer(fd), "");
    close(fd);
    control_serve(control);
    assert_int_equal(let_go, 0);
}

static void only_its_own(void **state)
{
    (void)state;
    begin(PATIENCE);
    int fd = dial(), other = dial();
    assert_string_equal(ask(fd, "hold"), HELD);
    assert_memory_equal(ask(other, "take"), UNKNOWN, strlen(UNKNOWN)); /* not what another holds */
    close(other);
    assert_memory_equal(ask(fd, "other"), UNKNOWN, strlen(UNKNOWN)); /* nor anything else with it */
    serve_until_let_go(1);
    assert_int_equal(taken, 0);
    close(fd);
}

/* Others wait for a place: who holds something is not one of the silent that make room. */
static void it_keeps_its_place(void **state)
{
    int others[CONTROL_CLIENTS_MAX + 8];
    (void)state;
    begin(PATIENCE);
    int fd = dial();
    assert_string_equal(ask(fd, "hold"), HELD);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        others[i] = dial();
    mono_us end = mono_now() + CONTROL_GRACE + MONO_MS(500);
    while (mono_now() < end) {
        (void)poll(NULL, 0, 20);
        control_serve(control);
    }
    assert_int_equal(let_go, 0);
    assert_string_equal(ask(fd, "take"), TAKEN);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        close(others[i]);
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(held_and_taken),
        TEST(who_leaves_gives_back),
        TEST(who_leaves_before_the_answer_holds_nothing),
        TEST(who_leaves_before_it_is_done_takes_nothing),
        TEST(not_for_ever),
        TEST(but_long_enough),
        TEST(refused_is_not_held),
        TEST(only_its_own),
        TEST(it_keeps_its_place),
    };
    return cmocka_run_group_tests_name("milter/control", tests, NULL, NULL);
}
