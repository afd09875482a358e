/*
 * stage_case.h - reads t/stage/NAME.case: configurations, tables, and
 * conversations with what must come of them.
 *
 * A file is a sequence of blocks, each begun by a line of its own:
 *
 *     === config [NAME]     an ini file: [policy], [group], [listener], [callahead]
 *     === file NAME         a table that a configuration names
 *     === case TITLE        a conversation; sees all configurations of its file
 *
 * A case begins with the configuration without a name in force. One step a
 * line; '#' begins a comment line; \xNN, \\ and \" are bytes:
 *
 *     host CLASS [NAME]... [partial] [ms=N]
 *                                    the next look-up of the host name: verified, no_ptr,
 *                                    ptr_tempfail, ptr_mismatch, unknown
 *     client [tls|notls] [certificate] [auth=U|noauth] [score=N|score=none] [owner=N] [country=CC]
 *            [listed=ZONE[=ANSWER[,ANSWER]...]] [monitor]
 *     lookups [score=N|none|failed] [owner=N|none|failed] [country=CC|none|failed]
 *            [listed=ZONE[=ANSWER[,ANSWER]...]]... [ms=N]
 *                                    what the sources will say when they are asked
 *     connect IP [daemon=NAME] [local=IP] [port=N]
 *     wanted [score] [owner] [country] [ZONE]...
 *                                    what was asked at connect; "|" between two times
 *     size N                         SIZE= of the next MAIL
 *     mail TEXT                      the client's words after "MAIL FROM:"
 *     callahead CLASS [code=N] [status=S] [text=T] [server=S] [cached] [ms=N]
 *            [needs_smtputf8|takes_no_mail] [out-of-memory]
 *                                    the next answer; must be fetched
 *     rcpt TEXT                      the client's words after "RCPT TO:"
 *     asked ADDRESS [literal_named] [known_as=ADDRESS]
 *                                    what call-ahead was asked at this RCPT
 *     asked-for HEX                  and on whose behalf
 *     ldap match|nomatch|error [cached] [ms=N] [server=S] [text=T]
 *                                    the next answer of a directory; must be fetched
 *     ldap-asked ADDRESS from=SENDER what it was asked at this RCPT; nothing: not at all
 *     sender-dns ok|nonexistent|unresolvable [ms=N]
 *                                    the next answer about a sender domain; must be fetched
 *     verified DOMAIN [accept_a]     what DNS was asked at this MAIL; nothing: not at all
 *     eom N [forged=M]               the message ends after N bytes; it came with M marks
 *     mark VALUE                     what later filters are told of it
 *     close
 *     another                        the connection stays open; the next `connect` is another one
 *     leave N                        the Nth of these ends
 *     wait SECONDS                   rate_period is 3600
 *     queue-id ID                    from now on
 *     reload NAME                    another configuration comes into force
 *     cut-short stopping|hurried     what the next command asks for, if anything
 *     out-of-memory                  for the next command
 *     sender-lost                    the caller could not keep the words of the next MAIL
 *
 *     = accept BY REASON             the verdict; after every command
 *     = reject|tempfail CODE STATUS BY REASON TEXT
 *     log LINE                       the line of the log, paths without folder
 *
 * Tests only. Everything fails the test that runs.
 */
#ifndef T_UNIT_GATE_STAGE_CASE_H
#define T_UNIT_GATE_STAGE_CASE_H

#include "lib/base/str.h"

#define CASE_BLOCKS_MAX 100

enum case_block_kind { BLOCK_CONFIG, BLOCK_FILE, BLOCK_CASE };

struct case_block {
    enum case_block_kind kind;
    const char *name; /* "" for the configuration without one */
    unsigned line;    /* of the first line of text */
    const char *text; /* whole lines */
};

struct case_file {
    char name[64]; /* without folder */
    char *bytes;   /* owned; the blocks point into it */
    struct case_block blocks[CASE_BLOCKS_MAX];
    size_t n;
};

/* Aborts with a sentence when the file is wrong. */
void case_file_read(struct case_file *file, const char *path);
void case_file_done(struct case_file *file);

/* Cuts the next word off *rest: up to a blank outside double quotes, bytes
 * resolved, quotes gone. NULL at the end. */
char *case_word(char **rest);
/* The value of KEY=VALUE, or NULL when word is none of this key. */
const char *case_value(const char *word, const char *key);
/* Resolve \xNN, \\ and \" in place. */
struct slice case_bytes(char *text);

#endif
