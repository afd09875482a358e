/* Are the maps those of the configuration, and does the MTA find in them what we put there? */
#include "milter/proof.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/hash.h"
#include "lib/mta/cidr.h"
#include "lib/mta/lint.h"
#include "lib/mta/postfix_maps.h"
#include "lib/mta/publish.h"
#include "lib/mta/run.h"
#include "lib/mta/sendmail_maps.h"
#include "milter/mapsinput.h"

#define TOOL_SECONDS 60
#define OUTPUT_MAX 65536
#define ADVICE "gatehousectl maps --mta %s --output %s"

/* --- as `maps --check` ------------------------------------------------------------------- */

static bool build(const struct proof *proof, const struct maps_input *input, struct maps *maps)
{
    return proof->mta == MAPS_SENDMAIL ? sendmail_maps_build(input, maps)
                                       : postfix_maps_build(input, maps);
}

static const char *mta_word(const struct proof *proof)
{
    return proof->mta == MAPS_SENDMAIL ? "sendmail" : "postfix";
}

/* Who is not root may be kept from reading what is quite right. */
static void tell_trouble(struct proof *proof, const char *what, const char *why)
{
    (geteuid() == 0 ? proof_error : proof_unknown)(proof, "%s: %s", what, why);
}

/* Files that differ, as a list of words with blanks around each. */
struct differing {
    struct strbuf names;
};

static void note(void *arg, const char *file, enum publish_step step)
{
    struct differing *differing = arg;
    if (step == PUBLISH_DIFFERS || step == PUBLISH_MAP_DIFFERS)
        strbuf_printf(&differing->names, " %s ", file);
}

static bool is_among(const struct differing *differing, const char *file)
{
    char word[PATH_MAX];
    snprintf(word, sizeof word, " %s ", file);
    return strstr(strbuf_text(&differing->names), word) != NULL;
}

/* false: err says why that is not known. */
static bool compare(const struct proof *proof, const struct maps *maps, struct differing *differing,
                    struct err *err)
{
    bool sendmail = proof->mta == MAPS_SENDMAIL;
    struct publish_options options = {
        .folder = proof->folder,
        .tool = sendmail ? COMPILE_MAKEMAP : COMPILE_POSTMAP,
        .compiler = proof->compiler,
        .type = sendmail ? PUBLISH_MAKEMAP_TYPE : PUBLISH_POSTMAP_TYPE,
        .mail_config = getenv("MAIL_CONFIG"),
        .check = true,
        .on_step = note,
        .arg = differing,
    };
    struct publish_result result = {0};
    strbuf_init(&differing->names);
    return publish_maps(maps, &options, &result, err) &&
           (!differing->names.failed || err_set(err, ERR_MEMORY, "out of memory"));
}

/* Would it be right without the entries made at run time? */
static bool lacks_blocks_alone(const struct proof *proof, const char *file)
{
    struct maps_input input = proof->input;
    struct differing differing = {{0}};
    struct maps maps;
    struct err err = {0};
    bool lacks = false;

    if (proof->blocks == NULL)
        return false;
    maps_init(&maps);
    if (mapsinput_use_blocks(NULL, proof->arena, &input) && build(proof, &input, &maps) &&
        compare(proof, &maps, &differing, &err))
        lacks = !is_among(&differing, file);
    strbuf_done(&differing.names);
    maps_done(&maps);
    return lacks;
}

