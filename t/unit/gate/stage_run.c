/* stage_run.c - see stage_run.h. */
#include "t/unit/gate/stage_run_inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "lib/net/smtp_class.h"
#include "t/unit/gate/stage_answer.h"
#include "t/unit/gate/stage_arrival.h"
#include "t/unit/gate/stage_memory.h"
#include "t/unit/gate/stage_verdict.h"

#define BUDGET MONO_SECONDS(25)
#define RATE_PERIOD MONO_SECONDS(3600)

/* --- a case that runs --------------------------------------------------------------- */

static mono_us now;

void stage_wrong(const struct run *run, const char *fmt, ...)
{
    char text[4 * LOG_LINE_MAX];
    va_list ap;
    stage_memory_return();
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fail_msg("t/stage/%s:%u: %s", run->test->file->name, run->line, text);
}

static uint64_t number(const struct run *run, const char *text)
{
    uint64_t value = 0;
    if (text == NULL || !str_to_uint(slice_of(text), UINT64_MAX, &value))
        stage_wrong(run, "\"%s\" is not a number", text != NULL ? text : "");
    return value;
}

static const char *need_word(const struct run *run, char **rest, const char *what)
{
    const char *word = case_word(rest);
    if (word == NULL)
        stage_wrong(run, "%s is missing", what);
    return word;
}

/* --- services ----------------------------------------------------------------------- */

static void give_host(void *ctx, const struct conn_facts *conn, struct arena *arena,
                      mono_us deadline, struct host_answer *answer_out)
{
    struct run *run = ctx;
    assert_ptr_equal(conn, &run->conn);
    assert_non_null(arena);
    run->until = deadline;
    now += MONO_MS(run->host_ms);
    *answer_out = run->host;
}

static void give_lookups(void *ctx, const struct conn_facts *conn, const struct hat_wants *wants,
                         struct arena *arena, mono_us deadline, struct lookup_answer *answer_out)
{
    struct run *run = ctx;
    assert_non_null(arena);
    assert_ptr_equal(conn, &run->conn);
    run->until = deadline;
    now += MONO_MS(run->lookups.ms);
    stage_lookups_give(&run->lookups, wants, answer_out);
}

static void give_sender(void *ctx, const char *domain, bool accept_a, mono_us deadline,
                        enum sender_class *answer_out)
{
    struct run *run = ctx;
    run->until = deadline;
    if (!stage_domains_give(&run->domains, domain, accept_a, answer_out))
        stage_wrong(run, "DNS is asked for %s, no answer is scripted", run->domains.asked);
    now += MONO_MS(run->domains.ms);
}

static void give_answer(void *ctx, const struct callahead_plan *plan, const struct rcpt_facts *rcpt,
                        bool literal_named, mono_us deadline, struct callahead_answer *answer_out)
{
    struct run *run = ctx;
    bool renamed = strcmp(rcpt->to.text, rcpt->base.text) != 0;
    assert_ptr_equal(plan, run->rules->callahead->plan);
    snprintf(run->asked, sizeof run->asked, "%s%s%s%s", rcpt->to.text,
             literal_named ? " literal_named" : "", renamed ? " known_as=" : "",
             renamed ? rcpt->base.text : "");
    stage_answer_show(rcpt->client, run->asked_for, sizeof run->asked_for);
    run->until = deadline;
    if (!run->scripted)
        stage_wrong(run, "call-ahead is asked for %s, no answer is scripted", run->asked);
    run->scripted = false;
    now += MONO_MS(run->answer.ms);
    *answer_out = run->answer;
    if (run->answer_takes_memory)
        stage_memory_take(run->mail_arena);
}

static void give_directory(void *ctx, const struct directory_plan *plan,
                           const struct mailaddr *recipient, const struct mailaddr *sender,
                           mono_us deadline, struct directory_answer *answer_out)
{
    struct run *run = ctx;
    assert_ptr_equal(plan, run->rules->directory->plan);
    run->until = deadline;
    if (!stage_directory_give(&run->directory, recipient, sender, answer_out))
        stage_wrong(run, "the directory is asked for %s, no answer is scripted",
                    run->directory.asked);
    now += MONO_MS(answer_out->ms);
}

/* --- steps that prepare --------------------------------------------------------------- */

static void step_host(struct run *run, char *rest)
{
    if (!stage_domains_host(rest, run->conn_arena, &run->host, &run->host_ms))
        stage_wrong(run, "no such class or number");
}

