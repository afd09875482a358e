/*
 * dns_engine.c - one poll loop: take new jobs, hand them to c-ares, wait for
 * its sockets, its timer or a wake-up.
 */
#include "lib/net/dns_engine.h"

#include "lib/base/log.h"
#include "lib/base/sigmask.h"
#include "lib/net/dns_socket.h"

#include <arpa/inet.h>
#include <ares.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#define CLASS_IN 1
/* Outdated channels that may still have questions; more than that, and the
 * oldest one's end at once. */
#define CHANNELS_MAX 4
/* Questions sent before replies are read again: more at once may not fit into
 * the socket's buffers, and c-ares takes that for a dead server. */
#define BATCH 64
#define STACK_SIZE (256 * 1024)
#define NAP_MS 10
#define TELL_EVERY MONO_SECONDS(60)

struct search_list {
    size_t n;
    char domains[DNS_SEARCH_MAX][DOMAIN_MAX];
};

struct dns_channel {
    ares_channel ares;
    struct dns_engine *engine;
    struct search_list search;
    unsigned tries;
    size_t outstanding;
    struct dns_shortage shortage;
};

struct dns_engine {
    dns_done *done;
    void *arg;
    pthread_t thread;
    int wake_fd;

    pthread_mutex_t lock; /* guards the following five */
    struct dns_job *first, *last;
    struct dns_channel *fresh; /* to become channels[0] */
    struct search_list search;
    bool stopping;

    /* The thread's own. */
    struct dns_channel *channels[CHANNELS_MAX]; /* the current one first; NULL: none */
    struct dns_job *again;                      /* to be sent once more */
    struct dns_job *held;
    mono_us retry_at, tell_at; /* held ones are sent again; a shortage is logged again */
    bool is_short;             /* a job was held since this was last set to false */
};

/* To c-ares a socket that cannot be made is a server that cannot be reached. */
static const struct ares_socket_functions system_calls = {.asocket = dns_socket_make,
                                                          .aclose = dns_socket_close,
                                                          .aconnect = dns_socket_connect,
                                                          .arecvfrom = dns_socket_receive,
                                                          .asendv = dns_socket_send};

/* --- a channel ------------------------------------------------------------ */

static void fill_server(struct ares_addr_port_node *node, const struct ip *ip, uint16_t port)
{
    struct sockaddr_storage ss;
    *node = (struct ares_addr_port_node){.udp_port = port, .tcp_port = port};
    ip_to_sockaddr(ip, port, &ss);
    node->family = ss.ss_family;
    if (ss.ss_family == AF_INET)
        node->addr.addr4 = ((struct sockaddr_in *)(void *)&ss)->sin_addr;
    else
        memcpy(&node->addr.addr6, &((struct sockaddr_in6 *)(void *)&ss)->sin6_addr,
               sizeof node->addr.addr6);
}

static bool read_servers(const struct key_list *list, struct ares_addr_port_node *nodes,
                         struct err *err)
{
    if (list->n > DNS_SERVERS_MAX)
        return err_set(err, ERR_RANGE, "more than %d name servers", DNS_SERVERS_MAX);
    for (size_t i = 0; i < list->n; i++) {
        struct ip ip;
        uint16_t port;
        if (!dns_parse_server(list->v[i].text, &ip, &port, err))
            return false;
        fill_server(&nodes[i], &ip, port);
        if (i > 0)
            nodes[i - 1].next = &nodes[i];
    }
    return true;
}

/* ares_getsock() shows sixteen sockets at most, two a server. */
static int keep_few_servers(ares_channel ares)
{
    struct ares_addr_port_node *nodes = NULL, *rest = NULL;
    int rc = ares_get_servers_ports(ares, &nodes);
    struct ares_addr_port_node *last = nodes;
    for (int i = 1; last != NULL && i < DNS_SERVERS_MAX; i++)
        last = last->next;
    if (rc == ARES_SUCCESS && last != NULL && last->next != NULL) {
        rest = last->next;
        last->next = NULL;
        rc = ares_set_servers_ports(ares, nodes);
        last->next = rest;
    }
    ares_free_data(nodes);
    return rc;
}

