/* Call-ahead profiles of a snapshot. */
#include "lib/base/replytext.h"
#include "lib/net/sock.h"
#include "lib/net/servers.h"
#include "milter/plan.h"
#include "milter/snapshot_parts.h"

static void take_snapshot(void *arg)
{
    snapshot_take(arg);
}

static void drop_snapshot(void *arg)
{
    snapshot_drop(arg);
}

static void check_reply(const struct conf_section *section, const char *key, const char *text,
                        const char *code_key, int code, struct problems *problems)
{
    struct err err = {0};
    /* The status of a default takes the class of the code. */
    if (conf_is_set(section, key) && !conf_is_wrong(section, code_key) &&
        !replytext_fits(text, code, &err))
        conf_error(problems, section, key, "%s", err.text);
}

/* It goes as it is into MAIL FROM. */
static void check_mail_from(struct snapshot *snapshot, const struct conf_section *section,
                            const char *text, struct problems *problems)
{
    struct mailaddr addr;
    struct err err = {0};

    if (!mailaddr_parse(slice_of(text), MAILADDR_STRICT, true, conf_arena(snapshot->conf), &addr,
                        &err))
        conf_error(problems, section, "mail_from", "%s; allowed: <> or user@example.com", err.text);
    else if (addr.kind == MAILADDR_LOCAL || addr.utf8)
        conf_error(problems, section, "mail_from", "\"%.100s\" %s; allowed: <> or user@example.com",
                   text, addr.utf8 ? "is not ASCII" : "has no domain");
}

static void check_profile(struct snapshot *snapshot, const struct conf_section *section,
                          const struct callahead_keys *keys, struct problems *problems)
{
    struct err err = {0};

    check_mail_from(snapshot, section, keys->mail_from, problems);
    if (!sock_check_interface(keys->interface, &err))
        conf_error(problems, section, "interface", "%s", err.text);
    check_reply(section, "failure_text", keys->failure_text, "failure_code", keys->failure_code,
                problems);
    check_reply(section, "temporary_text", keys->temporary_text, "temporary_code",
                keys->temporary_code, problems);
    check_reply(section, "unknown_text", keys->unknown_text, "unknown_code", keys->unknown_code,
                problems);
    if (keys->timeout > snapshot->settings.keys->command_deadline &&
        !conf_is_wrong(section, "timeout") &&
        !conf_is_wrong(conf_find(snapshot->conf, "gatehouse", ""), "command_deadline"))
        conf_error(problems, section, "timeout",
                   "it is longer than [gatehouse] command_deadline; allowed: at most that");
    if (keys->type == CALLAHEAD_STATIC && keys->servers.n == 0 &&
        !conf_is_wrong(section, "servers"))
        conf_error(problems, section, "servers",
                   "type = static needs at least one server; allowed: host:port, ...");
}

struct tls_errors {
    const struct conf_section *section;
    struct problems *problems;
};

/* What is wrong already needs no second line. */
static void tell_tls(const char *key, const struct err *err, void *arg)
{
    const struct tls_errors *errors = arg;
    if (key == NULL || !conf_is_wrong(errors->section, key))
        conf_error(errors->problems, errors->section, key, "%s", err->text);
}

struct tls_client *snapshot_tls(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = conf_find(snapshot->conf, "tls", "");
    struct tls_errors errors = {section, problems};

    if (snapshot->tls == NULL)
        snapshot->tls = tls_client_new(section->values, tell_tls, &errors);
    return snapshot->tls;
}

static const struct nexthop *parse_servers(struct snapshot *snapshot,
                                           const struct conf_section *section,
                                           const struct key_list *list, struct problems *problems)
{
    struct arena *arena = conf_arena(snapshot->conf);
    struct nexthop *hops = arena_alloc(arena, (list->n + 1) * sizeof *hops);
    struct err err = {0};

    for (size_t i = 0; hops != NULL && i < list->n; i++) {
        if (!servers_parse(slice_of(list->v[i].text), arena, &hops[i], &err))
            conf_item_error(problems, section, "servers", &list->v[i], "%s", err.text);
    }
    return hops;
}

static const struct callahead_plan *
build_plan(struct snapshot *snapshot, const struct conf_section *section, struct problems *problems)
{
    const struct callahead_keys *keys = section->values;
    struct callahead_plan *plan = arena_alloc(conf_arena(snapshot->conf), sizeof *plan);

    if (plan == NULL)
        return NULL;
    plan->routes = snapshot->routes;
    plan->routing = snapshot_ldap_routing(snapshot, section, problems);
    plan->profile = (struct callahead_profile){
        .name = section->name,
        .keys = keys,
        .servers = parse_servers(snapshot, section, &keys->servers, problems),
        .nservers = keys->servers.n,
        .tls = keys->tls == CALLAHEAD_TLS_OFF ? NULL : snapshot_tls(snapshot, problems),
        .take = take_snapshot,
        .release = drop_snapshot,
        .arg = snapshot,
    };
    return plan;
}

static const struct callahead_rules *build_rules(struct snapshot *snapshot,
                                                 const struct conf_section *section,
                                                 struct problems *problems)
{
    const struct callahead_keys *keys = section->values;
    struct callahead_rules *rules = arena_alloc(conf_arena(snapshot->conf), sizeof *rules);
    const struct callahead_plan *plan = build_plan(snapshot, section, problems);
    if (rules == NULL || plan == NULL) {
        conf_error(problems, section, NULL, "out of memory");
        return NULL;
    }
    check_profile(snapshot, section, keys, problems);
    *rules = (struct callahead_rules){
        .plan = plan,
        .failure_accepts = keys->failure_action == CALLAHEAD_ACCEPT,
        .temporary_accepts = keys->temporary_action == CALLAHEAD_ACCEPT,
        .failure_code = keys->failure_code,
        .temporary_code = keys->temporary_code,
        .unknown_code = keys->unknown_code,
        .failure_text = keys->failure_text,
        .temporary_text = keys->temporary_text,
        .unknown_text = keys->unknown_text,
        .server_text = keys->reply_text == CALLAHEAD_TEXT_SERVER,
    };
    return rules;
}

const struct callahead_rules *snapshot_callahead(struct snapshot *snapshot,
                                                 const struct conf_section *listener,
                                                 struct problems *problems)
{
    const struct listener_keys *keys = listener->values;
    if (keys->callahead[0] == '\0')
        return NULL;

    /* NULL: reported with the other references. */
    const struct conf_section *section = conf_find(snapshot->conf, "callahead", keys->callahead);
    return section != NULL ? build_rules(snapshot, section, problems) : NULL;
}

void snapshot_check_callahead(struct snapshot *snapshot, struct problems *problems)
{
    const struct conf_section *section = NULL;

    while ((section = conf_next(snapshot->conf, "callahead", section)) != NULL)
        (void)build_rules(snapshot, section, problems);
}
