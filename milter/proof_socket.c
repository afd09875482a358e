/* Does each service of the MTA come to our socket, as the user that it is? */
#include "milter/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/mta/socketname.h"
#include "milter/filter.h"
#include "milter/wake.h"

#define GROUPS_MAX 1000
#define ANSWER_MAX 4096       /* bytes of an answer to the negotiation; ours has 300 */
#define GRACE MONO_SECONDS(1) /* for the child, beyond the time it gives itself */
#define SERVICES_MAX 32       /* that differ in what they see */
#define KEEP_ME ((uid_t)-1)

/* --- who, and from where ----------------------------------------------------------------- */

/* A process of the MTA, as far as it matters to a socket. */
struct visitor {
    const char *user; /* NULL: root */
    uid_t uid;
    gid_t gids[GROUPS_MAX];
    int ngids;
    const char *folder; /* it works there; NULL: in / */
    bool chrooted;      /* in folder */
    const char *path;   /* as it says it; NULL: at an inet socket */
    const char *seen;   /* the same as this host sees it */
};

/* false: there is no such user. */
static bool find_user(const char *name, struct visitor *visitor)
{
    errno = 0;
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL)
        return false;
    visitor->user = name;
    visitor->uid = entry->pw_uid;
    visitor->ngids = GROUPS_MAX;
    if (getgrouplist(name, entry->pw_gid, visitor->gids, &visitor->ngids) < 0)
        visitor->ngids = GROUPS_MAX;
    return true;
}

static const char *name_of(const struct visitor *visitor)
{
    return visitor->user != NULL ? visitor->user : "root";
}

/* --- by the permissions ------------------------------------------------------------------ */

static bool is_member(const struct visitor *visitor, gid_t gid)
{
    for (int i = 0; i < visitor->ngids; i++)
        if (visitor->gids[i] == gid)
            return true;
    return false;
}

static bool may(const struct visitor *visitor, const struct stat *st, unsigned wanted)
{
    unsigned mode = st->st_mode;
    if (visitor->uid == 0)
        return true;
    if (st->st_uid == visitor->uid)
        return (mode >> 6 & wanted) == wanted;
    return ((is_member(visitor, st->st_gid) ? mode >> 3 : mode) & wanted) == wanted;
}

enum gate { GATE_OPEN, GATE_CLOSED, GATE_UNKNOWN };

/* One name of the way; where it is closed or not known, why has it. */
static enum gate look_at(const struct visitor *visitor, const char *path, bool last, char *why,
                         size_t room)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        bool hidden = errno == EACCES;
        snprintf(why, room, "%s: %s", path, strerror(errno));
        return hidden ? GATE_UNKNOWN : GATE_CLOSED;
    }
    if (may(visitor, &st, last ? 2 : 1))
        return GATE_OPEN;
    snprintf(why, room, "%s %s has mode %04o, user %lu and group %lu",
             last ? "the socket" : "the folder", path, (unsigned)st.st_mode & 07777U,
             (unsigned long)st.st_uid, (unsigned long)st.st_gid);
    return getxattr(path, "system.posix_acl_access", NULL, 0) > 0 ? GATE_UNKNOWN : GATE_CLOSED;
}

/* All names of the way, from where the visitor begins. */
static enum gate look_along(const struct visitor *visitor, char *why, size_t room)
{
    const char *seen = visitor->seen;
    bool below = visitor->folder != NULL && (visitor->chrooted || visitor->path[0] != '/');
    size_t start = below ? strlen(visitor->folder) : 1;
    char part[PATH_MAX];
    for (size_t n = start; n <= strlen(seen); n++) {
        if (seen[n] != '/' && seen[n] != '\0' && n != start)
            continue;
        if (n > start && seen[n - 1] == '/')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)n, seen);
        enum gate gate = look_at(visitor, part, seen[n] == '\0', why, room);
        if (gate != GATE_OPEN)
            return gate;
    }
    return GATE_OPEN;
}

/* --- a visit ----------------------------------------------------------------------------- */

enum step { STEP_NONE, STEP_BECOME, STEP_CONNECT, STEP_TALK, STEP_ANSWERED };

/* What a child tells its parent. */
struct visit {
    enum step step; /* the last one that was tried */
    int sys;        /* why it failed; 0: it did not */
    pid_t listener; /* who listens, of a unix socket; 0: not known */
    bool is_milter; /* the answer is one of the protocol */
    bool is_ours;   /* ... and asks for our macros */
};

