/* log_test.c - log lines and where they go (lib/base/log.h). */
#include "lib/base/log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char last[LOG_LINE_MAX + 1];
static unsigned lines;

static void remember(const char *line, void *arg)
{
    (void)arg;
    lines++;
    assert_true(strlen(line) < LOG_LINE_MAX);
    memcpy(last, line, strlen(line) + 1);
}

static void writes_pairs(void **state)
{
    (void)state;
    struct logline l;
    log_begin(&l, LOG_AT_INFO);
    log_uint(&l, "icid", UINT64_MAX);
    log_word(&l, "event", "connect");
    log_word(&l, "absent", NULL);
    log_text(&l, "host", slice_of("mail.example.net"));
    log_text(&l, "from", slice_of("<a@b>"));
    log_text(&l, "entry", slice_of("a \"b\"\n"));
    log_text(&l, "empty", slice_of(""));
    log_end(&l);
    assert_string_equal(last, "icid=18446744073709551615 event=connect host=mail.example.net "
                              "from=<a@b> entry=\"a \\\"b\\\"\\x0a\" empty=\"\"");
}

static void notes_are_always_quoted(void **state)
{
    (void)state;
    log_note(LOG_AT_ERROR, "start", "%s", "ready");
    assert_string_equal(last, "event=start detail=\"ready\"");
    log_note(LOG_AT_ERROR, "start", "a\nevent=%s", "x");
    assert_string_equal(last, "event=start detail=\"a\\x0aevent=x\"");
}

static void long_notes_fit(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, '\n', sizeof text - 1);
    log_note(LOG_AT_ERROR, "start", "%s", text);
    assert_true(strlen(last) > LOG_NOTE_MAX);
    assert_string_equal(last + strlen(last) - 5, "\\x0a\"");
}

static void says_only_what_is_wanted(void **state)
{
    (void)state;
    static const enum log_level levels[] = {LOG_AT_ERROR, LOG_AT_WARNING, LOG_AT_INFO,
                                            LOG_AT_DEBUG};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        log_set_level(levels[i]);
        for (size_t j = 0; j < ARRAY_LEN(levels); j++) {
            lines = 0;
            log_note(levels[j], "x", "y");
            struct logline l;
            log_begin(&l, levels[j]);
            log_word(&l, "a", "b");
            log_text(&l, "c", slice_of("d"));
            log_uint(&l, "e", 1);
            log_end(&l);
            assert_int_equal(lines, j <= i ? 2 : 0);
            assert_int_equal(log_wants(levels[j]), j <= i);
        }
    }
    log_set_level(LOG_AT_INFO);
}

static void values_are_cut(void **state)
{
    (void)state;
    static char value[1000];
    for (size_t n = LOG_VALUE_MAX - 1; n <= LOG_VALUE_MAX + 1; n++) {
        struct logline l;
        memset(value, 'v', sizeof value);
        log_begin(&l, LOG_AT_INFO);
        log_text(&l, "k", (struct slice){value, n});
        log_end(&l);
        assert_int_equal(strlen(last), 2 + (n < LOG_VALUE_MAX ? n : LOG_VALUE_MAX));
    }
}

/* Lines of every length around the limit: whole pairs only, and a mark. */
static void lines_are_cut_at_a_pair(void **state)
{
    (void)state;
    static char value[LOG_VALUE_MAX];
    bool seen_cut = false, seen_whole = false;
    memset(value, 'v', sizeof value);
    for (size_t n = 0; n < sizeof value; n++) {
        struct logline l;
        log_begin(&l, LOG_AT_INFO);
        for (int i = 0; i < 7; i++)
            log_text(&l, "k", (struct slice){value, sizeof value});
        log_text(&l, "last", (struct slice){value, n + 1});
        log_word(&l, "z", "after");
        log_end(&l);
        const char *end = strstr(last, " last=");
        bool cut = strstr(last, " cut=yes") != NULL;
        seen_cut |= cut;
        seen_whole |= !cut;
        assert_int_equal(cut, strstr(last, " z=after") == NULL);
        if (end)
            assert_int_equal(strspn(end + 6, "v"), n + 1);
    }
    assert_true(seen_cut && seen_whole);
}