static bool check_files(struct proof *proof, const struct maps *maps)
{
    struct differing differing = {{0}};
    struct err err = {0};
    bool known = compare(proof, maps, &differing, &err);
    bool good = known && strbuf_text(&differing.names)[0] == '\0';

    if (!known)
        tell_trouble(proof, "maps", err.text);
    else if (good)
        proof_good(proof, "maps: those in %s match the configuration", proof->folder);
    for (size_t i = 0; known && i < maps->count; i++) {
        const char *name = maps->list[i].name;
        if (!is_among(&differing, name))
            continue;
        if (lacks_blocks_alone(proof, name))
            proof_error(proof,
                        "maps: %s/%s lacks clients that `gatehousectl hat block` allows to relay, "
                        "so that the mail server refuses them: " ADVICE,
                        proof->folder, name, mta_word(proof), proof->folder);
        else
            proof_error(proof, "maps: %s/%s does not match the configuration: " ADVICE,
                        proof->folder, name, mta_word(proof), proof->folder);
    }
    strbuf_done(&differing.names);
    return good;
}

/* --- questions --------------------------------------------------------------------------- */

/* A table of the MTA with a key it holds, and one it does not. */
struct question {
    const char *file;    /* of ours */
    const char *map;     /* as the MTA names it: "lmdb:/folder/transport", or "mailertable" */
    const char *known;   /* key */
    struct slice value;  /* of it */
    const char *unknown; /* another key */
    bool secret;         /* the value is not to be shown */
};

/* Standard input for a tool, in a file that has no name any more once it is read. */
static bool write_questions(const char *text, char path[PATH_MAX], struct err *err)
{
    snprintf(path, PATH_MAX, "/tmp/gatehousectl.XXXXXX");
    int fd = mkstemp(path);
    size_t n = strlen(text);
    if (fd < 0)
        return err_system(err, errno, "cannot make a file in /tmp");
    bool ok = write(fd, text, n) == (ssize_t)n;
    int sys = errno;
    close(fd);
    if (!ok)
        unlink(path);
    return ok || err_system(err, sys, "cannot write %s", path);
}

static bool ask(const char *const *argv, const char *questions, struct strbuf *out, struct err *err)
{
    char path[PATH_MAX];
    if (!write_questions(questions, path, err))
        return false;
    struct run run = {.argv = argv,
                      .input = path,
                      .mail_config = getenv("MAIL_CONFIG"),
                      .deadline = mono_now() + MONO_SECONDS(TOOL_SECONDS),
                      .output_max = OUTPUT_MAX};
    bool ok = run_tool(&run, out, err);
    unlink(path);
    return ok;
}

static void tell(struct proof *proof, const struct question *question, const char *tool,
                 struct slice said, bool as_known)
{
    const char *key = as_known ? question->known : question->unknown;
    if (question->secret)
        proof_error(proof, "%s: %s disagrees with Gatehouse about %s in %s", question->file, tool,
                    key, question->map);
    else
        proof_error(proof, "%s: %s finds for %s in %s: %.*s; Gatehouse says: %.*s", question->file,
                    tool, key, question->map, said.n > 0 ? (int)said.n : 7,
                    said.n > 0 ? said.p : "nothing", as_known ? (int)question->value.n : 7,
                    as_known ? question->value.p : "nothing");
}

static void tell_good(struct proof *proof, const struct question *question, const char *tool)
{
    proof_good(proof, "%s: %s finds what Gatehouse has put there, and nothing else (%s)",
               question->file, tool, question->known);
}

/* --- Postfix ----------------------------------------------------------------------------- */

/* The value on the line "KEY<TAB>VALUE"; n 0: there is none. */
static struct slice answer_to(const char *answers, const char *key)
{
    size_t n = strlen(key);
    for (const char *line = answers; *line != '\0';) {
        size_t end = strcspn(line, "\n");
        if (end > n && line[n] == '\t' && memcmp(line, key, n) == 0)
            return (struct slice){line + n + 1, end - n - 1};
        line += end + (line[end] == '\n');
    }
    return (struct slice){"", 0};
}