static void add_listed(struct run *run, const char *said)
{
    if (run->conn.nlisted == LISTED_MAX ||
        !stage_lookups_listing(arena_dup(run->conn_arena, said), run->conn_arena,
                               &run->listed[run->conn.nlisted++]))
        stage_wrong(run, "too many zones, or no answer");
    run->conn.listed = run->listed;
    run->conn.lists_known = true;
}

static void step_client(struct run *run, char *rest)
{
    const char *word, *value;
    while ((word = case_word(&rest)) != NULL) {
        if (strcmp(word, "tls") == 0 || strcmp(word, "notls") == 0)
            run->conn.tls = word[0] == 't';
        else if (strcmp(word, "certificate") == 0)
            run->conn.certificate = true;
        else if (strcmp(word, "monitor") == 0)
            run->conn.monitor = true;
        else if (strcmp(word, "noauth") == 0)
            run->conn.auth = NULL;
        else if ((value = case_value(word, "auth")) != NULL)
            run->conn.auth = arena_dup(run->conn_arena, value);
        else if ((value = case_value(word, "listed")) != NULL)
            add_listed(run, value);
        else if (!stage_lookups_told(&run->conn, word))
            stage_wrong(run, "no such fact: %s", word);
    }
}

static void step_lookups(struct run *run, char *rest)
{
    const char *word;
    run->lookups = (struct stage_lookups){.nlisting = 0};
    while ((word = case_word(&rest)) != NULL) {
        if (!stage_lookups_set(&run->lookups, run->conn_arena, word))
            stage_wrong(run, "no such look-up: %s", word);
    }
}

static void step_callahead(struct run *run, char *rest)
{
    const char *word = need_word(run, &rest, "the class");
    if (run->scripted)
        stage_wrong(run, "the answer before was not fetched");
    run->answer = (struct callahead_answer){.stage = CALLAHEAD_AT_RCPT};
    run->answer_takes_memory = false;
    if (!smtp_class_by_name(slice_of(word), &run->answer.class))
        stage_wrong(run, "no such class: %s", word);
    while ((word = case_word(&rest)) != NULL) {
        if (strcmp(word, "out-of-memory") == 0)
            run->answer_takes_memory = true;
        else if (!stage_answer_set(&run->answer, word))
            stage_wrong(run, "no such part of an answer: %s", word);
    }
    run->scripted = true;
}

static void step_ldap(struct run *run, char *rest)
{
    if (!stage_directory_script(&run->directory, rest))
        stage_wrong(run, "no such answer, or the one before was not fetched");
}

static void step_wait(struct run *run, char *rest)
{
    now += MONO_SECONDS(number(run, rest));
}

static void step_another(struct run *run, char *rest)
{
    (void)rest;
    if (!stage_crowd_keep(&run->crowd, &run->conn))
        stage_wrong(run, "too many connections");
}

static void step_leave(struct run *run, char *rest)
{
    if (!stage_crowd_leave(&run->crowd, number(run, rest)))
        stage_wrong(run, "there is no other connection %s", rest);
}

static void step_sender_dns(struct run *run, char *rest)
{
    if (run->domains.scripted || !stage_domains_script(&run->domains, rest))
        stage_wrong(run, "no such answer, or the one before was not fetched");
}

static void step_pending(struct run *run, char *rest)
{
    if (!stage_crowd_pend(&run->crowd, &run->services.counting, rest))
        stage_wrong(run, "no number, no address, or too many");
}

static void step_size(struct run *run, char *rest)
{
    run->has_size = true;
    run->size = number(run, rest);
}

static void step_queue_id(struct run *run, char *rest)
{
    run->mail.queue_id = rest;
}

static void step_reload(struct run *run, char *rest)
{
    run->in_force = world_find(run->test->world, rest);
    if (run->in_force == NULL)
        stage_wrong(run, "there is no configuration %s", rest);
}

static void step_out_of_memory(struct run *run, char *rest)
{
    (void)rest;
    run->next_without_memory = true;
}

static void step_sender_lost(struct run *run, char *rest)
{
    (void)rest;
    run->next_without_sender = true;
}

static void step_cut_short(struct run *run, char *rest)
{
    const char *word = need_word(run, &rest, "stopping or hurried");
    if (strcmp(word, "stopping") != 0 && strcmp(word, "hurried") != 0)
        stage_wrong(run, "neither stopping nor hurried: %s", word);
    run->next_peace = word[0] == 's' ? GATE_STOPPING : GATE_HURRIED;
}

