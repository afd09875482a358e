/* gatehousectl reload: another configuration, and the maps that belong to it, or nothing. */
#include "milter/command.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/escape.h"
#include "lib/mta/swap.h"
#include "milter/ask.h"
#include "milter/mapsinput.h"
#include "milter/mapsnames.h"
#include "milter/mapstell.h"
#include "milter/mxcheck.h"

/* The daemon holds its candidate for two minutes. What is compiled by then has to be asked for,
 * and maybe put back, in time. */
#define COMPILE_SECONDS 100
#define REASON_MAX 3000 /* bytes; a request has 4096 */

struct reload {
    const struct command *command;
    const char *conf;
    bool force;
    mono_us until;         /* for all compiling */
    struct ask_held *held; /* the daemon's candidate; NULL: it has been given back */
    struct slice plan;     /* what the daemon says of the maps */
    struct snapshot *snapshot;
    struct blocks_table *blocks; /* entries made at run time; NULL: none */
    struct arena *arena;
    struct mapsplan mine; /* borrows from snapshot */
    struct maps maps;
    struct strbuf said; /* about files, once it is true */
};

/* --- one way out ------------------------------------------------------------------------ */

/* The daemon is told why, so that its status has it, too. */
static void tell_daemon(struct reload *reload, const char *why)
{
    char reason[REASON_MAX];
    struct strbuf unread;
    struct err unused;

    escape_reply(slice_of(why), reason, sizeof reason);
    strbuf_init(&unread);
    ask_end(reload->held, (const char *[]){"reload-drop", reason}, 2, &unread, &unused);
    reload->held = NULL;
    strbuf_done(&unread);
}

static int give_up(struct reload *reload, const char *why)
{
    tell_daemon(reload, why);
    fprintf(stderr, "gatehousectl reload: %s\nthe running configuration stays\n", why);
    return COMMAND_NO;
}

/* Of problems that have been printed. */
static int give_up_for(struct reload *reload, const struct problems *problems)
{
    struct strbuf why;

    strbuf_init(&why);
    for (size_t i = 0; i < problems->count; i++)
        if (problems->list[i].severity == PROBLEM_ERROR)
            strbuf_printf(&why, "%s%s", why.n > 0 ? "; " : "", problems->list[i].line);
    int status = give_up(reload, why.n > 0 ? strbuf_text(&why) : "out of memory");
    strbuf_done(&why);
    return status;
}

/* --- take ------------------------------------------------------------------------------------ */

/* Have the candidate put in force. text: what the daemon says of it, or what went wrong. */
static enum wire_status take(struct reload *reload, struct strbuf *text)
{
    struct err err = {0};
    enum wire_status status = ask_end(reload->held, (const char *[]){"reload-take"}, 1, text, &err);

    reload->held = NULL;
    if (status != WIRE_YES && err.kind != ERR_NONE) {
        strbuf_reset(text);
        strbuf_printf(text, "gatehousectl reload: %s\n", err.text);
    }
    return status;
}

static int take_alone(struct reload *reload)
{
    struct strbuf text;

    strbuf_init(&text);
    enum wire_status status = take(reload, &text);
    fputs(strbuf_text(&text), status == WIRE_YES ? stdout : stderr);
    if (status == WIRE_YES)
        puts("there is no [maps] section: the maps of the MTA are left as they are");
    strbuf_done(&text);
    return (int)status;
}

/* --- the maps -------------------------------------------------------------------------------- */

static void on_step(void *arg, const char *file, enum publish_step step)
{
    struct reload *reload = arg;
    mapstell_step(&reload->said, file, step);
}

/* Ended in the middle of what follows, configuration and maps would be of two minds. */
static void block_signals(bool block, sigset_t *before)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGTSTP);
    sigprocmask(block ? SIG_BLOCK : SIG_SETMASK, block ? &set : before, block ? before : NULL);
}

static int could_not_take(struct swap *swap, enum wire_status status, const struct strbuf *text)
{
    struct err err = {0};
    bool back = swap_undo(swap, &err);

    fprintf(stderr, "%s%s%s\n", strbuf_text(text),
            back ? "the maps are as they were" : "gatehousectl reload: ", back ? "" : err.text);
    return (int)status;
}

