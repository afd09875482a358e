/* stage_verdict.c - see stage_verdict.h. */
#include "t/unit/gate/stage_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

void stage_verdict_check(const struct verdict *verdict)
{
    assert_non_null(verdict->text);
    assert_non_null(verdict->server);
    assert_non_null(verdict->remote);
    assert_int_equal(verdict->status[0] - '0', verdict->code / 100);
    assert_in_range(verdict->reason, 0, REASON_COUNT - 1);
    switch (verdict->action) {
    case VERDICT_CONTINUE:
        assert_int_equal(verdict->code, 250);
        assert_string_equal(verdict->text, "");
        break;
    case VERDICT_REJECT:
    case VERDICT_TEMPFAIL:
        assert_int_equal(verdict->code / 100, verdict->action == VERDICT_TEMPFAIL ? 4 : 5);
        assert_true(verdict->text[0] != '\0');
        break;
    }
}

void stage_verdict_print(const struct verdict *verdict, char *out, size_t room)
{
    const struct reason_row *row = &reason_rows[verdict->reason];
    if (verdict->action == VERDICT_CONTINUE)
        snprintf(out, room, "accept %s %s", row->by, row->name);
    else
        snprintf(out, room, "%s %d %s %s %s %s", verdict_action_name(verdict->action),
                 verdict->code, verdict->status, row->by, row->name, verdict->text);
}