/* --- steps that ask the gate ------------------------------------------------------------ */

static enum gate_peace give_peace(void *arg)
{
    const struct run *run = arg;
    return run->until != 0 ? run->next_peace : GATE_UNDISTURBED;
}

/* A gate whose arena is the usual one, or one that cannot grow any more. */
static struct gate begin_command(struct run *run, struct arena *arena)
{
    if (run->judged && !run->looked_at)
        stage_wrong(run, "the verdict of the command before is not expected anywhere");
    run->judged = true;
    run->looked_at = false;
    run->asked[0] = run->log[0] = run->domains.asked[0] = run->directory.asked[0] = '\0';
    run->until = 0;
    run->deadline = now + BUDGET;
    memset(&run->verdict, 0x5a, sizeof run->verdict);
    if (run->next_without_memory) {
        arena = run->tight_arena;
        stage_memory_take(arena);
    }
    return (struct gate){.services = &run->services,
                         .arena = arena,
                         .deadline = run->deadline,
                         .rate_period = RATE_PERIOD,
                         .rules = run->rules,
                         .peace = give_peace,
                         .peace_arg = run};
}

/* What holds for every verdict, whatever the case says. */
static void end_command(struct run *run)
{
    stage_memory_return();
    run->next_without_memory = false;
    run->next_peace = GATE_UNDISTURBED;
    if (run->until != 0)
        assert_int_equal(run->until, run->deadline);
    stage_verdict_check(&run->verdict);
}

static void step_connect(struct run *run, char *rest)
{
    stage_crowd_end(&run->conn);
    if (!stage_arrival_read(rest, &run->conn))
        stage_wrong(run, "no address, or no such fact");
    run->lookups.wanted[0] = '\0';
    struct gate gate = begin_command(run, run->conn_arena);
    gate_connect(&gate, &run->in_force->listeners, &run->conn, &run->verdict);
    end_command(run);
    run->rules = run->conn.listener;
    journal_connect(&run->conn, &run->verdict);
}

/* As the filter does it: the configuration in force is pinned (DESIGN 3). */
static void pin_rules(struct run *run)
{
    const struct listener *connected = run->conn.listener;
    if (connected == NULL)
        return;
    run->rules = listener_named(&run->in_force->listeners, connected->name);
    if (run->rules == NULL)
        run->rules = connected;
}

static void step_mail(struct run *run, char *rest)
{
    arena_reset(run->mail_arena);
    run->mail = (struct mail_facts){.mid = run->mail.mid + 1,
                                    .sent = case_bytes(rest),
                                    .size_known = run->has_size,
                                    .size = run->size,
                                    .queue_id = run->mail.queue_id};
    if (run->next_without_sender)
        run->mail.sent = (struct slice){NULL, 0};
    run->has_size = run->next_without_sender = false;
    run->rcpt.rid = 0;
    pin_rules(run);
    struct gate gate = begin_command(run, run->mail_arena);
    gate_mail(&gate, &run->conn, &run->mail, &run->verdict);
    end_command(run);
    journal_mail(&run->conn, &run->mail, &run->verdict);
}

static void step_rcpt(struct run *run, char *rest)
{
    run->rcpt = (struct rcpt_facts){.rid = run->rcpt.rid + 1, .sent = case_bytes(rest)};
    struct gate gate = begin_command(run, run->mail_arena);
    gate_rcpt(&gate, &run->conn, &run->mail, &run->rcpt, &run->verdict);
    end_command(run);
    if (run->verdict.action == VERDICT_CONTINUE)
        run->totals.accepted++;
    else
        run->totals.refused++;
    journal_rcpt(&run->conn, &run->mail, &run->rcpt, &run->verdict);
}

static void step_eom(struct run *run, char *rest)
{
    const char *word = need_word(run, &rest, "the number of bytes");
    run->mail.received = number(run, word);
    if ((word = case_word(&rest)) != NULL)
        run->mail.forged = number(run, case_value(word, "forged"));
    struct gate gate = begin_command(run, run->mail_arena);
    gate_eom(&gate, &run->conn, &run->mail, &run->verdict);
    end_command(run);
    journal_eom(&run->conn, &run->mail, &run->verdict);
}