static int tell_mta(struct reload *reload, struct swap *swap)
{
    struct strbuf text;
    struct err err = {0};

    if (!swap_reload(swap))
        return COMMAND_YES;
    strbuf_init(&text);
    bool told = mapstell_mta(&reload->mine, getenv("MAIL_CONFIG"), &text, &err);
    fputs(strbuf_text(&text), stdout);
    strbuf_done(&text);
    if (told)
        swap_told(swap);
    else
        fprintf(stderr,
                "gatehousectl reload: configuration and maps are in effect, but the MTA could not "
                "be told to read the maps again: %s\n",
                err.text);
    return told ? COMMAND_YES : COMMAND_NO;
}

/* All is written beside its place. */
static int place_and_take(struct reload *reload, struct swap *swap)
{
    struct strbuf text;
    struct err err = {0};
    sigset_t before;
    int status;

    strbuf_init(&text);
    block_signals(true, &before);
    bool placed = swap_place(swap, &err);
    status = placed ? (int)take(reload, &text) : give_up(reload, err.text);
    if (placed && status != WIRE_YES)
        status = could_not_take(swap, (enum wire_status)status, &text);
    block_signals(false, &before);
    if (status == COMMAND_YES) {
        fputs(strbuf_text(&text), stdout);
        fputs(strbuf_text(&reload->said), stdout);
        if (swap_changed(swap) == 0)
            printf("%s: all maps are up to date\n", reload->mine.folder);
        status = tell_mta(reload, swap);
    }
    strbuf_done(&text);
    return status;
}

static int write_maps(struct reload *reload)
{
    struct publish_options options = {
        .folder = reload->mine.folder,
        .tool = reload->mine.tool,
        .compiler = reload->mine.compiler,
        .type = reload->mine.type,
        .mail_config = getenv("MAIL_CONFIG"),
        .until = reload->until,
        .on_step = on_step,
        .arg = reload,
    };
    struct err err = {0};
    struct swap *swap = swap_stage(&reload->maps, &options, &err);

    if (swap == NULL)
        return give_up(reload, err.text);
    int status = place_and_take(reload, swap);
    swap_end(swap);
    return status;
}

/* --- from the daemon's very input ------------------------------------------------------------ */

/* The second word of the first line of mine that theirs has not. */
static struct slice find_difference(struct slice mine, struct slice theirs)
{
    size_t at = 0, line = 0;

    for (; at < mine.n && at < theirs.n && mine.p[at] == theirs.p[at]; at++)
        if (mine.p[at] == '\n')
            line = at + 1;
    struct slice rest = {mine.p + line, mine.n - line};
    size_t begin = 0, end;
    while (begin < rest.n && rest.p[begin] != '\t' && rest.p[begin] != '\n')
        begin++;
    begin = begin < rest.n ? begin + 1 : begin;
    for (end = begin; end < rest.n && rest.p[end] != '\t' && rest.p[end] != '\n';)
        end++;
    return (struct slice){rest.p + begin, end - begin};
}

static int compare_plans(struct reload *reload)
{
    struct mapsums sums = {0};
    struct strbuf mine;
    char why[300];
    int status = COMMAND_YES;
    bool has_plan = mapsplan_get(reload->snapshot, &reload->mine);

    strbuf_init(&mine);
    if (has_plan && !mapsplan_sums(reload->snapshot, &reload->mine, &sums))
        mine.failed = true;
    mapsplan_print(has_plan ? &reload->mine : NULL, &sums, &mine);
    if (mine.failed)
        status = give_up(reload, "out of memory");
    else if (!slice_is(reload->plan, strbuf_text(&mine))) {
        struct slice name = find_difference((struct slice){mine.p, mine.n}, reload->plan);
        snprintf(why, sizeof why,
                 "the files have changed since the daemon read them (%.*s would be different): "
                 "nothing is done, try again",
                 (int)(name.n < 100 ? name.n : 100), name.p);
        status = give_up(reload, why);
    }
    strbuf_done(&mine);
    mapsums_done(&sums);
    return status;
}

