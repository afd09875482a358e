/* Daemons that hang, stop in the middle or are not there: the tool ends all the same
 * (milter/ask.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "milter/ask.h"
#include "milter/wire.h"

#define STEP MONO_MS(300)
#define LONG MONO_SECONDS(60) /* not reached */

static char folder[64], path[100];

/* A daemon by script: what it does with each connection, in turn. */
struct act {
    const char *reply; /* NULL: none, but the connection is held */
    mono_us after;     /* waits so long before it */
    mono_us pause;     /* between any two bytes of it */
    bool hangs_up;     /* after the reply, which it never does by itself */
};

static struct {
    const struct act *acts;
    size_t n;
    int fd;
    pthread_t thread;
    int held[8];
} fake;

static void wait_us(mono_us us)
{
    mono_us end = mono_now() + us;
    while (mono_now() < end)
        (void)poll(NULL, 0, mono_poll_ms(end));
}

static void act(const struct act *todo, int client)
{
    char request[WIRE_REQUEST_MAX];

    assert_true(recv(client, request, sizeof request, 0) > 0);
    wait_us(todo->after);
    for (const char *p = todo->reply; p && *p; p++) {
        (void)send(client, p, 1, MSG_NOSIGNAL);
        wait_us(todo->pause);
    }
    if (todo->hangs_up)
        shutdown(client, SHUT_RDWR);
}

/* Each connection in a thread of its own: a reload goes on while status is asked. */
struct served {
    const struct act *act;
    int client;
};

static void *serve_one(void *arg)
{
    struct served *served = arg;
    act(served->act, served->client);
    return NULL;
}

static void *serve(void *arg)
{
    struct served served[ARRAY_LEN(fake.held)];
    pthread_t threads[ARRAY_LEN(fake.held)];
    (void)arg;
    for (size_t i = 0; i < fake.n; i++) {
        served[i] = (struct served){&fake.acts[i], accept(fake.fd, NULL, NULL)};
        fake.held[i] = served[i].client;
        assert_true(served[i].client >= 0);
        assert_int_equal(pthread_create(&threads[i], NULL, serve_one, &served[i]), 0);
    }
    for (size_t i = 0; i < fake.n; i++)
        pthread_join(threads[i], NULL);
    return NULL;
}

static void listen_here(int backlog)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, path, strlen(path));
    fake.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake.fd, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(fake.fd, backlog), 0);
}

static void start_fake(const struct act *acts, size_t n)
{
    fake.acts = acts;
    fake.n = n;
    listen_here(16);
    assert_int_equal(pthread_create(&fake.thread, NULL, serve, NULL), 0);
}

static void stop_fake(void)
{
    pthread_join(fake.thread, NULL);
    for (size_t i = 0; i < fake.n; i++)
        close(fake.held[i]);
    close(fake.fd);
}

