#include "milter/mapstell.h"

#include "lib/mta/lint.h"
#include "lib/mta/run.h"
#include "milter/mapsinput.h"

void mapstell_step(struct strbuf *text, const char *file, enum publish_step step)
{
    switch (step) {
    case PUBLISH_DIFFERS:
        strbuf_printf(text, "%s: differs\n", file);
        return;
    case PUBLISH_MAP_DIFFERS:
        strbuf_printf(text, "%s: the compiled map differs\n", file);
        return;
    case PUBLISH_RENAMED:
        strbuf_printf(text, "%s: written\n", file);
        return;
    case PUBLISH_VERIFIED:
        strbuf_printf(text, "%s: compiled and read back\n", file);
        return;
    case PUBLISH_LEFT_OVER:
        strbuf_printf(text, "%s: belongs to no listener any more; left alone\n", file);
        return;
    case PUBLISH_KEPT:
        strbuf_printf(text, "%s: was not written by gatehousectl; kept as %s.saved\n", file, file);
        return;
    case PUBLISH_SAME:
    case PUBLISH_WRITTEN:
    case PUBLISH_COMPILED:
        return;
    }
}

void mapstell_lint(const struct snapshot *snapshot, enum maps_mta mta, bool force,
                   struct arena *arena, struct maps_input *input, struct problems *problems)
{
    mapsinput_read_passwords(snapshot, arena, input, problems);
    lint_maps(input, mta, force, problems);
}

bool mapstell_mta(const struct mapsplan *plan, const char *mail_config, struct strbuf *text,
                  struct err *err)
{
    const char *argv[] = {plan->reload_program, "reload", NULL};
    struct run run = {.argv = argv,
                      .mail_config = mail_config,
                      .deadline = mono_now() + MONO_SECONDS(MAPSTELL_MTA_SECONDS),
                      .output_max = 65536};

    if (!plan->reload) {
        strbuf_puts(text,
                    plan->mta == MAPS_SENDMAIL
                        ? "Sendmail must be restarted: it reads relay-domains only when it starts\n"
                        : "Postfix must be reloaded: it does not read cidr, regexp and ldap files "
                          "again by itself\n");
        return true;
    }
    if (!run_tool(&run, NULL, err))
        return false;
    strbuf_printf(text, "%s: reloaded\n", plan->reload_program);
    return true;
}
