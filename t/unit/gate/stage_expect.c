/* stage_expect.c - what a stage case expects of the command before. */
#include <string.h>

#include "lib/gate/mark.h"
#include "t/unit/gate/stage_run_inner.h"
#include "t/unit/gate/stage_verdict.h"

static void must_be(const struct run *run, const char *what, const char *is, const char *want)
{
    if (strcmp(is, want) != 0)
        stage_wrong(run, "%s\n  is:   %s\n  want: %s", what, is, want);
}

void stage_step_verdict(struct run *run, char *rest)
{
    char is[LOG_LINE_MAX];
    if (!run->judged)
        stage_wrong(run, "nothing was asked yet");
    stage_verdict_print(&run->verdict, is, sizeof is);
    case_bytes(rest);
    must_be(run, "verdict", is, rest);
    run->looked_at = true;
}

void stage_step_log(struct run *run, char *rest)
{
    must_be(run, "log", run->log, rest);
}

void stage_step_wanted(struct run *run, char *rest)
{
    must_be(run, "wanted", run->lookups.wanted, rest);
}

void stage_step_verified(struct run *run, char *rest)
{
    must_be(run, "verified", run->domains.asked, rest);
}

void stage_step_mark(struct run *run, char *rest)
{
    const char *value = mark_value(&run->conn, run->mail_arena);
    must_be(run, "mark", value != NULL ? value : "out of memory", rest);
}

void stage_step_asked(struct run *run, char *rest)
{
    must_be(run, "asked", run->asked, rest);
}

void stage_step_asked_for(struct run *run, char *rest)
{
    must_be(run, "asked-for", run->asked_for, rest);
}

void stage_step_ldap_asked(struct run *run, char *rest)
{
    must_be(run, "ldap-asked", run->directory.asked, rest);
}
