/* Verbs about what is remembered: call-ahead, directories, DNS lists. */
#include "milter/verbs.h"

#include <string.h>

#include "lib/base/domain.h"
#include "milter/form.h"

/* --- list --------------------------------------------------------------------------- */

static const char *class_name(enum callahead_class class)
{
    return class == CALLAHEAD_VALID ? "valid" : "user_unknown";
}

static void put_entry(const struct callahead_entry *entry, void *arg)
{
    struct form form;

    form_begin(&form, true, arg);
    form_slice(&form, "address", entry->recipient);
    form_text(&form, "class", class_name(entry->class));
    form_text(&form, "profile", entry->profile);
    form_text(&form, "server", entry->server);
    form_number(&form, "left", (uint64_t)entry->left);
    form_end(&form);
}

enum wire_status verbs_cache_list(void *ctx, const char *const *arguments, size_t n,
                                  struct strbuf *reply)
{
    const struct verbs_world *world = ctx;
    bool json;

    if (!verbs_only_word(arguments, n, "json", &json))
        return verbs_usage(reply);
    callahead_list(engine_callahead(world->house->engine), put_entry, reply);
    return WIRE_YES;
}

/* --- flush -------------------------------------------------------------------------- */

struct target {
    enum callahead_flush what;
    const char *text;
    char domain[DOMAIN_MAX];
};

static bool parse_address(const char *text, struct arena *arena, struct target *target,
                          struct err *err)
{
    struct mailaddr address;

    if (!mailaddr_parse(slice_of(text), MAILADDR_STRICT, false, arena, &address, err))
        return false;
    target->what = CALLAHEAD_FLUSH_ADDRESS;
    target->text = address.key;
    return true;
}

static bool parse_target(const char *text, struct arena *arena, struct target *target,
                         struct err *err)
{
    *target = (struct target){.text = ""};
    if (strcmp(text, "--all") == 0 || strcmp(text, "--negative") == 0) {
        target->what = strcmp(text, "--all") == 0 ? CALLAHEAD_FLUSH_ALL : CALLAHEAD_FLUSH_NEGATIVE;
        return true;
    }
    if (text[0] != '@')
        return parse_address(text, arena, target, err);
    target->what = CALLAHEAD_FLUSH_DOMAIN;
    target->text = target->domain;
    return domain_canon(slice_of(text + 1), target->domain) ||
           err_set(err, ERR_SYNTAX, "\"%.80s\" is not a domain; allowed: @example.com", text);
}

/* Answers of DNS lists go with all, or with the name of the list. How many lists. */
static size_t flush_lists(const struct house *house, const struct target *target)
{
    struct dnslists *lists = engine_dnslists(house->engine);

    if (target->what == CALLAHEAD_FLUSH_ALL)
        return dnslists_forget(lists, NULL);
    return target->what == CALLAHEAD_FLUSH_DOMAIN ? dnslists_forget(lists, target->text) : 0;
}

enum wire_status verbs_cache_flush(void *ctx, const char *const *arguments, size_t n,
                                   struct strbuf *reply)
{
    const struct verbs_world *world = ctx;
    struct arena *arena = arena_new(0);
    struct target target;
    struct err err = {.text = "out of memory"};

    (void)n;
    if (arena == NULL || !parse_target(arguments[0], arena, &target, &err)) {
        strbuf_printf(reply, "%s\n", err.text);
        arena_free(arena);
        return WIRE_USAGE;
    }
    size_t count =
        callahead_flush(engine_callahead(world->house->engine), target.what, target.text);
    size_t directories =
        ldappool_flush(engine_directories(world->house->engine), target.what, target.text);
    size_t lists = flush_lists(world->house, &target);
    bool any = target.what == CALLAHEAD_FLUSH_ALL || target.what == CALLAHEAD_FLUSH_NEGATIVE;
    bool found = count + directories + lists > 0;
    if (found || any)
        strbuf_printf(reply, "%zu forgotten\n", count);
    else
        strbuf_printf(reply, "nothing is cached for %s\n", arguments[0]);
    if (directories > 0)
        strbuf_printf(reply, "%zu answers of directories forgotten\n", directories);
    if (lists > 0)
        strbuf_printf(reply, "%zu DNS lists forgotten\n", lists);
    arena_free(arena);
    return found || any ? WIRE_YES : WIRE_NO;
}
