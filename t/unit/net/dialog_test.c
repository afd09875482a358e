/*
 * dialog_test.c - runs t/dialogue/NAME.script against the SMTP dialogue: as
 * written, with the server's bytes split in two at every offset, and byte by
 * byte in both directions.
 *
 * One step a line; '#' begins a comment line:
 *
 *     set KEY=VALUE...        hostname, mail_from, tls (off, may, require), lmtp (yes),
 *                             pipelining (no); first of all
 *     S: TEXT                 the server sends TEXT and CR LF
 *     S*N: TEXT               N times
 *     s: TEXT                 the server sends TEXT; \r \n \0 \t \\ \xNN are bytes
 *     C: TEXT                 the client sends exactly this line
 *     close                   the server closes
 *     give-up [cut] TEXT      the driver gives up
 *     tls                     the dialogue wants TLS; it is started
 *     ready                   it is idle
 *     batch ADDRESS...        asks for these; "utf8:ADDRESS" needs SMTPUTF8
 *     done                    the batch is done
 *     answer I none           recipient I has no answer
 *     answer I CLASS CODE STATUS TEXT     "-" where there is none; TEXT may be left out
 *     scope I|broken recipient|server|no_smtputf8     of whom that speaks
 *     counts ASKED REJECTED
 *     quit, closed
 *     broken STAGE CLASS CODE [cut] [TEXT...]   TEXT: contained in the failure's text
 *
 * What the client writes without a C: line, and what is left over, fails.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/net/smtp_class.h"
#include "lib/net/smtp_dialog.h"

#define WORDS_MAX 210
#define STEPS_MAX 1000

struct step {
    unsigned line;
    char *text; /* owned */
};

struct script {
    const char *name;
    struct step steps[STEPS_MAX];
    size_t n;
};

struct run {
    const struct script *script;
    const struct step *step;
    size_t split; /* offset of the server's stream at which to split; SIZE_MAX: nowhere */
    bool dribble;
    size_t fed; /* bytes of the server so far */
    struct strbuf out;
    size_t out_at;
    struct dialog_settings settings;
    struct smtp_dialog *dialog;
    const char *recipients[WORDS_MAX];
    bool utf8[WORDS_MAX];
};

#define REQUIRE(run, cond, ...)                                                                    \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            print_message("%s:%u: split %zu dribble %d: %s: ", (run)->script->name,                \
                          (run)->step->line, (run)->split, (run)->dribble, (run)->step->text);     \
            print_message(__VA_ARGS__);                                                            \
            fail_msg("script failed");                                                             \
        }                                                                                          \
    } while (0)

/* --- bytes --------------------------------------------------------------------- */

static void pull(struct run *run)
{
    struct slice out = dialog_output(run->dialog);
    while (out.n > 0) {
        size_t n = run->dribble ? 1 : out.n;
        strbuf_add(&run->out, out.p, n);
        dialog_sent(run->dialog, n);
        out = dialog_output(run->dialog);
    }
}

static void require_silence(struct run *run)
{
    size_t left = run->out.n - run->out_at;
    REQUIRE(run, left == 0, "client sent %s\n", strbuf_text(&run->out) + run->out_at);
}

static void feed(struct run *run, struct slice bytes)
{
    require_silence(run);
    while (bytes.n > 0) {
        size_t n = run->dribble ? 1 : bytes.n;
        if (run->split > run->fed && run->split < run->fed + n)
            n = run->split - run->fed;
        dialog_input(run->dialog, bytes.p, n);
        run->fed += n;
        bytes = (struct slice){bytes.p + n, bytes.n - n};
    }
}

static void expect_line(struct run *run, const char *line)
{
    size_t n = strlen(line);
    pull(run);
    const char *at = strbuf_text(&run->out) + run->out_at;
    size_t left = run->out.n - run->out_at;
    REQUIRE(run, left >= n + 2 && memcmp(at, line, n) == 0 && memcmp(at + n, "\r\n", 2) == 0,
            "client sent %.*s\n", (int)left, at);
    run->out_at += n + 2;
}

static unsigned hex(char c)
{
    return (unsigned)(ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10);
}

