/* tables.c - see tables.h. */
#include "t/unit/mta/tables.h"

#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 64
#define ENTRIES_MAX 256

static const struct {
    const char *word;
    unsigned bit;
} classes[] = {
    {"?no_ptr", HAT_NO_PTR}, {"?tempfail", HAT_PTR_TEMPFAIL}, {"?mismatch", HAT_PTR_MISMATCH}};

static void check_problems(const struct scene *scene)
{
    if (problems_errors(&scene->problems) > 0)
        problems_print(&scene->problems, stderr);
    CHECK(problems_errors(&scene->problems) == 0);
}

/* The same of a table whose warnings are nothing to the maps. */
static void check_table(struct problems *problems)
{
    if (problems_errors(problems) > 0)
        problems_print(problems, stderr);
    CHECK(problems_errors(problems) == 0);
    problems_done(problems);
}

static const struct policy *target(const struct scene *scene, const char *word)
{
    const struct policy *policy = policies_target(scene->policies, word);
    CHECK(policy != NULL);
    return policy;
}

static struct hat_group parse_group(struct scene *scene, char *text, unsigned line)
{
    struct hat_group group = {
        .at = {.file = "conf", .line = line}, .senders_file = "", .comment = ""};
    struct key_item *items = arena_alloc(scene->arena, ENTRIES_MAX * sizeof *items);
    CHECK(items != NULL);
    size_t words = 0;
    for (char *word; (word = strsep(&text, " ")) != NULL;) {
        if (*word == '\0')
            continue;
        words++;
        if (words == 1) {
            group.name = strcmp(word, "-") == 0 ? NULL : word;
        } else if (words == 2) {
            group.policy = target(scene, word);
        } else if (*word == '?') {
            for (size_t i = 0; i < ARRAY_LEN(classes); i++)
                if (strcmp(word, classes[i].word) == 0)
                    group.unverified |= classes[i].bit;
        } else {
            CHECK(group.senders.n < ENTRIES_MAX);
            items[group.senders.n++] = (struct key_item){word, group.at};
        }
    }
    CHECK(words >= 2);
    group.senders.v = items;
    return group;
}

struct hat *scene_hat(struct scene *scene, const char *hat, const char *fallback)
{
    struct hat_group groups[GROUPS_MAX];
    size_t n = 0;
    char *rest = arena_dup(scene->arena, hat);
    for (char *text; (text = strsep(&rest, ";")) != NULL;) {
        if (text[strspn(text, " ")] == '\0')
            continue;
        CHECK(n < GROUPS_MAX);
        groups[n] = parse_group(scene, text, (unsigned)n + 1);
        n++;
    }
    struct problems problems;
    problems_init(&problems);
    struct hat *table = hat_build(groups, n, target(scene, fallback), &problems);
    check_table(&problems);
    return table;
}

/* The name lives as long as the scene. */
static const char *write_file(struct scene *scene, const char *lines)
{
    char *path = arena_dup(scene->arena, "/tmp/gatehouse.XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(write(fd, lines, strlen(lines)) == (ssize_t)strlen(lines));
    CHECK(close(fd) == 0);
    return path;
}

static const char *const one_uri[] = {"ldap://d.example"};

const struct maps_directory scene_directory = {
    .name = "d",
    .uris = one_uri,
    .nuris = 1,
    .bind_dn = "",
    .password = "",
    .tls_priority = "",
    .ca_file = "/ca.pem",
    .ca_dir = "",
    .certificate = "",
    .key = "",
    .base_dn = "dc=test",
    .scope = "sub",
    .timeout = 5000,
    .query = "(mail={a})",
    .host_attr = "mailHost",
    .address_attr = "",
};

void scene_new(struct scene *scene)
{
    *scene = (struct scene){.arena = arena_new(0)};
    problems_init(&scene->problems);
    strbuf_init(&scene->text);
    scene->policies = policies_build(NULL, 0, false, scene->arena);
    CHECK(scene->policies != NULL);
    scene->routes = routes_empty();
    scene->input = (struct maps_input){.listeners = scene->listeners,
                                       .routes = scene->routes,
                                       .transport = "relay",
                                       .socket = "unix:/run/gatehouse/milter.sock",
                                       .limits = {.max_message_size = 10485760,
                                                  .max_recipients = 50,
                                                  .max_connections_ip = 10,
                                                  .max_invalid = 25,
                                                  .command_deadline = 25000}};
}

void scene_done(struct scene *scene)
{
    for (size_t i = 0; i < SCENE_LISTENERS; i++) {
        hat_free(scene->hats[i]);
        rat_free(scene->rats[i]);
    }
    routes_free(scene->routes);
    problems_done(&scene->problems);
    strbuf_done(&scene->text);
    arena_free(scene->arena);
}

struct maps_listener *scene_listener(struct scene *scene, const char *name, const char *hat,
                                     const char *fallback, const char *rat)
{
    size_t i = scene->input.nlisteners++;
    CHECK(i < SCENE_LISTENERS);
    scene->hats[i] = scene_hat(scene, hat, fallback);
    if (rat != NULL) {
        const char *path = write_file(scene, rat);
        struct problems problems;
        problems_init(&problems);
        scene->rats[i] = rat_load(path, (struct place){.file = "conf", .line = 1}, &problems);
        unlink(path);
        check_table(&problems);
    }
    scene->listeners[i] = (struct maps_listener){.name = name,
                                                 .at = {.file = "conf", .line = 100 + (unsigned)i},
                                                 .private = rat == NULL,
                                                 .daemon_name = "",
                                                 .local_address = "",
                                                 .max_connections = 300,
                                                 .hat = scene->hats[i],
                                                 .rat = scene->rats[i]};
    return &scene->listeners[i];
}

void scene_routes(struct scene *scene, const char *lines)
{
    const char *path = write_file(scene, lines);
    routes_free(scene->routes);
    scene->routes = routes_load(path, (struct place){.file = "conf", .line = 1}, &scene->problems);
    unlink(path);
    check_problems(scene);
    scene->input.routes = scene->routes;
}

const char *scene_problems(struct scene *scene)
{
    strbuf_reset(&scene->text);
    for (size_t i = 0; i < scene->problems.count; i++) {
        const char *line = scene->problems.list[i].line;
        bool temporary = strncmp(line, "/tmp/gatehouse.", 15) == 0;
        strbuf_printf(&scene->text, "%s%s\n", temporary ? "F" : "",
                      temporary ? line + strcspn(line, ":") : line);
    }
    return strbuf_text(&scene->text);
}
