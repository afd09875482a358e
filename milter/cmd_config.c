/* gatehousectl config show [--defaults] | example */
#include "milter/command.h"

#include <stdio.h>
#include <string.h>

#include "milter/registry.h"

static int print(struct strbuf *text)
{
    bool failed = text->failed || fputs(strbuf_text(text), stdout) == EOF;
    strbuf_done(text);
    return failed ? COMMAND_NO : COMMAND_YES;
}

static int show(const char *conf, bool defaults)
{
    struct snapshot *snapshot = command_snapshot(conf, true);
    struct strbuf text;

    if (snapshot == NULL)
        return COMMAND_NO;
    strbuf_init(&text);
    conf_show(snapshot->conf, defaults, &text);
    snapshot_drop(snapshot);
    return print(&text);
}

static int example(void)
{
    struct strbuf text;
    strbuf_init(&text);
    conf_example(registry, registry_count, &text);
    return print(&text);
}

int command_config(const struct command *command, const char *conf, int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (argc == 2 && strcmp(what, "example") == 0)
        return example();
    if (argc == 2 && strcmp(what, "show") == 0)
        return show(conf, false);
    if (argc == 3 && strcmp(what, "show") == 0 && strcmp(argv[2], "--defaults") == 0)
        return show(conf, true);
    return command_usage(command, NULL);
}
