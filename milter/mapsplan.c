#include "milter/mapsplan.h"

#include "lib/mta/lint.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/sendmail_maps.h"
#include "milter/mapsinput.h"
#include "milter/mapskeys.h"

#define RELOAD_POSTFIX "/usr/sbin/postfix"
#define RELOAD_SENDMAIL "/etc/init.d/sendmail"

static const char *or_else(const char *text, const char *otherwise)
{
    return text[0] != '\0' ? text : otherwise;
}

void mapsplan_default(enum maps_mta mta, struct mapsplan *plan_out)
{
    bool sendmail = mta == MAPS_SENDMAIL;

    *plan_out = (struct mapsplan){
        .mta = mta,
        .folder = mapsinput_folder(mta),
        .reload_program = sendmail ? RELOAD_SENDMAIL : RELOAD_POSTFIX,
        .tool = sendmail ? COMPILE_MAKEMAP : COMPILE_POSTMAP,
        .compiler = sendmail ? PUBLISH_MAKEMAP : PUBLISH_POSTMAP,
        .type = sendmail ? PUBLISH_MAKEMAP_TYPE : PUBLISH_POSTMAP_TYPE,
    };
}

bool mapsplan_get(const struct snapshot *snapshot, struct mapsplan *plan_out)
{
    const struct conf_section *section = conf_find(snapshot->conf, "maps", "");
    const struct maps_keys *keys = section->values;

    if (section->at.line == 0)
        return false;
    mapsplan_default((enum maps_mta)keys->mta, plan_out);
    plan_out->folder = or_else(keys->output, plan_out->folder);
    plan_out->reload = keys->reload;
    plan_out->reload_program = or_else(keys->reload_program, plan_out->reload_program);
    plan_out->compiler = or_else(keys->compiler, plan_out->compiler);
    return true;
}

static void no_memory(struct problems *problems)
{
    problem_error(problems, (struct place){0}, "out of memory");
}

void mapsplan_check(const struct snapshot *snapshot, bool force, struct problems *problems)
{
    struct arena *arena = arena_new(0);
    struct maps_input input;
    struct mapsplan plan;

    if (arena == NULL || !mapsinput_make(snapshot, arena, &input))
        no_memory(problems);
    else if (mapsplan_get(snapshot, &plan))
        lint_maps(&input, plan.mta, force, problems);
    else
        lint_clients(&input, problems);
    arena_free(arena);
}

bool mapsplan_build(const struct maps_input *input, enum maps_mta mta, struct maps *maps)
{
    return mta == MAPS_SENDMAIL ? sendmail_maps_build(input, maps)
                                : postfix_maps_build(input, maps);
}

/* The rest of what is written with a password counts, its user for one. */
static bool blind_passwords(struct arena *arena, struct maps_input *input)
{
    struct maps_auth *list = arena_alloc(arena, (input->nauths + 1) * sizeof *list);

    if (list == NULL)
        return false;
    for (size_t i = 0; i < input->nauths; i++) {
        list[i] = input->auths[i];
        list[i].password = "x";
    }
    input->auths = list;
    return true;
}

bool mapsplan_sums(struct snapshot *snapshot, const struct mapsplan *plan, struct mapsums *sums_out)
{
    struct arena *arena = arena_new(0);
    struct blocks_table *blocks;
    struct err unknown;
    struct maps_input input;
    struct maps maps;

    maps_init(&maps);
    *sums_out = (struct mapsums){0};
    (void)!blocks_look(snapshot->settings.keys->state_dir, snapshot, &blocks, &unknown);
    bool ok = arena != NULL && mapsinput_make(snapshot, arena, &input) &&
              mapsinput_use_blocks(blocks, arena, &input) && blind_passwords(arena, &input) &&
              mapsplan_build(&input, plan->mta, &maps) && mapsums_make(&maps, plan->type, sums_out);
    maps_done(&maps);
    arena_free(arena);
    blocks_drop(blocks);
    return ok;
}

void mapsplan_print(const struct mapsplan *plan, const struct mapsums *sums, struct strbuf *out)
{
    if (plan == NULL) {
        strbuf_puts(out, "maps\tnone\n");
        return;
    }
    strbuf_printf(out, "maps\t%s\t%s\t%s\t%s\t%s\n",
                  plan->mta == MAPS_SENDMAIL ? "sendmail" : "postfix", plan->folder,
                  plan->reload ? "reload" : "-", plan->reload_program, plan->compiler);
    mapsums_print(sums, out);
}
