#include "milter/help.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/escape.h"

#define WIDTH 78       /* columns of a line */
#define INDENT 8       /* of what follows a usage line */
#define OPTION_MAX 128 /* bytes of an option as it is shown, and its NUL */
#define OPTIONS_MAX 32
#define HELP_COLUMN 22    /* where an option is explained */
#define NAME_BYTES_MAX 32 /* of what is compared with the names of commands */

/* --- options ------------------------------------------------------------------------- */

int command_option(const struct command *command, int argc, char **argv)
{
    struct option known[OPTIONS_MAX + 1];
    size_t n = 0;

    for (const struct command_option *row = command->options; row && row->name; row++) {
        CHECK(n < OPTIONS_MAX);
        int argument = row->argument == NULL     ? no_argument
                       : row->argument[0] == '=' ? optional_argument
                                                 : required_argument;
        known[n++] = (struct option){row->name, argument, NULL, row->letter};
    }
    known[n] = (struct option){0};
    opterr = 0;
    int option = getopt_long(argc, argv, ":", known, NULL);
    if (option != '?' && option != ':')
        return option;
    fprintf(stderr, "gatehousectl %s: %s: %s\n", command->name, argv[optind - 1],
            option == ':' ? "a value is missing" : "there is no such option");
    return '?';
}

/* --- how a command is used ----------------------------------------------------------------- */

static void option_text(const struct command_option *option, char text[OPTION_MAX])
{
    const char *argument = option->argument;
    bool optional = argument != NULL && argument[0] == '=';

    if (optional)
        snprintf(text, OPTION_MAX, "--%s[%s]", option->name, argument);
    else
        snprintf(text, OPTION_MAX, "--%s%s%s", option->name, argument != NULL ? " " : "",
                 argument != NULL ? argument : "");
}

struct usage {
    FILE *out;
    size_t column;
};

static void put_word(struct usage *usage, const char *before, const char *word, const char *after)
{
    size_t n = strlen(before) + strlen(word) + strlen(after);

    if (usage->column + 1 + n > WIDTH) {
        fprintf(usage->out, "\n%*s", INDENT, "");
        usage->column = INDENT;
    } else {
        fputc(' ', usage->out);
        usage->column++;
    }
    fprintf(usage->out, "%s%s%s", before, word, after);
    usage->column += n;
}

/* before: "usage:", or blanks of that width. */
static void begin_usage(struct usage *usage, const char *before, const struct command *command)
{
    int n = fprintf(usage->out, "%s gatehousectl [-c FILE] %s", before, command->name);
    usage->column = n > 0 ? (size_t)n : 0;
}

static void print_usage(FILE *out, const char *before, const struct command *command)
{
    struct usage usage = {.out = out};
    char text[OPTION_MAX];

    begin_usage(&usage, before, command);
    for (const struct command_option *row = command->options; row && row->name; row++) {
        option_text(row, text);
        put_word(&usage, row->needed ? "" : "[", text, row->needed ? "" : "]");
    }
    if (command->arguments != NULL)
        put_word(&usage, "", command->arguments, "");
    fputc('\n', out);
    if (command->batch == NULL)
        return;
    begin_usage(&usage, "      ", command);
    put_word(&usage, "", command->batch, "");
    fputc('\n', out);
}

int command_usage(const struct command *command, const char *wrong)
{
    if (wrong != NULL)
        fprintf(stderr, "gatehousectl %s: %s\n", command->name, wrong);
    print_usage(stderr, "usage:", command);
    return COMMAND_USAGE;
}

static void print_options(const struct command_option *options)
{
    char text[OPTION_MAX];

    printf("\noptions:\n");
    for (const struct command_option *row = options; row->name; row++) {
        option_text(row, text);
        if (strlen(text) + 4 > HELP_COLUMN)
            printf("  %s\n%*s%s\n", text, HELP_COLUMN, "", row->help);
        else
            printf("  %-*s%s\n", HELP_COLUMN - 2, text, row->help);
    }
}

/* Words of a text, in lines that are not too long. */
static void print_notes(const char *text)
{
    size_t column = 0;

    while (*text != '\0') {
        size_t n = strcspn(text, " ");
        bool fits = column > 0 && column + 1 + n <= WIDTH;
        printf("%s%.*s", fits ? " " : "\n  ", (int)n, text);
        column = (fits ? column + 1 : 2) + n;
        text += n + (text[n] == ' ');
    }
    printf("\n");
}

static void print_command(const struct command *command)
{
    print_usage(stdout, "usage:", command);
    printf("\n  %s\n", command->summary);
    if (command->options != NULL)
        print_options(command->options);
    if (command->notes != NULL)
        print_notes(command->notes);
    printf("\nexample:\n  gatehousectl %s\n", command->example);
}