static int start(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ask_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static char answer[4096];
static mono_us took;

static int ask_with(const char *word, const struct ask_patience *patience)
{
    FILE *out = tmpfile();
    mono_us began = mono_now();

    assert_non_null(out);
    int status = ask_at(path, &word, 1, patience, out);
    took = mono_now() - began;
    rewind(out);
    size_t n = fread(answer, 1, sizeof answer - 1, out);
    answer[n] = '\0';
    fclose(out);
    return status;
}

static int ask(const char *word)
{
    return ask_with(word, &(struct ask_patience){.step = STEP, .text = LONG, .reload = LONG});
}

/* As a slow machine has it: no less than the patience, and not many times as long. */
static void assert_took(mono_us least)
{
    assert_true(took >= least);
    assert_true(took < least + MONO_SECONDS(10));
}

#define HEAD_OK "gatehouse-1\t0\t"

static void takes_an_answer(void **state)
{
    static const struct act acts[] = {{.reply = HEAD_OK "5\nfine\n"}};
    (void)state;
    start_fake(acts, 1);
    assert_int_equal(ask("status"), WIRE_YES);
    assert_string_equal(answer, "fine\n");
    stop_fake();
}

static void never_answers(void **state)
{
    static const struct act acts[] = {{.reply = NULL}};
    (void)state;
    start_fake(acts, 1);
    assert_int_equal(ask("status"), WIRE_UNREACHABLE);
    assert_string_equal(answer, "");
    assert_took(STEP);
    stop_fake();
}

/* Half an answer is none, and nothing of it is printed. */
static void half_an_answer(void **state)
{
    static const struct act acts[] = {
        {.reply = "gatehouse-1\t0"},
        {.reply = HEAD_OK "10\nhalf"},
        {.reply = "gatehouse-1\t0", .hangs_up = true},
        {.reply = HEAD_OK "10\nhalf", .hangs_up = true},
        {.reply = "", .hangs_up = true},
        {.reply = "HTTP/1.1 400 Bad Request\r\n\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
        start_fake(&acts[i], 1);
        assert_int_equal(ask("status"), WIRE_UNREACHABLE);
        assert_string_equal(answer, "");
        assert_took(i < 2 ? STEP : 0);
        stop_fake();
        unlink(path);
    }
}

/* A head that drips has one step in all; a text may drip, but not for ever. */
static void answers_that_drip(void **state)
{
    static const struct act head = {.reply = HEAD_OK "1\nx", .pause = STEP / 6};
    static const struct act text = {.reply = HEAD_OK "20\n01234567890123456789",
                                    .pause = STEP / 30};
    (void)state;
    start_fake(&head, 1);
    assert_int_equal(ask("status"), WIRE_UNREACHABLE);
    assert_took(STEP);
    stop_fake();
    unlink(path);
    start_fake(&text, 1);
    assert_int_equal(ask_with("status", &(struct ask_patience){STEP, STEP / 10, LONG}),
                     WIRE_UNREACHABLE);
    assert_string_equal(answer, "");
    stop_fake();
    unlink(path);
    start_fake(&text, 1);
    assert_int_equal(ask_with("status", &(struct ask_patience){STEP * 10, LONG, LONG}), WIRE_YES);
    assert_string_equal(answer, "01234567890123456789");
    stop_fake();
}

/* It does not accept, and its backlog is full. */
static void does_not_accept(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int others[4];
    (void)state;
    listen_here(0);
    memcpy(un.sun_path, path, strlen(path));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        others[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(others[i], (struct sockaddr *)&un, sizeof un);
    }
    assert_int_equal(ask("status"), WIRE_UNREACHABLE);
    assert_took(STEP);
    assert_int_equal(ask("reload"), WIRE_UNREACHABLE);
    assert_took(STEP);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        close(others[i]);
    close(fake.fd);
}

static void is_not_there(void **state)
{
    (void)state;
    assert_int_equal(ask("status"), WIRE_UNREACHABLE);
    listen_here(1);
    close(fake.fd);
    assert_int_equal(ask("status"), WIRE_UNREACHABLE);
}

/* It is asked for its status meanwhile, and answers. */
static void a_long_reload(void **state)
{
    static const struct act acts[] = {{.reply = HEAD_OK "5\ndone\n", .after = STEP * 5 / 2},
                                      {.reply = HEAD_OK "3\nup\n"},
                                      {.reply = HEAD_OK "3\nup\n"}};
    (void)state;
    start_fake(acts, ARRAY_LEN(acts));
    assert_int_equal(ask("reload"), WIRE_YES);
    assert_string_equal(answer, "done\n");
    stop_fake();
}

static void a_reload_that_hangs(void **state)
{
    static const struct act acts[] = {
        {.reply = NULL}, {.reply = HEAD_OK "3\nup\n"}, {.reply = NULL}};
    (void)state;
    start_fake(acts, ARRAY_LEN(acts));
    assert_int_equal(ask("reload"), WIRE_UNREACHABLE);
    assert_string_equal(answer, "");
    assert_took(3 * STEP);
    stop_fake();
}

static void a_reload_without_end(void **state)
{
    static const struct act acts[] = {{.reply = NULL}, {.reply = HEAD_OK "3\nup\n"}};
    (void)state;
    start_fake(acts, ARRAY_LEN(acts));
    assert_int_equal(ask_with("reload", &(struct ask_patience){STEP, LONG, STEP * 3 / 2}),
                     WIRE_UNREACHABLE);
    assert_took(STEP * 3 / 2);
    stop_fake();
}

static void what_cannot_be_sent(void **state)
{
    (void)state;
    assert_int_equal(ask("a\tb"), WIRE_USAGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_an_answer),     TEST(never_answers),       TEST(half_an_answer),
        TEST(answers_that_drip),   TEST(does_not_accept),     TEST(is_not_there),
        TEST(a_long_reload),       TEST(a_reload_that_hangs), TEST(a_reload_without_end),
        TEST(what_cannot_be_sent),
    };
    return cmocka_run_group_tests_name("milter/ask", tests, NULL, NULL);
}