static void add_raw(struct strbuf *to, const char *text)
{
    static const char names[] = "rn0t\\", bytes[] = "\r\n\0\t\\";
    for (; *text; text++) {
        const char *name = *text == '\\' && text[1] ? strchr(names, text[1]) : NULL;
        if (name) {
            strbuf_putc(to, bytes[name - names]);
            text++;
        } else if (*text == '\\' && text[1] == 'x') {
            strbuf_putc(to, (char)(hex(text[2]) * 16 + hex(text[3])));
            text += 3;
        } else {
            strbuf_putc(to, *text);
        }
    }
}

/* --- steps --------------------------------------------------------------------- */

static void step_server(struct run *run, const char *text)
{
    struct strbuf bytes;
    uint64_t times = 1;
    strbuf_init(&bytes);
    const char *colon = strchr(text, ':');
    if (text[1] == '*')
        REQUIRE(run,
                str_to_uint((struct slice){text + 2, (size_t)(colon - text - 2)}, 100000, &times),
                "bad count\n");
    const char *line = colon[1] == ' ' ? colon + 2 : colon + 1;
    for (uint64_t i = 0; i < times; i++) {
        if (text[0] == 's')
            add_raw(&bytes, line);
        else
            strbuf_printf(&bytes, "%s\r\n", line);
    }
    feed(run, (struct slice){bytes.p, bytes.n});
    strbuf_done(&bytes);
}

static void step_set(struct run *run, char **words, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        char *value = strchr(words[i], '=');
        REQUIRE(run, value, "no value\n");
        *value++ = '\0';
        if (strcmp(words[i], "hostname") == 0)
            run->settings.hostname = value;
        else if (strcmp(words[i], "mail_from") == 0)
            run->settings.mail_from = value;
        else if (strcmp(words[i], "tls") == 0)
            run->settings.tls = strcmp(value, "may") == 0 ? DIALOG_TLS_MAY : DIALOG_TLS_REQUIRE;
        else if (strcmp(words[i], "lmtp") == 0)
            run->settings.lmtp = true;
        else if (strcmp(words[i], "pipelining") == 0)
            run->settings.no_pipelining = true;
        else
            REQUIRE(run, false, "unknown setting\n");
    }
}

static void step_batch(struct run *run, char **words, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        bool utf8 = strncmp(words[i], "utf8:", 5) == 0;
        run->recipients[i - 1] = utf8 ? words[i] + 5 : words[i];
        run->utf8[i - 1] = utf8;
    }
    dialog_batch(run->dialog, run->recipients, run->utf8, n - 1);
}

static const char *or_none(const char *word)
{
    return strcmp(word, "-") == 0 ? "" : word;
}

static int code_of(const char *word)
{
    uint64_t code = 0;
    return str_to_uint(slice_of(or_none(word)), 999, &code) ? (int)code : 0;
}

static void step_answer(struct run *run, char **words, size_t n)
{
    uint64_t i = 0;
    REQUIRE(run, n >= 3 && str_to_uint(slice_of(words[1]), 999, &i), "bad answer\n");
    const struct dialog_answer *answer = dialog_answer(run->dialog, (size_t)i);
    if (strcmp(words[2], "none") == 0) {
        REQUIRE(run, !answer, "%s\n", answer->text);
        return;
    }
    REQUIRE(run, answer && n >= 5, "no answer\n");
    REQUIRE(run, strcmp(smtp_class_name(answer->class), words[2]) == 0, "%s %d %s\n",
            smtp_class_name(answer->class), answer->code, answer->text);
    REQUIRE(run, answer->code == code_of(words[3]), "%d\n", answer->code);
    REQUIRE(run, strcmp(answer->status, or_none(words[4])) == 0, "%s\n", answer->status);
    for (size_t k = 5; k < n; k++)
        REQUIRE(run, strstr(answer->text, words[k]), "%s\n", answer->text);
}

static const char *const stage_names[] = {
    [CALLAHEAD_AT_RESOLVE] = "resolve",   [CALLAHEAD_AT_CONNECT] = "connect",
    [CALLAHEAD_AT_GREETING] = "greeting", [CALLAHEAD_AT_EHLO] = "ehlo",
    [CALLAHEAD_AT_STARTTLS] = "starttls", [CALLAHEAD_AT_MAIL] = "mail",
    [CALLAHEAD_AT_RCPT] = "rcpt",
};