static bool same(struct slice a, struct slice b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* Both at once: it prints what it finds, and fails where that is nothing. */
static void ask_postmap(struct proof *proof, const struct question *question)
{
    const char *argv[] = {proof->compiler, "-q", "-", question->map, NULL};
    struct strbuf questions, answers;
    struct err err = {0};

    strbuf_init(&questions);
    strbuf_init(&answers);
    strbuf_printf(&questions, "%s\n%s\n", question->known, question->unknown);
    if (!ask(argv, strbuf_text(&questions), &answers, &err)) {
        (geteuid() == 0 ? proof_error
                        : proof_unknown)(proof, "%s: postmap does not find %s in %s: %s",
                                         question->file, question->known, question->map, err.text);
    } else {
        const char *text = strbuf_text(&answers);
        struct slice known = answer_to(text, question->known);
        struct slice unknown = answer_to(text, question->unknown);
        bool found = same(known, question->value);
        bool nothing = unknown.n == 0 || slice_is(unknown, "DUNNO");
        if (!found)
            tell(proof, question, "postmap", known, true);
        if (!nothing)
            tell(proof, question, "postmap", unknown, false);
        if (found && nothing)
            tell_good(proof, question, "postmap");
    }
    strbuf_done(&questions);
    strbuf_done(&answers);
}

/* The word of a list that ends in ":FOLDER/NAME", without "proxy:", into the arena; NULL: none,
 * which doctor_postfix() has said, or no memory. */
static const char *map_in(struct proof *proof, struct slice list, const char *file)
{
    char path[PATH_MAX];
    struct slice word;
    int n = snprintf(path, sizeof path, ":%s/%s", proof->folder, file);
    while (n > 0 && postconf_word(&list, &word))
        if (word.n > (size_t)n && memcmp(word.p + word.n - n, path, (size_t)n) == 0) {
            if (word.n > 6 && memcmp(word.p, "proxy:", 6) == 0)
                word = (struct slice){word.p + 6, word.n - 6};
            return arena_dup_slice(proof->arena, word);
        }
    return NULL;
}

/* A key and its value: of the first line that is an entry. */
static bool first_entry(struct proof *proof, const struct maps_file *file,
                        struct question *question)
{
    const char *line = strbuf_text(&file->content);
    while (*line == '#' || *line == '\n')
        line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
    size_t end = strcspn(line, "\n"), key = strcspn(line, "\t");
    if (end == 0 || key >= end)
        return false;
    question->known = arena_dup_slice(proof->arena, (struct slice){line, key});
    question->value = (struct slice){line + key + 1, end - key - 1};
    return question->known != NULL;
}

/* A name that nobody has. */
static const char *nobody(struct proof *proof)
{
    struct hash_seed seed = hash_seed_random();
    char name[80];
    snprintf(name, sizeof name, "gatehouse-doctor-%016llx.invalid", (unsigned long long)seed.a);
    return arena_dup_slice(proof->arena, slice_of(name));
}

static void ask_compiled(struct proof *proof, const struct maps_file *file)
{
    static const struct {
        const char *file, *parameter;
    } places[] = {{POSTFIX_TRANSPORT, "transport_maps"},
                  {POSTFIX_RELAY_DOMAINS, "relay_domains"},
                  {POSTFIX_TLS_POLICY, "smtp_tls_policy_maps"},
                  {POSTFIX_SASL_PASSWD, "smtp_sasl_password_maps"}};
    struct question question = {
        .file = file->name, .unknown = nobody(proof), .secret = file->mode == MAPS_SECRET_MODE};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (strcmp(file->name, places[i].file) == 0)
            question.map =
                map_in(proof, postconf_main(&proof->postconf, places[i].parameter), file->name);
    if (question.map != NULL && question.unknown != NULL && first_entry(proof, file, &question))
        ask_postmap(proof, &question);
}

/* --- clients ----------------------------------------------------------------------------- */

/* The first address of a HAT's table, and one that is not in it. false: there is none. */
static bool find_clients(struct proof *proof, const struct hat *hat, const struct cidr_table *table,
                         struct question *question)
{
    struct cidr_range *list = NULL;
    size_t n = 0;
    char text[IP_TEXT_MAX];
    bool found = cidr_ranges(hat, table, &list, &n) && n > 0;
    if (found) {
        struct ip other = ip_from_v4(0xC0000200); /* 192.0.2.0, RFC 5737 */
        for (size_t i = 0; i < n; i++)
            if (ip_compare(&list[i].first, &other) <= 0 && ip_compare(&other, &list[i].last) <= 0) {
                other = list[i].last;
                for (size_t k = sizeof other.b; k-- > 0 && ++other.b[k] == 0;) {
                }
            }
        question->known = arena_dup_slice(proof->arena, slice_of(ip_text(&list[0].first, text)));
        question->unknown = arena_dup_slice(proof->arena, slice_of(ip_text(&other, text)));
        question->value = slice_of(table->hit);
    }
    free(list);
    return found && question->known != NULL && question->unknown != NULL;
}

/* POSTFIX_RELAY_CLIENTS of one service, or POSTFIX_REFUSED_CLIENTS. */
static void ask_clients(struct proof *proof, const struct proof_service *service, bool relay)
{
    static const struct cidr_table relayed = {
        .target = POLICY_RELAY, .hit = "OK", .miss = "DUNNO", .certain = false};
    static const struct cidr_table refused = {.target = POLICY_TCPREFUSE,
                                              .hit = "421 4.7.1 Access denied",
                                              .miss = "DUNNO",
                                              .certain = true};
    char file[200];
    snprintf(file, sizeof file, "%s.%s", relay ? POSTFIX_RELAY_CLIENTS : POSTFIX_REFUSED_CLIENTS,
             service->listener->name);
    struct slice list =
        postconf_value(&proof->postconf, &service->postfix,
                       relay ? "smtpd_relay_restrictions" : "smtpd_client_restrictions");
    struct question question = {.file = file, .map = map_in(proof, list, file)};
    if (question.map != NULL && (relay || !proof->input.monitor) &&
        find_clients(proof, service->listener->hat, relay ? &relayed : &refused, &question))
        ask_postmap(proof, &question);
}

static void ask_postfix(struct proof *proof, const struct maps *maps)
{
    struct proof_service *list;
    size_t n;
    for (size_t i = 0; i < maps->count; i++)
        if (maps->list[i].compile)
            ask_compiled(proof, &maps->list[i]);
    if (!proof_services(proof, &list, &n)) {
        proof_error(proof, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].listener != NULL) {
            ask_clients(proof, &list[i], true);
            ask_clients(proof, &list[i], false);
        }
}

/* --- Sendmail ---------------------------------------------------------------------------- */

/* The value in "map_lookup: MAP (KEY) returns VALUE (0)"; n 0: it says "no match"; p NULL: it says
 * neither. */
static struct slice looked_up(const char *said, const char *map, const char *key)
{
    char start[1200];
    snprintf(start, sizeof start, "map_lookup: %s (%s) ", map, key);
    const char *found = strstr(said, start);
    if (found == NULL)
        return (struct slice){NULL, 0};
    found += strlen(start);
    struct slice rest = {found, strcspn(found, "\n")};
    if (rest.n < 8 || memcmp(rest.p, "returns ", 8) != 0)
        return (struct slice){"", 0};
    rest = (struct slice){rest.p + 8, rest.n - 8};
    const char *status = memrchr(rest.p, '(', rest.n);
    if (status != NULL)
        rest.n = (size_t)(status - rest.p);
    return slice_trim(rest);
}

static void judge_sendmail(struct proof *proof, const struct question *question, const char *said)
{
    struct slice known = looked_up(said, question->map, question->known);
    struct slice unknown = looked_up(said, question->map, question->unknown);
    if (known.p == NULL || unknown.p == NULL) {
        proof_unknown(proof, "%s: sendmail -bt does not answer /map %s %s", question->file,
                      question->map, question->known);
        return;
    }
    bool found = same(known, question->value);
    if (!found)
        tell(proof, question, "sendmail -bt", known, true);
    if (unknown.n > 0)
        tell(proof, question, "sendmail -bt", unknown, false);
    if (found && unknown.n == 0)
        tell_good(proof, question, "sendmail -bt");
}

static void ask_sendmail(struct proof *proof, const struct maps *maps)
{
    char cf[PATH_MAX];
    snprintf(cf, sizeof cf, "-C%s", proof->cf_path);
    const char *argv[] = {proof->sendmail, cf, "-bt", NULL};
    for (size_t i = 0; i < maps->count; i++) {
        const struct maps_file *file = &maps->list[i];
        struct question question = {.file = file->name,
                                    .map = file->name,
                                    .unknown = nobody(proof),
                                    .secret = file->mode == MAPS_SECRET_MODE};
        struct strbuf questions, answers;
        struct err err = {0};
        if (!file->compile || question.unknown == NULL || !first_entry(proof, file, &question))
            continue;
        strbuf_init(&questions);
        strbuf_init(&answers);
        strbuf_printf(&questions, "/map %s %s\n/map %s %s\n", question.map, question.known,
                      question.map, question.unknown);
        if (ask(argv, strbuf_text(&questions), &answers, &err))
            judge_sendmail(proof, &question, strbuf_text(&answers));
        else
            proof_unknown(proof, "%s: %s", file->name, err.text);
        strbuf_done(&questions);
        strbuf_done(&answers);
    }
}

/* --- made at run time -------------------------------------------------------------------- */

/* A relay client that is no address cannot stand in a map: the fence refuses it all the same. */
static void tell_names(struct proof *proof)
{
    const struct hat *hat = proof->blocks != NULL ? proof->blocks->by_type[LISTENER_PUBLIC] : NULL;
    for (size_t i = 0; hat != NULL && i < hat_entries(hat); i++) {
        struct hat_entry entry;
        struct hat_match group;
        hat_entry_get(hat, i, &entry);
        hat_group_get(hat, entry.group, &group);
        if (group.policy->keys.access == POLICY_RELAY && entry.kind != HAT_ENTRY_RANGE &&
            entry.kind != HAT_ENTRY_GROUP_RANGE)
            proof_warning(
                proof,
                "maps: `gatehousectl hat block` allows %s to relay, which is not an address: the "
                "mail server's maps cannot hold it, and such clients are refused",
                entry.text);
    }
}

/* --- all of it --------------------------------------------------------------------------- */

/* What keeps `maps` from writing; its warnings are its own. */
static bool can_be_written(struct proof *proof)
{
    struct problems problems;
    problems_init(&problems);
    mapsinput_read_passwords(proof->snapshot, proof->arena, &proof->input, &problems);
    for (size_t i = 0; i < problems.count; i++)
        tell_trouble(proof, "maps", problems.list[i].line);
    size_t told = problems.count;
    lint_maps(&proof->input, proof->mta, false, &problems);
    for (size_t i = told; i < problems.count; i++)
        if (problems.list[i].severity == PROBLEM_ERROR)
            proof_error(proof, "maps: %s", problems.list[i].line);
    bool good = problems_errors(&problems) == 0;
    problems_done(&problems);
    return good;
}

void proof_maps(struct proof *proof)
{
    struct maps maps;
    tell_names(proof);
    if (!can_be_written(proof))
        return;
    maps_init(&maps);
    if (!build(proof, &proof->input, &maps)) {
        proof_error(proof, "maps: out of memory");
    } else if (check_files(proof, &maps)) {
        if (proof->mta == MAPS_SENDMAIL)
            ask_sendmail(proof, &maps);
        else
            ask_postfix(proof, &maps);
    } else {
        /* What they say would be told twice. */
        proof_unknown(proof, "maps: what the mail server finds in them, until they are written");
    }
    maps_done(&maps);
}