static bool wait_for(int fd, short events, mono_us deadline)
{
    struct pollfd event = {.fd = fd, .events = events};
    int n;
    do {
        n = poll(&event, 1, mono_poll_ms(deadline));
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

static bool become(const struct visitor *visitor)
{
    if (visitor->user != NULL &&
        (setgroups((size_t)visitor->ngids, visitor->gids) != 0 || setgid(visitor->gids[0]) != 0))
        return false;
    if (visitor->folder != NULL && chdir(visitor->folder) != 0)
        return false;
    if (visitor->chrooted && chroot(visitor->folder) != 0)
        return false;
    return visitor->user == NULL || setuid(visitor->uid) == 0;
}

/* A full backlog makes connect() wait, unix(7): for so long. */
static int connect_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PROOF_SECONDS};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof un.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(un.sun_path, path, strlen(path));
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (const struct sockaddr *)&un, sizeof un) == 0)
        return fd;
    if (errno == EAGAIN)
        errno = ETIMEDOUT;
    return -1;
}

static int connect_inet(const struct ip *ip, uint16_t port, mono_us deadline)
{
    struct sockaddr_storage to;
    socklen_t length = ip_to_sockaddr(ip, port, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), sys = 0;
    socklen_t size = sizeof sys;
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&to, length) == 0)
        return fd;
    if (errno != EINPROGRESS || !wait_for(fd, POLLOUT, deadline) ||
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &size) != 0)
        return -1;
    errno = sys;
    return sys == 0 ? fd : -1;
}

/* Exactly n bytes. */
static bool read_whole(int fd, char *to, size_t n, mono_us deadline)
{
    while (n > 0) {
        if (!wait_for(fd, POLLIN, deadline))
            return false;
        ssize_t got = recv(fd, to, n, MSG_DONTWAIT);
        if (got == 0)
            errno = ECONNRESET;
        if (got <= 0 && (got == 0 || (errno != EAGAIN && errno != EINTR)))
            return false;
        if (got > 0) {
            to += got;
            n -= (size_t)got;
        }
    }
    return true;
}

/* The offer of an MTA that knows everything, SMFIC_OPTNEG, and the answer; then SMFIC_QUIT. No
 * connection of a client begins, so that nothing is counted or logged. */
static bool negotiate(int fd, struct visit *visit, mono_us deadline)
{
    static const char offer[] = {0, 0, 0, 13,         'O', 0,    0,          0,         6,
                                 0, 0, 1, (char)0xFF, 0,   0x1F, (char)0xFF, (char)0xFF};
    static const char quit[] = {0, 0, 0, 1, 'Q'};
    char answer[ANSWER_MAX], head[4];
    if (send(fd, offer, sizeof offer, MSG_NOSIGNAL) != (ssize_t)sizeof offer ||
        !read_whole(fd, head, sizeof head, deadline))
        return false;
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof head; i++)
        n = n << 8 | (unsigned char)head[i];
    if (n < 13 || n > sizeof answer)
        return true; /* something else lives there */
    if (!read_whole(fd, answer, n, deadline))
        return false;
    visit->is_milter = answer[0] == 'O';
    visit->is_ours = visit->is_milter &&
                     memmem(answer, n, FILTER_CONNECT_MACROS, sizeof FILTER_CONNECT_MACROS) != NULL;
    (void)!send(fd, quit, sizeof quit, MSG_NOSIGNAL);
    return true;
}

struct target {
    struct ip ip; /* of an inet socket */
    uint16_t port;
};

/* In the child. */
static void pay_visit(const struct visitor *visitor, const struct target *target,
                      struct visit *visit)
{
    mono_us deadline = mono_now() + MONO_SECONDS(PROOF_SECONDS);
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof peer;

    visit->step = STEP_BECOME;
    if (visitor->uid != KEEP_ME && !become(visitor)) {
        visit->sys = errno;
        return;
    }
    visit->step = STEP_CONNECT;
    int fd = visitor->path != NULL ? connect_unix(visitor->path)
                                   : connect_inet(&target->ip, target->port, deadline);
    if (fd < 0) {
        visit->sys = errno;
        return;
    }
    if (visitor->path != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        visit->listener = peer.pid;
    visit->step = STEP_TALK;
    if (negotiate(fd, visit, deadline))
        visit->step = STEP_ANSWERED;
    else
        visit->sys = errno;
    close(fd);
}

/* false: err says why nobody could be sent. */
static bool send_child(const struct visitor *visitor, const struct target *target,
                       struct visit *visit_out, struct err *err)
{
    mono_us deadline = mono_now() + MONO_SECONDS(PROOF_SECONDS) + GRACE;
    int pipe_fds[2];