static void step_broken(struct run *run, char **words, size_t n)
{
    const struct dialog_answer *failure = dialog_failure(run->dialog);
    REQUIRE(run, n >= 4 && dialog_next(run->dialog) == DIALOG_BROKEN, "is not\n");
    REQUIRE(run, strcmp(stage_names[failure->stage], words[1]) == 0, "%s: %s\n",
            stage_names[failure->stage], failure->text);
    REQUIRE(run, strcmp(smtp_class_name(failure->class), words[2]) == 0, "%s\n",
            smtp_class_name(failure->class));
    REQUIRE(run, failure->code == code_of(words[3]), "%d\n", failure->code);
    bool cut = n > 4 && strcmp(words[4], "cut") == 0;
    REQUIRE(run, dialog_cut_off(run->dialog) == cut, "cut off: %d\n", !cut);
    for (size_t k = cut ? 5 : 4; k < n; k++)
        REQUIRE(run, strstr(failure->text, words[k]), "%s\n", failure->text);
}

static void step_scope(struct run *run, char **words, size_t n)
{
    static const char *const names[] = {[DIALOG_OF_RECIPIENT] = "recipient",
                                        [DIALOG_OF_SERVER] = "server",
                                        [DIALOG_NO_SMTPUTF8] = "no_smtputf8",
                                        [DIALOG_OF_US] = "us"};
    uint64_t i = 0;
    REQUIRE(run, n == 3, "bad scope\n");
    const struct dialog_answer *answer = str_to_uint(slice_of(words[1]), 999, &i)
                                             ? dialog_answer(run->dialog, (size_t)i)
                                             : dialog_failure(run->dialog);
    REQUIRE(run, answer && strcmp(names[answer->scope], words[2]) == 0, "is not\n");
}

static void step_counts(struct run *run, char **words, size_t n)
{
    REQUIRE(run, n == 3 && code_of(words[1]) == (int)dialog_asked(run->dialog), "asked %u\n",
            dialog_asked(run->dialog));
    REQUIRE(run, code_of(words[2]) == (int)dialog_rejected(run->dialog), "rejected %u\n",
            dialog_rejected(run->dialog));
}

static void require_next(struct run *run, enum dialog_want want)
{
    REQUIRE(run, dialog_next(run->dialog) == want, "state is %d: %s\n",
            (int)dialog_next(run->dialog), dialog_failure(run->dialog)->text);
}

static void step_words(struct run *run, char **words, size_t n)
{
    if (strcmp(words[0], "ready") == 0) {
        require_next(run, DIALOG_READY);
    } else if (strcmp(words[0], "done") == 0) {
        require_next(run, DIALOG_BATCH_DONE);
    } else if (strcmp(words[0], "closed") == 0) {
        require_next(run, DIALOG_CLOSED);
    } else if (strcmp(words[0], "tls") == 0) {
        require_next(run, DIALOG_WANT_TLS);
        dialog_tls_started(run->dialog);
    } else if (strcmp(words[0], "close") == 0) {
        require_silence(run);
        dialog_input(run->dialog, NULL, 0);
    } else if (strcmp(words[0], "give-up") == 0) {
        dialog_give_up(run->dialog, n > 2, words[n - 1]);
    } else if (strcmp(words[0], "quit") == 0) {
        dialog_quit(run->dialog);
    } else if (strcmp(words[0], "batch") == 0) {
        step_batch(run, words, n);
    } else if (strcmp(words[0], "answer") == 0) {
        step_answer(run, words, n);
    } else if (strcmp(words[0], "broken") == 0) {
        step_broken(run, words, n);
    } else if (strcmp(words[0], "scope") == 0) {
        step_scope(run, words, n);
    } else if (strcmp(words[0], "counts") == 0) {
        step_counts(run, words, n);
    } else {
        REQUIRE(run, false, "unknown step\n");
    }
}

static size_t split_words(char *text, char **words)
{
    size_t n = 0;
    while (*text && n < WORDS_MAX) {
        while (*text == ' ')
            *text++ = '\0';
        if (*text)
            words[n++] = text;
        while (*text && *text != ' ')
            text++;
    }
    return n;
}

static void step_run(struct run *run, char *copy)
{
    char *words[WORDS_MAX] = {NULL};
    if (strncmp(copy, "C: ", 3) == 0) {
        expect_line(run, copy + 3);
    } else if (strncmp(copy, "S:", 2) == 0 || strncmp(copy, "s:", 2) == 0 ||
               strncmp(copy, "S*", 2) == 0) {
        step_server(run, copy);
    } else {
        size_t n = split_words(copy, words);
        if (strcmp(words[0], "set") == 0) {
            step_set(run, words, n);
            dialog_free(run->dialog);
            run->dialog = dialog_new(&run->settings);
        } else {
            step_words(run, words, n);
        }
    }
}