static int print_all(void)
{
    size_t width = 0;

    printf("usage: gatehousectl [-c FILE] COMMAND ...\n"
           "  -c FILE            configuration (default " HELP_DEFAULT_FILE ")\n"
           "  -h, --help         print this\n"
           "  -V, --version      print the version, and what it was built with\n"
           "  help [COMMAND]     the same as --help, or how a command is used\n"
           "commands:\n");
    for (size_t i = 0; i < commands_count; i++) {
        size_t n = strlen(commands[i].name);
        width = n > width ? n : width;
    }
    for (size_t i = 0; i < commands_count; i++)
        printf("  %-*s  %s\n", (int)width, commands[i].name, commands[i].summary);
    return COMMAND_YES;
}

/* --- which command ----------------------------------------------------------------------- */

/* How many of the arguments are the name of the command; 0: they are not. */
static int named_words(const struct command *command, int argc, char **argv)
{
    const char *blank = strchr(command->name, ' ');
    struct slice first = slice_of(command->name);

    if (blank == NULL)
        return strcmp(command->name, argv[0]) == 0 ? 1 : 0;
    first.n = (size_t)(blank - command->name);
    return argc > 1 && slice_is(first, argv[0]) && strcmp(blank + 1, argv[1]) == 0 ? 2 : 0;
}

const struct command *help_find(int argc, char **argv, int *words_out)
{
    for (size_t i = 0; i < commands_count; i++) {
        *words_out = named_words(&commands[i], argc, argv);
        if (*words_out > 0)
            return &commands[i];
    }
    return NULL;
}

/* Is it "hat" of "hat match"? */
static bool is_half(const struct command *command, const char *name)
{
    size_t n = strlen(name);
    return strncmp(command->name, name, n) == 0 && command->name[n] == ' ';
}

/* How many letters must be put in, left out, replaced or swapped with the next one. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_BYTES_MAX + 1], n = strlen(b);
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= n; j++)
        last[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[n];
}

/* By its whole name or its last word, in small letters or not; NULL: none is near. */
static const struct command *nearest(const char *typed)
{
    char text[NAME_BYTES_MAX + 1];
    const struct command *found = NULL;
    size_t length = strlen(typed), least = length / 2 + 1;

    if (length > NAME_BYTES_MAX)
        return NULL;
    memcpy(text, typed, length + 1);
    ascii_lower_in_place(text);
    for (size_t i = 0; i < commands_count; i++) {
        const char *blank = strchr(commands[i].name, ' ');
        size_t whole = distance(text, commands[i].name);
        size_t last = blank != NULL ? distance(text, blank + 1) : whole;
        size_t n = last < whole ? last : whole;
        if (n < least) {
            least = n;
            found = &commands[i];
        }
    }
    return found;
}

static void list_half(const char *name)
{
    const char *before = "; there are: ";

    for (size_t i = 0; i < commands_count; i++) {
        if (!is_half(&commands[i], name))
            continue;
        fprintf(stderr, "%s%s", before, commands[i].name);
        before = ", ";
    }
}

int help_no_command(int argc, char **argv)
{
    char typed[2 * NAME_BYTES_MAX + 2], shown[sizeof typed * ESCAPE_WORST];
    bool half = false;

    for (size_t i = 0; i < commands_count; i++)
        half = half || is_half(&commands[i], argv[0]);
    snprintf(typed, sizeof typed, "%.*s%s%.*s", NAME_BYTES_MAX, argv[0],
             half && argc > 1 ? " " : "", NAME_BYTES_MAX, half && argc > 1 ? argv[1] : "");
    const struct command *near = half && argc == 1 ? NULL : nearest(typed);
    escape_line(slice_of(typed), shown, sizeof shown);
    fprintf(stderr, "gatehousectl: there is no command \"%s\"", shown);
    if (near != NULL)
        fprintf(stderr, "; the nearest is: %s", near->name);
    else
        list_half(argv[0]);
    fprintf(stderr, "; see gatehousectl --help\n");
    return COMMAND_USAGE;
}

/* --- asking for help -------------------------------------------------------------------------- */

int help_print(int argc, char **argv)
{
    const char *before = "usage:";
    int words = 0;

    if (argc == 0)
        return print_all();
    const struct command *command = help_find(argc, argv, &words);
    if (command != NULL && argc == words) {
        print_command(command);
        return COMMAND_YES;
    }
    for (size_t i = 0; argc == 1 && i < commands_count; i++) {
        if (!is_half(&commands[i], argv[0]))
            continue;
        print_usage(stdout, before, &commands[i]);
        printf("%*s%s\n", INDENT, "", commands[i].summary);
        before = "      ";
    }
    return strcmp(before, "usage:") != 0 ? COMMAND_YES : help_no_command(argc, argv);
}

bool help_is_wanted(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || (i == 0 && strcmp(argv[i], "-h") == 0))
            return true;
    }
    return false;
}