/* c-ares has read it with the rest of the system's settings. */
static void read_search_list(ares_channel ares, struct search_list *out)
{
    struct ares_options options = {0};
    int set = 0;

    if (ares_save_options(ares, &options, &set) == ARES_SUCCESS) {
        for (int i = 0; i < options.ndomains && out->n < DNS_SEARCH_MAX; i++)
            out->n += domain_canon(slice_of(options.domains[i]), out->domains[out->n]);
    }
    ares_destroy_options(&options);
}

static void channel_free(struct dns_channel *channel)
{
    if (channel == NULL)
        return;
    if (channel->ares != NULL)
        ares_destroy(channel->ares);
    free(channel);
}

static struct dns_channel *channel_new(struct dns_engine *engine, const struct dns_keys *keys,
                                       struct err *err)
{
    struct ares_addr_port_node nodes[DNS_SERVERS_MAX];
    /* c-ares would wait twice as long in each further try. */
    struct ares_options options = {.timeout = (int)keys->timeout, .tries = 1};
    if (!read_servers(&keys->servers, nodes, err))
        return NULL;
    struct dns_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    channel->engine = engine;
    channel->tries = (unsigned)keys->tries;
    int rc = ares_init_options(&channel->ares, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (rc != ARES_SUCCESS)
        channel->ares = NULL;
    else if (keys->servers.n > 0)
        rc = ares_set_servers_ports(channel->ares, nodes);
    else
        rc = keep_few_servers(channel->ares);
    if (rc != ARES_SUCCESS) {
        err_set(err, ERR_SYSTEM, "cannot set up the DNS client: %s", ares_strerror(rc));
        channel_free(channel);
        return NULL;
    }
    ares_set_socket_functions(channel->ares, &system_calls, &channel->shortage);
    read_search_list(channel->ares, &channel->search);
    return channel;
}

/* --- a question ----------------------------------------------------------- */

static void end_job(struct dns_engine *engine, struct dns_job *job, const struct dns_result *result)
{
    engine->done(job, result, engine->arg);
}

static enum dns_outcome outcome_without_reply(int status)
{
    switch (status) {
    case ARES_ETIMEOUT:
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return DNS_TIMEOUT;
    case ARES_ENOTFOUND: /* c-ares knows by itself: .onion */
        return DNS_NXDOMAIN;
    default: /* ARES_ECONNREFUSED is all that is left of SERVFAIL and REFUSED, too */
        return DNS_SERVFAIL;
    }
}

static void set_held(struct dns_job *job, bool held)
{
    __atomic_store_n(&job->held, held, __ATOMIC_RELAXED);
}

static void tell_shortage(struct dns_engine *engine, int status, const struct dns_channel *channel)
{
    mono_us now = mono_now();
    if (now < engine->tell_at)
        return;
    engine->tell_at = now + TELL_EVERY;
    log_note(LOG_AT_WARNING, "dns", "queries wait, no name server is to blame: %s",
             status == ARES_ENOMEM ? "out of memory" : strerror(channel->shortage.sys));
}

static void hold(struct dns_engine *engine, struct dns_job *job)
{
    job->due = mono_now() + DNS_ENGINE_RETRY;
    if (engine->held == NULL)
        engine->retry_at = job->due;
    engine->is_short = true;
    set_held(job, true);
    job->next = engine->held;
    engine->held = job;
}

static void on_reply(void *arg, int status, int timeouts, unsigned char *message, int n)
{
    struct dns_job *job = arg;
    struct dns_channel *channel = job->channel;
    struct dns_engine *engine = channel->engine;
    (void)timeouts;
    channel->outstanding--;
    struct dns_result result = {.replied = message != NULL && n > 0,
                                .message = message,
                                .n = n > 0 ? (size_t)n : 0,
                                .without = outcome_without_reply(status),
                                .outdated =
                                    status == ARES_EDESTRUCTION || channel != engine->channels[0]};
    if (!result.replied && status != ARES_EDESTRUCTION &&
        (status == ARES_ENOMEM || channel->shortage.times != job->shortages)) {
        tell_shortage(engine, status, channel);
        hold(engine, job);
    } else if (status == ARES_ETIMEOUT && !result.outdated && ++job->tries < channel->tries) {
        job->next = engine->again;
        engine->again = job;
    } else {
        end_job(engine, job, &result);
    }
}

/* The job may be gone, or held, when it returns. */
static void send_job(struct dns_engine *engine, struct dns_job *job)
{
    struct dns_channel *channel = engine->channels[0];
    job->channel = channel;
    job->shortages = channel->shortage.times;
    channel->outstanding++;
    ares_query(channel->ares, job->name, CLASS_IN, job->rrtype, on_reply, job);
}

static void send_jobs(struct dns_engine *engine, struct dns_job *jobs)
{
    while (jobs != NULL) {
        struct dns_job *job = jobs;
        jobs = job->next;
        send_job(engine, job);
    }
}

/* A batch of those held long enough, up to the first that is held again. */
static void retry_held(struct dns_engine *engine)
{
    const struct dns_result over = {.without = DNS_TIMEOUT, .ours = true};
    mono_us now = mono_now(), next = now + DNS_ENGINE_RETRY;
    struct dns_job *jobs = engine->held, *job;
    if (jobs == NULL || now < engine->retry_at)
        return;
    engine->held = NULL;
    engine->is_short = false;
    for (size_t sent = 0; (job = jobs) != NULL;) {
        jobs = job->next;
        if (now >= job->give_up) {
            end_job(engine, job, &over);
        } else if (engine->is_short || sent == BATCH || now < job->due) {
            job->next = engine->held;
            engine->held = job;
            next = job->due < next ? job->due : next;
        } else {
            set_held(job, false);
            send_job(engine, job);
            sent++;
        }
    }
    engine->retry_at = engine->is_short ? now + DNS_ENGINE_RETRY : next;
}

/* --- the loop ------------------------------------------------------------- */

struct taken {
    struct dns_job *jobs;
    struct dns_channel *fresh;
    bool more, stopping;
};

static struct taken take_work(struct dns_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    size_t limit = engine->stopping ? SIZE_MAX : BATCH;
    struct taken taken = {
        .jobs = engine->first, .fresh = engine->fresh, .stopping = engine->stopping};
    struct dns_job **end = &taken.jobs;
    for (size_t n = 0; *end != NULL && n < limit; n++)
        end = &(*end)->next;
    engine->first = *end;
    *end = NULL;
    if (engine->first == NULL)
        engine->last = NULL;
    engine->fresh = NULL;
    taken.more = engine->first != NULL;
    pthread_mutex_unlock(&engine->lock);
    return taken;
}

static void use_fresh(struct dns_engine *engine, struct dns_channel *fresh)
{
    struct dns_channel *oldest = engine->channels[CHANNELS_MAX - 1];
    for (size_t i = CHANNELS_MAX - 1; i > 0; i--)
        engine->channels[i] = engine->channels[i - 1];
    engine->channels[0] = fresh;
    channel_free(oldest);
}

static void drop_idle_old_ones(struct dns_engine *engine)
{
    size_t kept = 1;
    for (size_t i = 1; i < CHANNELS_MAX; i++) {
        struct dns_channel *channel = engine->channels[i];
        engine->channels[i] = NULL;
        if (channel != NULL && channel->outstanding > 0)
            engine->channels[kept++] = channel;
        else
            channel_free(channel);
    }
}

struct poll_set {
    nfds_t n;
    struct pollfd fds[1 + CHANNELS_MAX * ARES_GETSOCK_MAXNUM];
    struct dns_channel *owner[1 + CHANNELS_MAX * ARES_GETSOCK_MAXNUM];
    int timeout_ms; /* -1: no limit */
};

/* ARES_GETSOCK_WRITABLE() shifts a signed number for the last of them. */
static void add_channel(struct poll_set *set, struct dns_channel *channel)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    unsigned bits = (unsigned)ares_getsock(channel->ares, sockets, ARES_GETSOCK_MAXNUM);
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        short events = (short)((bits >> i & 1 ? POLLIN : 0) |
                               (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
        if (events == 0)
            continue;
        set->owner[set->n] = channel;
        set->fds[set->n++] = (struct pollfd){.fd = sockets[i], .events = events};
    }
    struct timeval tv;
    if (ares_timeout(channel->ares, NULL, &tv) != NULL) {
        int ms = (int)(tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
        if (set->timeout_ms < 0 || ms < set->timeout_ms)
            set->timeout_ms = ms;
    }
}

static void wait_for_sockets(struct dns_engine *engine, struct poll_set *set, bool hurry)
{
    *set =
        (struct poll_set){.n = 1,
                          .fds[0] = {.fd = engine->wake_fd, .events = POLLIN},
                          .timeout_ms = engine->held != NULL ? mono_poll_ms(engine->retry_at) : -1};
    for (size_t i = 0; i < CHANNELS_MAX && engine->channels[i] != NULL; i++)
        add_channel(set, engine->channels[i]);
    if (poll(set->fds, set->n, hurry ? 0 : set->timeout_ms) >= 0)
        return;
    /* Out of memory, or of descriptors: c-ares may still run its timers. */
    for (nfds_t i = 0; i < set->n; i++)
        set->fds[i].revents = 0;
    if (errno != EINTR)
        (void)poll(set->fds, 1, NAP_MS);
}

static void serve_sockets(struct dns_engine *engine, const struct poll_set *set)
{
    uint64_t count;
    if (set->fds[0].revents != 0 && read(engine->wake_fd, &count, sizeof count) < 0)
        CHECK(errno == EAGAIN || errno == EINTR);
    for (nfds_t i = 1; i < set->n; i++) {
        const struct pollfd *fd = &set->fds[i];
        if (fd->revents == 0)
            continue;
        bool in = (fd->events & POLLIN) && (fd->revents & ~POLLOUT);
        bool out = (fd->events & POLLOUT) && (fd->revents & ~POLLIN);
        ares_process_fd(set->owner[i]->ares, in ? fd->fd : ARES_SOCKET_BAD,
                        out ? fd->fd : ARES_SOCKET_BAD);
    }
    for (size_t i = 0; i < CHANNELS_MAX && engine->channels[i] != NULL; i++)
        ares_process_fd(engine->channels[i]->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* The result of what the end of the engine cut off. */
static const struct dns_result ended = {.without = DNS_TIMEOUT, .outdated = true};

static void end_list(struct dns_engine *engine, struct dns_job *jobs)
{
    while (jobs != NULL) {
        struct dns_job *job = jobs;
        jobs = job->next;
        end_job(engine, job, &ended);
    }
}

static void end_everything(struct dns_engine *engine, struct taken *taken)
{
    channel_free(taken->fresh);
    end_list(engine, taken->jobs);
    for (size_t i = 0; i < CHANNELS_MAX; i++)
        channel_free(engine->channels[i]);
    end_list(engine, engine->again);
    end_list(engine, engine->held);
}

static void *run(void *arg)
{
    struct dns_engine *engine = arg;
    struct poll_set set;
    for (;;) {
        struct taken taken = take_work(engine);
        if (taken.stopping) {
            end_everything(engine, &taken);
            return NULL;
        }
        if (taken.fresh != NULL)
            use_fresh(engine, taken.fresh);
        struct dns_job *again = engine->again;
        engine->again = NULL;
        send_jobs(engine, again);
        retry_held(engine);
        send_jobs(engine, taken.jobs);
        drop_idle_old_ones(engine);
        wait_for_sockets(engine, &set, taken.more);
        serve_sockets(engine, &set);
    }
}

/* --- for dns.c ------------------------------------------------------------ */

static void wake(struct dns_engine *engine)
{
    const uint64_t one = 1;
    /* EAGAIN: the counter is full, so the engine is awake. */
    if (write(engine->wake_fd, &one, sizeof one) < 0)
        CHECK(errno == EAGAIN || errno == EINTR);
}

/* With all signals blocked: they are the main thread's. */
static int start_thread(struct dns_engine *engine)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int rc = pthread_attr_init(&attr);
    if (rc != 0)
        return rc;
    sigmask_of_threads(&all);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = pthread_create(&engine->thread, &attr, run, engine);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

static void free_parts(struct dns_engine *engine)
{
    if (engine->wake_fd >= 0)
        close(engine->wake_fd);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
    ares_library_cleanup();
}

struct dns_engine *dns_engine_new(const struct dns_keys *keys, dns_done *done, void *arg,
                                  struct err *err)
{
    struct dns_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        err_set(err, ERR_MEMORY, "out of memory");
        free(engine);
        return NULL;
    }
    int rc = 0;
    engine->done = done;
    engine->arg = arg;
    CHECK(pthread_mutex_init(&engine->lock, NULL) == 0);
    engine->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (engine->wake_fd < 0) {
        err_system(err, errno, "eventfd");
        goto out;
    }
    engine->channels[0] = channel_new(engine, keys, err);
    if (engine->channels[0] == NULL)
        goto out;
    engine->search = engine->channels[0]->search;
    rc = start_thread(engine);
    if (rc == 0)
        return engine;
    err_system(err, rc, "cannot start the DNS thread");
out:
    channel_free(engine->channels[0]);
    free_parts(engine);
    return NULL;
}

void dns_engine_stop(struct dns_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->stopping = true;
    pthread_mutex_unlock(&engine->lock);
    wake(engine);
}

void dns_engine_free(struct dns_engine *engine)
{
    if (engine == NULL)
        return;
    dns_engine_stop(engine);
    CHECK(pthread_join(engine->thread, NULL) == 0);
    free_parts(engine);
}

bool dns_engine_reconfigure(struct dns_engine *engine, const struct dns_keys *keys, struct err *err)
{
    struct dns_channel *fresh = channel_new(engine, keys, err);
    if (fresh == NULL)
        return false;
    pthread_mutex_lock(&engine->lock);
    struct dns_channel *unused = engine->fresh;
    engine->fresh = fresh;
    engine->search = fresh->search;
    pthread_mutex_unlock(&engine->lock);
    wake(engine);
    channel_free(unused); /* the thread never saw it */
    return true;
}

size_t dns_engine_search_list(struct dns_engine *engine,
                              char domains_out[DNS_SEARCH_MAX][DOMAIN_MAX])
{
    pthread_mutex_lock(&engine->lock);
    size_t n = engine->search.n;
    memcpy(domains_out, engine->search.domains, sizeof engine->search.domains);
    pthread_mutex_unlock(&engine->lock);
    return n;
}

void dns_engine_submit(struct dns_engine *engine, struct dns_job *job)
{
    job->next = NULL;
    job->tries = 0;
    job->give_up = mono_now() + DNS_ENGINE_HOLD;
    pthread_mutex_lock(&engine->lock);
    bool stopping = engine->stopping, was_empty = engine->first == NULL;
    if (!stopping) {
        *(was_empty ? &engine->first : &engine->last->next) = job;
        engine->last = job;
    }
    pthread_mutex_unlock(&engine->lock);
    if (stopping)
        end_job(engine, job, &ended);
    else if (was_empty)
        wake(engine);
}