    *visit_out = (struct visit){.step = STEP_NONE};
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return err_system(err, errno, "pipe");
    pid_t child = fork();
    if (child == 0) {
        struct visit visit = {.step = STEP_NONE};
        pay_visit(visitor, target, &visit);
        (void)!write(pipe_fds[1], &visit, sizeof visit);
        _exit(0);
    }
    int sys = errno;
    close(pipe_fds[1]);
    bool told = child > 0 && wait_for(pipe_fds[0], POLLIN, deadline) &&
                read(pipe_fds[0], visit_out, sizeof *visit_out) == (ssize_t)sizeof *visit_out;
    close(pipe_fds[0]);
    if (child < 0)
        return err_system(err, sys, "fork");
    if (!told)
        kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    return told || err_set(err, ERR_TIMEOUT, "the attempt did not end in time");
}

/* --- what came of it --------------------------------------------------------------------- */

static void tell_failure(struct proof *proof, const char *name, const struct visitor *visitor,
                         const struct visit *visit)
{
    const char *socket = proof->input.socket;
    char why[PATH_MAX + 200] = "";
    if (visit->step == STEP_BECOME) {
        proof_unknown(proof, "%s: cannot become user %s: %s", name, name_of(visitor),
                      strerror(visit->sys));
        return;
    }
    if (visit->step == STEP_TALK) {
        proof_error(proof, "%s: the listener at %s does not answer: %s", name, socket,
                    strerror(visit->sys));
        return;
    }
    if (visit->sys == EACCES && visitor->path != NULL &&
        look_along(visitor, why, sizeof why) == GATE_OPEN)
        why[0] = '\0';
    proof_error(proof, "%s: user %s cannot connect to %s: %s%s%s", name, name_of(visitor), socket,
                strerror(visit->sys), why[0] != '\0' ? "; " : "", why);
}

/* It was somebody who answered: who? */
static bool is_us(struct proof *proof, const char *name, const struct visit *visit)
{
    const char *socket = proof->input.socket;
    bool known = visit->listener > 0 && proof->daemon > 0;
    bool same = known && (uint64_t)visit->listener == proof->daemon;
    if (!visit->is_milter)
        proof_error(proof, "%s: what listens at %s is not a milter", name, socket);
    else if (!visit->is_ours && !same)
        proof_error(proof, "%s: the milter at %s is not a gatehoused of this version", name,
                    socket);
    else if (known && !same)
        proof_error(proof,
                    "%s: process %ld answers at %s, and process %llu at the control socket: two "
                    "daemons",
                    name, (long)visit->listener, socket, (unsigned long long)proof->daemon);
    else
        return true;
    return false;
}

/* What the permissions say, where nobody can become another user. */
static void judge_by_looks(struct proof *proof, const char *name, const struct visitor *visitor)
{
    char why[PATH_MAX + 200] = "";
    enum gate gate = visitor->path != NULL ? look_along(visitor, why, sizeof why) : GATE_OPEN;
    if (gate == GATE_CLOSED)
        proof_error(proof, "%s: user %s cannot connect to %s: %s", name, name_of(visitor),
                    proof->input.socket, why);
    else
        proof_unknown(proof,
                      "%s: whether user %s can connect to %s, which only root can try; by the "
                      "permissions %s%s",
                      name, name_of(visitor), proof->input.socket,
                      gate == GATE_OPEN ? "it can" : "it is not clear: ", why);
}

static void visit_as(struct proof *proof, const char *name, struct visitor *visitor,
                     const struct target *target)
{
    struct visit visit;
    struct err err = {0};
    bool able = geteuid() == 0;
    struct visitor myself = {.user = visitor->user, .uid = KEEP_ME, .path = visitor->seen};

    if (!able)
        judge_by_looks(proof, name, visitor);
    if (!send_child(able ? visitor : &myself, target, &visit, &err))
        proof_unknown(proof, "%s: %s", name, err.text);
    else if (visit.sys != 0 && (able || visit.sys != EACCES))
        tell_failure(proof, name, visitor, &visit);
    else if (visit.sys == 0 && is_us(proof, name, &visit) && able)
        proof_good(proof, "%s: user %s can connect to %s%s, and this Gatehouse answers", name,
                   name_of(visitor), proof->input.socket,
                   visitor->chrooted ? " from its chroot" : "");
}

/* --- services ---------------------------------------------------------------------------- */

static bool find_target(struct proof *proof, struct target *target_out)
{
    struct err err = {0};
    struct socketname name;
    struct wake *wake = wake_new(proof->input.socket, &err);
    bool found = wake != NULL && socketname_parse(wake_connection(wake), &name);
    *target_out = (struct target){.port = 0};
    if (found && name.path == NULL) {
        target_out->port = (uint16_t)name.port;
        found = ip_parse(name.host, &target_out->ip);
    }
    if (!found)
        proof_error(proof, "[gatehouse] socket: %s", err.text);
    wake_free(wake);
    return found;
}

/* The path of a "unix:" word, and whether it is one. */
static bool is_path(struct slice word, struct slice *path_out)
{
    *path_out = (struct slice){word.p + 5, word.n > 5 ? word.n - 5 : 0};
    return word.n > 5 && slice_is_nocase((struct slice){word.p, 5}, "unix:");
}

/* false: doctor_postfix() has said that it is not asked, or there is no memory. */
static bool describe(struct proof *proof, const struct proof_service *service,
                     struct visitor *visitor)
{
    struct slice word, path;
    char seen[PATH_MAX];
    if (!doctor_postfix_word(&proof->input, &proof->postconf, proof->host, &service->postfix,
                             &word))
        return false;
    *visitor = (struct visitor){
        .folder = arena_dup_slice(proof->arena, postconf_main(&proof->postconf, "queue_directory")),
        .chrooted = service->postfix.chrooted};
    if (!is_path(word, &path))
        return visitor->folder != NULL;
    if (!postconf_path(&proof->postconf, &service->postfix, path, seen, sizeof seen))
        return false;
    visitor->path = arena_dup_slice(proof->arena, path);
    visitor->seen = arena_dup_slice(proof->arena, slice_of(seen));
    return visitor->folder != NULL && visitor->path != NULL && visitor->seen != NULL;
}

/* Services that see the same have one line. */
static bool same_view(const struct postconf_service *a, const struct postconf_service *b,
                      const struct proof *proof)
{
    struct slice one = {"", 0}, two = {"", 0};
    (void)!doctor_postfix_word(&proof->input, &proof->postconf, proof->host, a, &one);
    (void)!doctor_postfix_word(&proof->input, &proof->postconf, proof->host, b, &two);
    return a->chrooted == b->chrooted && a->privileged == b->privileged && one.n == two.n &&
           (one.n == 0 || memcmp(one.p, two.p, one.n) == 0);
}

static void visit_from(struct proof *proof, const struct proof_service *list, size_t i,
                       const char *owner, const struct target *target)
{
    struct visitor visitor;
    for (size_t j = 0; j < i; j++)
        if (same_view(&list[i].postfix, &list[j].postfix, proof))
            return;
    if (!describe(proof, &list[i], &visitor))
        return;
    if (!list[i].postfix.privileged && !find_user(owner, &visitor)) {
        proof_error(proof, "main.cf: mail_owner = %s: there is no such user on this host", owner);
        return;
    }
    visit_as(proof, list[i].name, &visitor, target);
}

static void visit_from_postfix(struct proof *proof, const struct target *target)
{
    const char *owner =
        arena_dup_slice(proof->arena, postconf_main(&proof->postconf, "mail_owner"));
    struct proof_service *list;
    size_t n;
    if (owner == NULL || !proof_services(proof, &list, &n)) {
        proof_error(proof, "out of memory");
        return;
    }
    for (size_t i = 0; i < n && i < SERVICES_MAX; i++)
        visit_from(proof, list, i, owner, target);
}

/* Sendmail's daemon is root, or RunAsUser, "user" or "user:group". */
static void visit_from_sendmail(struct proof *proof, const struct target *target)
{
    struct slice user = doctor_sendmail_option(proof->cf, "RunAsUser");
    struct visitor visitor = {.uid = 0};
    struct socketname name;
    user.n = user.n > 0 ? str_item(user, ":.") : 0;
    const char *owner = arena_dup_slice(proof->arena, user);
    if (owner != NULL && owner[0] != '\0' && !find_user(owner, &visitor)) {
        proof_error(proof, "sendmail.cf: RunAsUser = %s: there is no such user on this host",
                    owner);
        return;
    }
    if (socketname_parse(proof->input.socket, &name))
        visitor.path = visitor.seen = name.path;
    visit_as(proof, "Sendmail", &visitor, target);
}

void proof_sockets(struct proof *proof)
{
    struct target target;
    if (!find_target(proof, &target))
        return;
    if (proof->mta == MAPS_SENDMAIL)
        visit_from_sendmail(proof, &target);
    else
        visit_from_postfix(proof, &target);
}
