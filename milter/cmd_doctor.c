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
#include "lib/mta/publish.h"
#include "lib/mta/run.h"
#include "milter/mapsinput.h"
#include "milter/proof.h"

#define POSTCONF "/usr/sbin/postconf"
#define SENDMAIL_CF "/etc/mail/sendmail.cf"
#define TEXT_MAX (16U << 20) /* bytes of configuration */

#define SENDMAIL "/usr/sbin/sendmail"

struct doctor_options {
    enum maps_mta mta;
    const char *folder, *postconf, *sendmail_cf, *compiler, *sendmail;
    bool try;
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

/* What is read of the MTA's configuration, text by text. */
struct texts {
    struct strbuf list[3];
};

static bool read_postfix(const struct doctor_options *options, struct texts *texts,
                         struct proof *proof, struct err *err)
{
    static const char *const questions[] = {"-x", "-M", "-Px"};
    bool ok = true;

    for (size_t i = 0; ok && i < ARRAY_LEN(questions); i++)
        ok = ask_postconf(options->postconf, questions[i], &texts->list[i], err);
    proof->postconf = (struct postconf){strbuf_text(&texts->list[0]), strbuf_text(&texts->list[1]),
                                        strbuf_text(&texts->list[2])};
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

static bool read_sendmail(const struct doctor_options *options, struct texts *texts,
                          struct proof *proof, struct err *err)
{
    struct strbuf *cf = &texts->list[0];

    if (!read_all(options->sendmail_cf, cf, err))
        return false;
    add_classes(cf);
    proof->cf = strbuf_text(cf);
    return !cf->failed || err_set(err, ERR_MEMORY, "out of memory");
}

/* What the configuration says alone. */
static void read_configuration(struct proof *proof)
{
    struct problems problems;

    problems_init(&problems);
    if (proof->mta == MAPS_SENDMAIL)
        doctor_sendmail(&proof->input, proof->folder, proof->cf, proof->host, &problems);
    else
        doctor_postfix(&proof->input, proof->folder, &proof->postconf, proof->host, &problems);
    problems_print(&problems, stdout);
    proof->errors += problems_errors(&problems);
    problems_done(&problems);
}

static int conclude(const struct proof *proof)
{
    const char *mta = proof->mta == MAPS_SENDMAIL ? "Sendmail" : "Postfix";

    if (proof->errors == 0 && proof->unknown == 0)
        printf("%s: good\n", mta);
    else if (proof->errors == 0)
        printf("%s: no error found, and %zu thing%s that could not be checked\n", mta,
               proof->unknown, proof->unknown == 1 ? "" : "s");
    return proof->errors == 0 ? COMMAND_YES : COMMAND_NO;
}

static int examine(struct proof *proof, const struct doctor_options *options)
{
    struct texts texts;
    struct err err = {.text = "out of memory"};
    int status = COMMAND_NO;

    for (size_t i = 0; i < ARRAY_LEN(texts.list); i++)
        strbuf_init(&texts.list[i]);
    if (mapsinput_make(proof->snapshot, proof->arena, &proof->input) &&
        mapsinput_use_blocks(proof->blocks, proof->arena, &proof->input) &&
        (proof->mta == MAPS_SENDMAIL ? read_sendmail(options, &texts, proof, &err)
                                     : read_postfix(options, &texts, proof, &err))) {
        read_configuration(proof);
        proof_daemon(proof);
        proof_sockets(proof);
        proof_maps(proof);
        if (options->try)
            proof_try(proof);
        status = conclude(proof);
    } else {
        fprintf(stderr, "gatehousectl doctor: %s\n", err.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(texts.list); i++)
        strbuf_done(&texts.list[i]);
    return status;
}

static int run(const struct command *command, const char *conf,
               const struct doctor_options *options)
{
    struct snapshot *snapshot = command_snapshot(conf, true);
    struct arena *arena = snapshot != NULL ? arena_new(0) : NULL;
    int status = COMMAND_NO;

    if (arena != NULL) {
        struct blocks_table *blocks = command_blocks(command, snapshot);
        struct proof proof = {.conf = conf,
                              .snapshot = snapshot,
                              .blocks = blocks,
                              .arena = arena,
                              .mta = options->mta,
                              .folder = options->folder,
                              .compiler = options->compiler,
                              .sendmail = options->sendmail,
                              .cf_path = options->sendmail_cf,
                              .postconf = {"", "", ""},
                              .cf = "",
                              .host = &this_host};
        status = examine(&proof, options);
        blocks_drop(blocks);
    } else if (snapshot != NULL) {
        fprintf(stderr, "gatehousectl doctor: out of memory\n");
    }
    arena_free(arena);
    snapshot_drop(snapshot);
    return status;
}

static bool take_option(struct doctor_options *options, int option, const char *value)
{
    const char **const texts[] = {['o'] = &options->folder,
                                  ['p'] = &options->postconf,
                                  ['s'] = &options->sendmail_cf,
                                  ['c'] = &options->compiler,
                                  ['S'] = &options->sendmail};

    if (option == 't')
        options->try = true;
    else if (option < 0 || (size_t)option >= ARRAY_LEN(texts) || texts[option] == NULL)
        return false;
    else
        *texts[option] = value;
    return true;
}

int command_doctor(const struct command *command, const char *conf, int argc, char **argv)
{
    static const struct option known[] = {
        {"mta", required_argument, NULL, 'm'},
        {"output", required_argument, NULL, 'o'},
        {"postconf", required_argument, NULL, 'p'},
        {"sendmail-cf", required_argument, NULL, 's'},
        {"compiler", required_argument, NULL, 'c'},
        {"sendmail", required_argument, NULL, 'S'},
        {"try", no_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    struct doctor_options options = {
        .postconf = POSTCONF, .sendmail_cf = SENDMAIL_CF, .sendmail = SENDMAIL};
    const char *name = "";
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'm')
            name = optarg;
        else if (!take_option(&options, option, optarg))
            return command_usage(command, NULL);
    }
    if (optind != argc || !maps_mta_parse(name, &options.mta))
        return command_usage(command, "--mta: allowed: postfix, sendmail");
    if (options.compiler == NULL)
        options.compiler = options.mta == MAPS_SENDMAIL ? PUBLISH_MAKEMAP : PUBLISH_POSTMAP;
    if (options.folder == NULL)
        options.folder = mapsinput_folder(options.mta);
    return run(command, conf, &options);
}