/* --- scripts ------------------------------------------------------------------- */

/* Bytes the server said. */
static size_t run_script(const struct script *script, size_t split, bool dribble)
{
    char *copies[STEPS_MAX];
    struct run run = {.script = script, .split = split, .dribble = dribble};
    run.settings = (struct dialog_settings){.hostname = "gate.example", .mail_from = ""};
    run.dialog = dialog_new(&run.settings);
    strbuf_init(&run.out);
    for (size_t i = 0; i < script->n; i++) {
        run.step = &script->steps[i];
        copies[i] = strdup(run.step->text);
        assert_non_null(copies[i]);
        step_run(&run, copies[i]);
    }
    pull(&run);
    require_silence(&run);
    dialog_free(run.dialog);
    strbuf_done(&run.out);
    for (size_t i = 0; i < script->n; i++)
        free(copies[i]);
    return run.fed;
}

static void load(struct script *script, const char *path)
{
    static char line[100000];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    script->name = path;
    script->n = 0;
    for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        assert_true(script->n < STEPS_MAX);
        script->steps[script->n++] = (struct step){number, strdup(line)};
    }
    fclose(file);
    assert_true(script->n > 0);
}

static void unload(struct script *script)
{
    for (size_t i = 0; i < script->n; i++)
        free(script->steps[i].text);
}

static void run_file(const char *path)
{
    static struct script script;
    load(&script, path);
    size_t bytes = run_script(&script, SIZE_MAX, false);
    run_script(&script, SIZE_MAX, true);
    /* Long ones at some two thousand offsets. */
    size_t stride = bytes > 4000 ? bytes / 2000 : 1;
    for (size_t split = 1; split < bytes; split += stride)
        run_script(&script, split, false);
    print_message("# %s: %zu bytes\n", path, bytes);
    unload(&script);
}

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".script") == 0;
}

static void test_scripts(void **state)
{
    const char *top = getenv("srcdir");
    char path[4096];
    struct dirent **entries = NULL;
    (void)state;
    snprintf(path, sizeof path, "%s/t/dialogue", top ? top : ".");
    int n = scandir(path, &entries, is_script, alphasort);
    assert_true(n >= 10);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/t/dialogue/%s", top ? top : ".", entries[i]->d_name);
        run_file(path);
        free(entries[i]);
    }
    free(entries);
}

/* Two hundred recipients are two transactions in one piece of output. */
static void test_full_batch(void **state)
{
    static const char hello[] = "220 x\r\n";
    static const char ehlo[] = "250-x\r\n250 PIPELINING\r\n";
    const char *recipients[DIALOG_BATCH_MAX];
    bool utf8[DIALOG_BATCH_MAX] = {false};
    struct dialog_settings settings = {.hostname = "h", .mail_from = ""};
    struct smtp_dialog *dialog = dialog_new(&settings);
    (void)state;
    for (size_t i = 0; i < DIALOG_BATCH_MAX; i++)
        recipients[i] = "user@example.com";
    dialog_input(dialog, hello, sizeof hello - 1);
    dialog_sent(dialog, dialog_output(dialog).n);
    dialog_input(dialog, ehlo, sizeof ehlo - 1);
    dialog_batch(dialog, recipients, utf8, DIALOG_BATCH_MAX);
    assert_int_equal(dialog_unanswered(dialog), DIALOG_BATCH_MAX + 3); /* MAIL, RSET, MAIL */
    dialog_sent(dialog, dialog_output(dialog).n);
    for (size_t i = 0; i < DIALOG_BATCH_MAX + 3; i++) {
        assert_int_equal(dialog_next(dialog), DIALOG_WANT_READ);
        dialog_input(dialog, "250 ok\r\n", 8);
    }
    assert_int_equal(dialog_next(dialog), DIALOG_BATCH_DONE);
    for (size_t i = 0; i < DIALOG_BATCH_MAX; i++)
        assert_int_equal(dialog_answer(dialog, i)->class, CALLAHEAD_VALID);
    assert_null(dialog_answer(dialog, DIALOG_BATCH_MAX));
    dialog_free(dialog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_full_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
