/* gatehousectl doctor: is this host's mail server set up for us? */
#include "milter/command.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/mta/doctor.h"
#include "lib/mta/run.h"
#include "milter/mapsinput.h"

#define POSTCONF "/usr/sbin/postconf"
#define SENDMAIL_CF "/etc/mail/sendmail.cf"
#define TEXT_MAX (16U << 20) /* bytes of configuration */

struct doctor_options {
    enum maps_mta mta;
    const char *folder, *from; /* postconf, or sendmail.cf */
};

static bool ask_postconf(const char *postconf, const char *option, struct strbuf *out,
                         struct err *err)
{
    const char *argv[] = {postconf, option, NULL};
    struct run run = {.argv = argv,
                      .mail_config = getenv("MAIL_CONFIG"),
                      .deadline = mono_now() + MONO_SECONDS(60),
                      .output_max = TEXT_MAX};
    return run_tool(&run, out, err);
}

/* By links and mounts: the folders are one, and the names in them. */
static bool same_place(const char *a, const char *b)
{
    char one[PATH_MAX], other[PATH_MAX];
    struct stat there, wanted;
    const char *name = strrchr(a, '/'), *wanted_name = strrchr(b, '/');

    if (name == NULL || wanted_name == NULL || strcmp(name, wanted_name) != 0)
        return false;
    snprintf(one, sizeof one, "%s", a);
    snprintf(other, sizeof other, "%s", b);
    return stat(dirname(one), &there) == 0 && stat(dirname(other), &wanted) == 0 &&
           there.st_dev == wanted.st_dev && there.st_ino == wanted.st_ino;
}

static unsigned permissions(const char *folder)
{
    struct stat status;
    return stat(folder, &status) == 0 ? (unsigned)status.st_mode & 07777 : 0;
}

static bool readable(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, R_OK) == 0;
}

static const struct doctor_host this_host = {
    .same_place = same_place, .permissions = permissions, .readable = readable};

static bool look_at_postfix(const struct maps_input *input, const struct doctor_options *options,
                            struct problems *problems, struct err *err)
{
    struct strbuf texts[3];
    static const char *const questions[] = {"-x", "-M", "-Px"};
    bool ok = true;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        strbuf_init(&texts[i]);
        ok = ok && ask_postconf(options->from, questions[i], &texts[i], err);
    }
    if (ok) {
        struct postconf found = {strbuf_text(&texts[0]), strbuf_text(&texts[1]),
                                 strbuf_text(&texts[2])};
        doctor_postfix(input, options->folder, &found, &this_host, problems);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        strbuf_done(&texts[i]);
    return ok;
}

static bool read_all(const char *path, struct strbuf *out, struct err *err)
{
    char buf[65536];
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_system(err, errno, "cannot read %s", path);
    while (out->n < TEXT_MAX && ((n = read(fd, buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            strbuf_add(out, buf, (size_t)n);
    bool ok = n == 0 && !out->failed;
    if (!ok)
        err_system(err, n < 0 ? errno : EFBIG, "cannot read %s", path);
    close(fd);
    return ok;
}

/* The words of a class file, "Fw-o /etc/mail/local-host-names %[^\#]", as lines that
 * begin with class; a file that is not there, or a map, has none. */
static void add_class(const char *class, const char *definition, struct strbuf *cf)
{
    const char *path = definition + strspn(definition, "-o \t");
    size_t n = strcspn(path, " \t\n");
    char name[4096];
    struct strbuf words;
    struct err err = {0};

    strbuf_init(&words);
    if (path[0] == '/' && n < sizeof name) {
        memcpy(name, path, n);
        name[n] = '\0';
        if (read_all(name, &words, &err))
            for (const char *line = strbuf_text(&words); *line != '\0';) {
                size_t end = strcspn(line, "\n");
                strbuf_printf(cf, "\n%s%.*s", class, (int)strcspn(line, "#\r\n"), line);
                line += end + (line[end] == '\n');
            }
    }
    strbuf_done(&words);
}

static void add_classes(struct strbuf *cf)
{
    struct strbuf added;

    strbuf_init(&added);
    for (const char *line = strbuf_text(cf); *line != '\0';) {
        size_t end = strcspn(line, "\n");
        for (size_t i = 0; line[0] == 'F' && i < DOCTOR_CLASSES; i++)
            if (strncmp(line + 1, doctor_classes[i] + 1, strlen(doctor_classes[i]) - 1) == 0)
                add_class(doctor_classes[i], line + strlen(doctor_classes[i]), &added);
        line += end + (line[end] == '\n');
    }
    if (added.failed)
        cf->failed = true;
    strbuf_puts(cf, strbuf_text(&added));
    strbuf_done(&added);
}

static bool look_at_sendmail(const struct maps_input *input, const struct doctor_options *options,
                             struct problems *problems, struct err *err)
{
    struct strbuf cf;

    strbuf_init(&cf);
    bool ok = read_all(options->from, &cf, err);
    if (ok)
        add_classes(&cf);
    if (ok && cf.failed)
        ok = err_set(err, ERR_MEMORY, "out of memory");
    if (ok)
        doctor_sendmail(input, options->folder, strbuf_text(&cf), &this_host, problems);
    strbuf_done(&cf);
    return ok;
}

static int examine(const struct snapshot *snapshot, const struct doctor_options *options)
{
    struct arena *arena = arena_new(0);
    struct maps_input input;
    struct problems problems;
    struct err err = {.text = "out of memory"};
    int status = COMMAND_NO;

    problems_init(&problems);
    if (arena == NULL || !mapsinput_make(snapshot, arena, &input) ||
        !(options->mta == MAPS_SENDMAIL ? look_at_sendmail(&input, options, &problems, &err)
                                        : look_at_postfix(&input, options, &problems, &err))) {
        fprintf(stderr, "gatehousectl doctor: %s\n", err.text);
    } else {
        problems_print(&problems, stdout);
        if (problems_errors(&problems) == 0) {
            printf("%s: good\n", options->mta == MAPS_SENDMAIL ? "Sendmail" : "Postfix");
            status = COMMAND_YES;
        }
    }
    problems_done(&problems);
    arena_free(arena);
    return status;
}

int command_doctor(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct option known[] = {
        {"mta", required_argument, NULL, 'm'},
        {"output", required_argument, NULL, 'o'},
        {"postconf", required_argument, NULL, 'p'},
        {"sendmail-cf", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    struct doctor_options options = {0};
    const char *name = "", *postconf = POSTCONF, *cf = SENDMAIL_CF;
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'm')
            name = optarg;
        else if (option == 'o')
            options.folder = optarg;
        else if (option == 'p')
            postconf = optarg;
        else if (option == 's')
            cf = optarg;
        else
            return command_usage(command, NULL);
    }
    if (optind != argc || !maps_mta_parse(name, &options.mta))
        return command_usage(command, "--mta: allowed: postfix, sendmail");
    options.from = options.mta == MAPS_SENDMAIL ? cf : postconf;
    if (options.folder == NULL)
        options.folder = mapsinput_folder(options.mta);
    struct snapshot *snapshot = command_snapshot(conf, true);
    if (snapshot == NULL)
        return COMMAND_NO;
    int status = examine(snapshot, &options);
    snapshot_drop(snapshot);
    return status;
}
