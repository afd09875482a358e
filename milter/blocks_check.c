/* blocks_check.c - what an entry made at run time, and its comment, may be; see blocks.h. */
#include "milter/blocks.h"

#include <string.h>

#include "lib/base/escape.h"
#include "milter/guard.h"

static const struct policy nobody = {.name = "", .keys = {.access = POLICY_ACCEPT}};

static bool refuse_kind(const char *entry, struct err *err)
{
    return err_set(err, ERR_RANGE,
                   "\"%.80s\" needs a look-up; allowed: addresses, ranges, networks, host names, "
                   ".domain, ALL",
                   entry);
}

static bool is_static(enum hat_entry_kind kind)
{
    switch (kind) {
    case HAT_ENTRY_RANGE:
    case HAT_ENTRY_GROUP_RANGE:
    case HAT_ENTRY_NAME:
    case HAT_ENTRY_SUFFIX:
    case HAT_ENTRY_ALL:
        return true;
    case HAT_ENTRY_LOOKUP:
    case HAT_ENTRY_UNVERIFIED:
        return false;
    }
    return false;
}

/* Nothing guards an administrator's word, but a slip should show. */
static void note_all(const struct hat_entry *entry, struct strbuf *note)
{
    if (guard_covers_all(entry))
        strbuf_printf(note, "%s means %s\n", entry->text,
                      entry->kind == HAT_ENTRY_ALL ? "everybody"
                      : ip_is_v4(&entry->first)    ? "every IPv4 address"
                                                   : "every IPv6 address");
}

bool blocks_check_entry(const char *entry, struct hat_entry *entry_out, struct strbuf *note,
                        struct err *err)
{
    struct key_item item = {.text = entry};
    struct hat_group group = {.policy = &nobody, .senders = {&item, 1}};
    struct problems problems;

    /* Tables may be Latin-1; what is shown and kept here is UTF-8. */
    if (!str_is_utf8(slice_of(entry)))
        return err_set(err, ERR_SYNTAX, "the entry is not UTF-8");
    problems_init(&problems);
    struct hat *hat = hat_build(&group, 1, &nobody, &problems);
    bool good = hat != NULL;
    if (hat == NULL) {
        err_set(err, ERR_SYNTAX, "%.240s",
                problems.count > 0 ? problems.list[0].line : "out of memory");
    } else {
        hat_entry_get(hat, 0, entry_out);
        entry_out->text = entry;
        good = is_static(entry_out->kind) || refuse_kind(entry, err);
        for (size_t i = 0; i < problems.count; i++)
            strbuf_printf(note, "%s\n", problems.list[i].line);
        note_all(entry_out, note);
    }
    problems_done(&problems);
    hat_free(hat);
    return good;
}

bool blocks_check_comment(const char *comment, struct err *err)
{
    struct slice text = slice_of(comment);
    char shown[BLOCKS_COMMENT_MAX + 1];

    if (text.n > BLOCKS_COMMENT_MAX)
        return err_set(err, ERR_RANGE, "a comment of %zu bytes; allowed: up to %d", text.n,
                       BLOCKS_COMMENT_MAX);
    escape_line(text, shown, sizeof shown);
    return strcmp(shown, comment) == 0 ||
           err_set(err, ERR_SYNTAX, "the comment is not UTF-8, or has control bytes");
}
