/*
 * callahead_bench.c - recipients a second through the call-ahead pool, cold,
 * against t/bench/sink, and how near that is to what is possible.
 *
 *     callahead_bench [-a ASKERS] [-t SECONDS]
 *
 * ASKERS threads (500) ask one new recipient after another, as sessions do.
 * Limit: on the wire, all that ask are in flight at once, ASKERS / latency; in
 * the server, connections / latency. Prints a table, asserts nothing. Two
 * cores are shared by all of it, so a limit of 25,000 a second is out of reach
 * for 500 threads; the bars are in DESIGN 8.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/net/callahead.h"

extern char **environ;

struct setting {
    unsigned connections, ms;
    bool serial, half_unknown, plain; /* plain: without PIPELINING */
};

struct sink {
    pid_t pid;
    int in;
    uint16_t port;
};

struct load {
    struct callahead *pool;
    const struct callahead_profile *profile;
    const struct callahead_where *where;
    const struct setting *setting;
    atomic_bool stop;
    atomic_uint answered, failed;
    mono_us deadline;
};

struct asker {
    pthread_t thread;
    struct load *load;
    unsigned number;
};

/* --- the sink ---------------------------------------------------------------------- */

static void sink_start(struct sink *sink, const char *program, const struct setting *setting)
{
    int in[2], out[2];
    char path[4096], ms[20], line[20];
    const char *slash = strrchr(program, '/');
    char watch[] = "-w", latency[] = "-l", serial[] = "-s", plain[] = "-n";
    char *args[7] = {path, watch, latency, ms};
    size_t n = 4;
    posix_spawn_file_actions_t actions;
    if (setting->serial)
        args[n++] = serial;
    if (setting->plain)
        args[n++] = plain;
    snprintf(path, sizeof path, "%.*s/sink", slash ? (int)(slash - program) : 1,
             slash ? program : ".");
    snprintf(ms, sizeof ms, "%u", setting->ms);
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    CHECK(posix_spawn(&sink->pid, path, &actions, NULL, args, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    FILE *from = fdopen(out[0], "r");
    CHECK(from && fgets(line, sizeof line, from));
    fclose(from);
    sink->in = in[1];
    sink->port = (uint16_t)strtoul(line, NULL, 10);
}

static void sink_stop(struct sink *sink)
{
    close(sink->in);
    waitpid(sink->pid, NULL, 0);
}

/* --- asking -------------------------------------------------------------------------- */

static void *run_asker(void *arg)
{
    struct asker *asker = arg;
    struct load *load = asker->load;
    for (unsigned i = 0; !atomic_load_explicit(&load->stop, memory_order_relaxed); i++) {
        char text[64];
        struct callahead_answer answer;
        bool bad = load->setting->half_unknown && i % 2;
        snprintf(text, sizeof text, "%su%ux%u@example.com", bad ? "bad" : "", asker->number, i);
        struct mailaddr address = {.kind = MAILADDR_DOMAIN,
                                   .local = "",
                                   .domain = "example.com",
                                   .text = text,
                                   .key = text};
        callahead_ask(load->pool, load->profile, load->where, &address,
                      mono_now() + MONO_SECONDS(25), NULL, NULL, &answer);
        bool right = answer.class == (bad ? CALLAHEAD_USER_UNKNOWN : CALLAHEAD_VALID);
        if (mono_now() < load->deadline)
            atomic_fetch_add_explicit(right ? &load->answered : &load->failed, 1,
                                      memory_order_relaxed);
    }
    return NULL;
}

static void wait_until(mono_us deadline)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    CHECK(mono_cond_init(&cond));
    pthread_mutex_lock(&mutex);
    while (mono_cond_wait(&cond, &mutex, deadline)) {
    }
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static void run_load(struct load *load, unsigned askers, mono_us seconds)
{
    pthread_attr_t attr;
    struct asker *all = calloc(askers, sizeof *all);
    CHECK(all && pthread_attr_init(&attr) == 0);
    CHECK(pthread_attr_setstacksize(&attr, 128 * 1024) == 0);
    load->deadline = mono_now() + MONO_SECONDS(seconds);
    for (unsigned i = 0; i < askers; i++) {
        all[i] = (struct asker){.load = load, .number = i};
        CHECK(pthread_create(&all[i].thread, &attr, run_asker, &all[i]) == 0);
    }
    wait_until(load->deadline);
    atomic_store(&load->stop, true);
    for (unsigned i = 0; i < askers; i++)
        pthread_join(all[i].thread, NULL);
    pthread_attr_destroy(&attr);
    free(all);
}

static void report(const struct setting *setting, const struct load *load, unsigned askers,
                   unsigned seconds)
{
    double rate = (double)load->answered / seconds, limit = 0;
    if (setting->ms > 0)
        limit = (setting->serial || setting->plain ? setting->connections : askers) * 1000.0 /
                setting->ms;
    printf("%5u %5u ms  %-6s %-9s %9.0f", setting->connections, setting->ms,
           setting->serial ? "server" : "wire",
           setting->half_unknown ? "half bad"
           : setting->plain      ? "no pipel."
                                 : "",
           rate);
    if (limit > 0)
        printf(" %9.0f  %4.2f", limit, rate / limit);
    printf("%s\n", load->failed ? "  (some failed)" : "");
    fflush(stdout);
}

static void measure(const char *program, const struct setting *setting, unsigned askers,
                    unsigned seconds)
{
    struct sink sink;
    struct callahead_keys keys = {0};
    struct arena *arena = arena_new(0);
    struct err err = {0};
    CHECK(arena);
    for (size_t i = 0; i < callahead_nrows; i++)
        CHECK(key_set_default(&callahead_rows[i], &keys, "/", arena));
    keys.max_connections_per_server = setting->connections;
    sink_start(&sink, program, setting);
    struct nexthop host = {
        .host = "127.0.0.1", .is_ip = true, .ip = ip_from_v4(0x7f000001), .port = sink.port};
    struct callahead_profile profile = {.name = "bench", .keys = &keys};
    struct callahead_where where = {.hosts = &host, .nhosts = 1};
    struct load load = {.pool = callahead_new(NULL, "bench.test", &err),
                        .profile = &profile,
                        .where = &where,
                        .setting = setting};
    CHECK(load.pool);
    run_load(&load, askers, seconds);
    report(setting, &load, askers, seconds);
    callahead_free(load.pool);
    arena_free(arena);
    sink_stop(&sink);
}

int main(int argc, char **argv)
{
    static const unsigned connections[] = {1, 5, 50}, ms[] = {0, 20, 100};
    unsigned askers = 500, seconds = 3;
    for (int option; (option = getopt(argc, argv, "a:t:")) != -1;) {
        if (option == 'a')
            askers = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 't')
            seconds = (unsigned)strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    printf("conns  latency         mix       recipients/s     limit ratio  (%u at once)\n", askers);
    for (size_t serial = 0; serial < 2; serial++) {
        for (size_t l = serial; l < ARRAY_LEN(ms); l++) {
            for (size_t c = 0; c < ARRAY_LEN(connections); c++)
                measure(argv[0],
                        &(struct setting){connections[c], ms[l], serial == 1, false, false}, askers,
                        seconds);
        }
    }
    measure(argv[0], &(struct setting){5, 20, false, true, false}, askers, seconds);
    measure(argv[0], &(struct setting){5, 20, false, false, true}, askers, seconds);
    return 0;
}
