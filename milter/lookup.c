#include "milter/lookup.h"

#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

struct run {
    const struct lookup *lookup;
    const struct command *command;
    struct lookup_question question;
    struct strbuf out;
    bool json, batch;
};

bool lookup_listener(const struct lookup_question *question, const struct listener **listener_out,
                     struct err *err)
{
    const char *name = question->words[0];

    *listener_out = listener_named(&question->snapshot->listeners, name);
    return *listener_out != NULL || err_set(err, ERR_RANGE, "there is no [listener %.100s]", name);
}

void lookup_put_reply(const struct verdict *verdict, struct form *form)
{
    if (verdict != NULL)
        form_number(form, "code", (uint64_t)verdict->code);
    else
        form_text(form, "code", NULL);
    form_text(form, "status", verdict != NULL ? verdict->status : NULL);
    form_reply(form, "text", verdict != NULL ? verdict->text : NULL);
}

static int ask(struct run *run, struct err *err)
{
    struct form form;

    strbuf_reset(&run->out);
    form_begin(&form, run->json, &run->out);
    int status = run->lookup->answer(&run->question, &form, err);
    form_end(&form);
    return status;
}

static int ask_one(struct run *run)
{
    struct err err = {0};
    int status = ask(run, &err);

    if (status == COMMAND_USAGE)
        fprintf(stderr, "gatehousectl %s: %s\n", run->command->name, err.text);
    else if (command_print(run->command, &run->out) != COMMAND_YES)
        status = COMMAND_NO;
    return status;
}

/* --- a batch ------------------------------------------------------------------------- */

/* Words behind those of the command line. */
static bool split(struct run *run, size_t fixed, struct slice line)
{
    struct slice rest = slice_trim(line);

    for (size_t i = fixed; i < run->lookup->most; i++) {
        size_t n = i + 1 == run->lookup->most ? rest.n : 0;
        while (n < rest.n && !ascii_is_space(rest.p[n]))
            n++;
        run->question.words[i] =
            n > 0 ? arena_dup_slice(run->question.arena, (struct slice){rest.p, n}) : NULL;
        if (n > 0 && run->question.words[i] == NULL)
            return false;
        rest = slice_trim((struct slice){rest.p + n, rest.n - n});
    }
    return true;
}

struct lines *lookup_open_batch(struct problems *problems)
{
    return lines_open_fd(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0), "stdin", problems);
}

void lookup_explain(struct slice line, const struct err *err, struct strbuf *out)
{
    struct form form;

    strbuf_reset(out);
    form_begin(&form, true, out);
    form_slice(&form, "query", line);
    form_text(&form, "error", err->text);
    form_end(&form);
}

static bool ask_line(struct run *run, size_t fixed, struct slice line)
{
    struct err err = {.text = "out of memory"};
    size_t least = run->lookup->least;
    bool good = split(run, fixed, line);

    if (good && run->question.words[least - 1] == NULL)
        good = err_set(&err, ERR_SYNTAX, "too few words");
    if (!good || ask(run, &err) == COMMAND_USAGE)
        lookup_explain(line, &err, &run->out);
    return command_print(run->command, &run->out) == COMMAND_YES;
}

static int ask_lines(struct run *run, size_t fixed)
{
    struct problems problems;
    struct slice line;
    bool good = true;

    problems_init(&problems);
    struct lines *lines = lookup_open_batch(&problems);
    while (good && lines != NULL && lines_next_any(lines, &line)) {
        arena_reset(run->question.arena);
        if (slice_trim(line).n > 0)
            good = ask_line(run, fixed, line);
    }
    good = good && problems_errors(&problems) == 0;
    problems_print(&problems, stderr);
    problems_done(&problems);
    lines_close(lines);
    return good ? COMMAND_YES : COMMAND_NO;
}

/* --- the command line ------------------------------------------------------------------ */

/* How many words it has, "-" not counted; SIZE_MAX: it is wrong. */
static size_t read_arguments(struct run *run, int argc, char **argv)
{
    const struct lookup *lookup = run->lookup;
    int option;
    size_t n = 0;

    while ((option = command_option(run->command, argc, argv)) != -1) {
        if (option == 'j')
            run->json = true;
        else if (option == 'l')
            run->question.listener = optarg;
        else
            return SIZE_MAX;
    }
    for (; optind < argc && !run->batch; optind++) {
        run->batch = strcmp(argv[optind], "-") == 0;
        if (run->batch)
            continue;
        if (n == lookup->most)
            return SIZE_MAX;
        run->question.words[n++] = argv[optind];
    }
    run->json = run->json || run->batch;
    run->question.json = run->json;
    bool enough = run->batch ? n < lookup->most : n >= lookup->least;
    return optind == argc && enough ? n : SIZE_MAX;
}

int lookup_run(const struct lookup *lookup, const struct command *command, const char *conf,
               int argc, char **argv)
{
    struct run run = {.lookup = lookup, .command = command};
    size_t words = read_arguments(&run, argc, argv);
    int status = COMMAND_NO;

    if (words == SIZE_MAX)
        return command_usage(command, "wrong arguments");
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    strbuf_init(&run.out);
    run.question.snapshot = snapshot;
    run.question.ctx = lookup->ctx;
    run.question.arena = arena_new(0);
    if (run.question.arena == NULL)
        fprintf(stderr, "gatehousectl %s: out of memory\n", command->name);
    else
        status = run.batch ? ask_lines(&run, words) : ask_one(&run);
    arena_free(run.question.arena);
    strbuf_done(&run.out);
    snapshot_drop(snapshot);
    return status;
}