static size_t read_whole(const char *path, char *text, size_t room)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, room - 1, file);
    text[n] = '\0';
    fclose(file);
    return n;
}

static void writes_files_and_reopens_them(void **state)
{
    (void)state;
    char folder[] = "/tmp/log_test.XXXXXX", path[100], moved[100], text[1000];
    struct err err = {0};
    struct stat st;
    log_capture(NULL, NULL);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(moved, sizeof moved, "%s/log.1", folder);
    assert_true(log_open(LOG_TO_FILE, path, 0, LOG_AT_INFO, "test", &err));
    log_note(LOG_AT_WARNING, "one", "x");
    assert_int_equal(rename(path, moved), 0);
    log_note(LOG_AT_INFO, "two", "x");
    assert_true(log_reopen(&err));
    log_note(LOG_AT_ERROR, "three", "x");
    read_whole(moved, text, sizeof text);
    assert_non_null(strstr(text, "Z warning event=one detail=\"x\"\n"));
    assert_non_null(strstr(text, "Z info event=two detail=\"x\"\n"));
    size_t n = read_whole(path, text, sizeof text);
    assert_string_equal(text + 24, " error event=three detail=\"x\"\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0137, 0);

    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(log_reopen(&err));
    assert_int_equal(err.sys, EISDIR);
    assert_int_equal(rmdir(path), 0);
    assert_true(log_reopen(&err));
    log_note(LOG_AT_ERROR, "three", "x");
    assert_int_equal(read_whole(path, text, sizeof text), n);
    assert_true(log_open(LOG_TO_STDERR, NULL, 0, LOG_AT_INFO, "test", &err));
    unlink(path);
    unlink(moved);
    rmdir(folder);
    log_capture(remember, NULL);
}

static void refuses_a_file_it_cannot_open(void **state)
{
    (void)state;
    struct err err = {0};
    assert_false(log_open(LOG_TO_FILE, "/nonexistent/log", 0, LOG_AT_INFO, "test", &err));
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.text,
                        "cannot open log file /nonexistent/log: No such file or directory");
    assert_true(log_reopen(&err));
}

static void refuses_a_long_path(void **state)
{
    struct err err = {0};
    char name[200];
    (void)state;
    memset(name, '/', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(log_open(LOG_TO_SYSLOG, name, 0, LOG_AT_INFO, "test", &err));
    assert_non_null(strstr(err.text, "too long"));
}

#define THREADS 4
#define LINES_EACH 200

static void *write_many(void *arg)
{
    for (int i = 0; i < LINES_EACH; i++)
        log_note(LOG_AT_INFO, arg, "%0100d", i);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    static char names[THREADS][4] = {"t0", "t1", "t2", "t3"};
    char path[] = "/tmp/log_test.XXXXXX", line[400];
    struct err err;
    pthread_t threads[THREADS];
    unsigned n = 0;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    log_capture(NULL, NULL);
    assert_true(log_open(LOG_TO_FILE, path, 0, LOG_AT_INFO, "test", &err));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
    for (int i = 0; i < 20; i++)
        assert_true(log_reopen(&err));
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(log_open(LOG_TO_STDERR, NULL, 0, LOG_AT_INFO, "test", &err));
    log_capture(remember, NULL);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        assert_int_equal(strlen(line), 24 + strlen(" info event=t0 detail=\"\"\n") + 100);
        assert_int_equal(strncmp(line + 24, " info event=t", 13), 0);
        n++;
    }
    fclose(file);
    unlink(path);
    assert_int_equal(n, THREADS * LINES_EACH);
}

static int start(void **state)
{
    (void)state;
    log_capture(remember, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_pairs),
        cmocka_unit_test(notes_are_always_quoted),
        cmocka_unit_test(long_notes_fit),
        cmocka_unit_test(says_only_what_is_wanted),
        cmocka_unit_test(values_are_cut),
        cmocka_unit_test(lines_are_cut_at_a_pair),
        cmocka_unit_test(writes_files_and_reopens_them),
        cmocka_unit_test(refuses_a_file_it_cannot_open),
        cmocka_unit_test(refuses_a_long_path),
        cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests_name("base/log", tests, start, NULL);
}