static void step_close(struct run *run, char *rest)
{
    (void)rest;
    run->totals.messages = run->conn.messages;
    run->totals.ms = (uint64_t)((now - run->began) / 1000);
    journal_close(&run->conn, &run->totals);
    stage_crowd_end(&run->conn);
}

/* --- cases ------------------------------------------------------------------------------ */

static const struct {
    const char *word;
    void (*step)(struct run *run, char *rest);
} steps[] = {
    {"host", step_host},
    {"client", step_client},
    {"connect", step_connect},
    {"size", step_size},
    {"wait", step_wait},
    {"another", step_another},
    {"cut-short", step_cut_short},
    {"leave", step_leave},
    {"pending", step_pending},
    {"mail", step_mail},
    {"callahead", step_callahead},
    {"ldap", step_ldap},
    {"rcpt", step_rcpt},
    {"asked", stage_step_asked},
    {"asked-for", stage_step_asked_for},
    {"mark", stage_step_mark},
    {"ldap-asked", stage_step_ldap_asked},
    {"lookups", step_lookups},
    {"wanted", stage_step_wanted},
    {"sender-dns", step_sender_dns},
    {"verified", stage_step_verified},
    {"eom", step_eom},
    {"close", step_close},
    {"queue-id", step_queue_id},
    {"reload", step_reload},
    {"log", stage_step_log},
    {"out-of-memory", step_out_of_memory},
    {"sender-lost", step_sender_lost},
    {"=", stage_step_verdict},
};

static void run_line(struct run *run, char *line)
{
    while (*line == ' ')
        line++;
    if (*line == '\0' || *line == '#')
        return;
    char *rest = strchr(line, ' ');
    if (rest != NULL)
        *rest++ = '\0';
    else
        rest = line + strlen(line);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (strcmp(steps[i].word, line) == 0) {
            steps[i].step(run, rest);
            return;
        }
    }
    stage_wrong(run, "no such step: %s", line);
}

static void keep_log(const char *line, void *arg)
{
    struct run *run = arg;
    snprintf(run->log, sizeof run->log, "%s", line);
    world_strip(run->test->world, run->log);
}

static void begin_run(struct run *run, const struct stage_test *test)
{
    *run = (struct run){
        .test = test,
        .line = test->block->line,
        .conn = {.icid = 1,
                 .arrival = {.daemon_name = ""},
                 .mta_name = "",
                 .mta_resolve = "",
                 .helo = ""},
        .mail = {.queue_id = ""},
        .in_force = world_find(test->world, ""),
        .conn_arena = arena_new(0),
        .mail_arena = arena_new(0),
        .tight_arena = arena_new(0),
        .host = {.class = HOST_UNKNOWN},
    };
    run->limits = limits_new(1000);
    assert_non_null(run->limits);
    run->services = (struct services){.ctx = run,
                                      .host = give_host,
                                      .lookups = give_lookups,
                                      .sender = give_sender,
                                      .directory = give_directory,
                                      .callahead = give_answer,
                                      .counting = limits_counting(run->limits)};
    assert_non_null(run->conn_arena);
    assert_non_null(run->mail_arena);
    assert_non_null(run->tight_arena);
    if (run->in_force == NULL)
        stage_wrong(run, "the file has no configuration without a name");
    run->began = now = MONO_SECONDS(1000);
    mono_simulate(&now);
    log_set_level(LOG_AT_INFO);
    log_capture(keep_log, run);
}

static void end_run(struct run *run)
{
    if (run->scripted || run->domains.scripted || run->directory.scripted)
        stage_wrong(run, "the last answer of call-ahead, directory or DNS was never fetched");
    if (!run->judged || !run->looked_at)
        stage_wrong(run, "the last verdict is not expected anywhere");
    limits_free(run->limits);
    arena_free(run->conn_arena);
    arena_free(run->mail_arena);
    arena_free(run->tight_arena);
}

void stage_run_case(void **state)
{
    static struct run run;
    const struct stage_test *test = *state;
    char *text = strdup(test->block->text), *line = text, *end;
    begin_run(&run, test);
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        run_line(&run, line);
        run.line++;
        line = end + 1;
    }
    end_run(&run);
    free(text);
}

int stage_run_after(void **state)
{
    (void)state;
    stage_memory_return();
    log_capture(NULL, NULL);
    mono_simulate(NULL);
    return 0;
}
