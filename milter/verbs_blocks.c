/* Verbs about sender entries made at run time. */
#include "milter/verbs.h"

#include <string.h>

#include "milter/form.h"

static const char *until(int64_t expires, char text[MONO_WALL_TEXT_MAX])
{
    return expires == 0 ? "it is unblocked" : mono_wall_at(expires, text);
}

/* "" is 0, without end. */
static bool parse_seconds(const char *text, int64_t *seconds_out, struct err *err)
{
    uint64_t number = 0;

    if (text[0] != '\0' &&
        (!str_to_uint(slice_of(text), (uint64_t)BLOCKS_LONGEST_S, &number) || number == 0))
        return err_set(err, ERR_RANGE, "\"%.40s\" is wrong; allowed: 1s to %lldd", text,
                       BLOCKS_LONGEST_S / 86400);
    *seconds_out = (int64_t)number;
    return true;
}

/* ENTRY SECONDS POLICY [COMMENT]; all but ENTRY may be empty. */
enum wire_status verbs_block(void *ctx, const char *const *arguments, size_t n,
                             struct strbuf *reply)
{
    const struct verbs_world *world = ctx;
    struct blocks *blocks = &world->house->blocks;
    struct blocks_order order = {.entry = arguments[0],
                                 .policy = arguments[2][0] != '\0' ? arguments[2] : BLOCKS_POLICY,
                                 .comment = n > 3 ? arguments[3] : ""};
    char text[MONO_WALL_TEXT_MAX];
    struct err err = {0};

    if (!parse_seconds(arguments[1], &order.seconds, &err) ||
        !blocks_add(blocks, &order, reply, &err)) {
        strbuf_printf(reply, "%s\n", err.text);
        return WIRE_NO;
    }
    strbuf_printf(reply, "%s: %s until %s\n", order.entry, order.policy,
                  until(blocks->list[0].expires, text));
    if (policies_target(blocks->snapshot->policies, order.policy)->keys.access == POLICY_RELAY)
        strbuf_puts(reply,
                    "the mail server's own maps do not know it: run gatehousectl maps, which "
                    "takes addresses, and again when it has expired\n");
    return WIRE_YES;
}

enum wire_status verbs_unblock(void *ctx, const char *const *arguments, size_t n,
                               struct strbuf *reply)
{
    const struct verbs_world *world = ctx;

    (void)n;
    if (!blocks_remove(&world->house->blocks, arguments[0], reply)) {
        strbuf_printf(reply, "there is no entry \"%s\"\n", arguments[0]);
        return WIRE_NO;
    }
    strbuf_printf(reply, "%s: unblocked\n", arguments[0]);
    return WIRE_YES;
}

static void put_json(const struct block *block, bool first, struct strbuf *reply)
{
    struct form form;

    strbuf_puts(reply, first ? "" : ",");
    form_begin(&form, true, reply);
    form_text(&form, "entry", block->entry);
    form_text(&form, "policy", block->policy);
    form_moment(&form, "added", block->added);
    form_moment(&form, "expires", block->expires);
    form_bool(&form, "in_force", block->in_force);
    form_text(&form, "comment", block->comment);
    strbuf_putc(reply, '}');
}

static void put_line(const struct block *block, struct strbuf *reply)
{
    char text[MONO_WALL_TEXT_MAX];

    strbuf_printf(reply, "%s %s until %s%s%s%s\n", block->entry, block->policy,
                  until(block->expires, text),
                  block->in_force ? "" : " (without effect: there is no such policy)",
                  block->comment != NULL ? ": " : "", block->comment != NULL ? block->comment : "");
}

enum wire_status verbs_blocks(void *ctx, const char *const *arguments, size_t n,
                              struct strbuf *reply)
{
    const struct verbs_world *world = ctx;
    const struct blocks *blocks = &world->house->blocks;
    bool json;

    if (!verbs_only_word(arguments, n, "json", &json))
        return verbs_usage(reply);
    if (json)
        strbuf_putc(reply, '[');
    for (size_t i = 0; i < blocks->n; i++) {
        if (json)
            put_json(&blocks->list[i], i == 0, reply);
        else
            put_line(&blocks->list[i], reply);
    }
    if (json)
        strbuf_puts(reply, "]\n");
    return WIRE_YES;
}