/* What only one who may read passwords can find; warnings the daemon has told. */
static int lint(struct reload *reload, struct maps_input *input)
{
    struct problems problems;
    int status = COMMAND_YES;

    problems_init(&problems);
    mapstell_lint(reload->snapshot, reload->mine.mta, reload->force, reload->arena, input,
                  &problems);
    if (problems_errors(&problems) > 0) {
        problems_print(&problems, stderr);
        status = give_up_for(reload, &problems);
    }
    problems_done(&problems);
    return status;
}

/* What takes somebody who can wait for DNS: warnings. */
static void look_at_names(const struct reload *reload, const struct maps_input *input)
{
    struct problems problems;

    problems_init(&problems);
    mapsnames_check(reload->snapshot, input, reload->mine.mta, false, &problems);
    mxcheck(reload->snapshot, &problems);
    problems_print(&problems, stderr);
    problems_done(&problems);
}

static int make_maps(struct reload *reload)
{
    struct maps_input input;

    reload->arena = arena_new(0);
    reload->blocks = command_blocks(reload->command, reload->snapshot);
    if (reload->arena == NULL || !mapsinput_make(reload->snapshot, reload->arena, &input) ||
        !mapsinput_use_blocks(reload->blocks, reload->arena, &input))
        return give_up(reload, "out of memory");
    int status = lint(reload, &input);
    if (status == COMMAND_YES)
        look_at_names(reload, &input);
    if (status == COMMAND_YES && !mapsplan_build(&input, reload->mine.mta, &reload->maps))
        status = give_up(reload, "out of memory");
    return status;
}

static int with_maps(struct reload *reload)
{
    struct problems problems;

    problems_init(&problems);
    reload->snapshot = snapshot_build(reload->conf, &problems);
    int status = COMMAND_YES;
    if (reload->snapshot == NULL) {
        problems_print(&problems, stderr);
        status = give_up_for(reload, &problems);
    }
    problems_done(&problems);
    if (status == COMMAND_YES)
        status = compare_plans(reload);
    if (status == COMMAND_YES)
        status = make_maps(reload);
    return status == COMMAND_YES ? write_maps(reload) : status;
}

/* --- the daemon's answer -----------------------------------------------------------------------
 */

/* Cut into what is for us and what is for people. false: it is no such answer. */
static bool split(struct slice answer, struct slice *plan_out, struct slice *text_out)
{
    for (size_t at = 0; at + 1 < answer.n; at++) {
        if (answer.p[at] != '\n' || answer.p[at + 1] != '\n')
            continue;
        *plan_out = (struct slice){answer.p, at + 1};
        *text_out = (struct slice){answer.p + at + 2, answer.n - at - 2};
        return true;
    }
    return false;
}

static int go_on(struct reload *reload, struct slice answer)
{
    struct slice text;

    if (!split(answer, &reload->plan, &text))
        return give_up(reload, "what answers there is not a gatehoused of this version");
    fwrite(text.p, 1, text.n, stdout);
    fflush(stdout);
    if (slice_is(reload->plan, "maps\tnone\n"))
        return take_alone(reload);
    return with_maps(reload);
}

int command_reload(const struct command *command, const char *conf, int argc, char **argv)
{
    const char *words[] = {"reload", "force"};
    struct reload reload = {
        .command = command, .conf = conf, .force = argc == 2 && strcmp(argv[1], "--force") == 0};
    struct strbuf answer;

    if (argc > 2 || (argc == 2 && !reload.force))
        return command_usage(command, "wrong arguments");
    strbuf_init(&answer);
    strbuf_init(&reload.said);
    maps_init(&reload.maps);
    int status = (int)ask_hold(conf, words, reload.force ? 2 : 1, &answer, &reload.held);
    reload.until = mono_now() + MONO_SECONDS(COMPILE_SECONDS);
    if (status == COMMAND_YES)
        status = go_on(&reload, (struct slice){strbuf_text(&answer), answer.n});
    else
        fputs(strbuf_text(&answer), stderr);
    maps_done(&reload.maps);
    arena_free(reload.arena);
    blocks_drop(reload.blocks);
    snapshot_drop(reload.snapshot);
    strbuf_done(&reload.said);
    strbuf_done(&answer);
    return status;
}
