/* interpose.c - see interpose.h. */
#include "milter/interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "milter/packet.h"
#include "milter/shortage.h"
#include "milter/turnaway.h"
#include "milter/workers.h"

#define MACROS 'D'
#define RECEIVE_ERROR 4 /* libmilter's SMFIC_RECVERR */
#define OUT_OF_DESCRIPTORS_PAUSE_MS 50
#define HELD_BACK_MIN 8
#define HELD_BACK_MAX 256

typedef int creator(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                    void *arg);
typedef int detacher(pthread_t thread);
typedef int acceptor(int fd, struct sockaddr *address, socklen_t *n);
typedef char *reader(int fd, struct timeval *timeout, char *command, size_t *n, char *name);

/* What they hide, and where libmilter is. */
static struct {
    creator *create;
    detacher *detach;
    acceptor *accept;
    reader *read_command;
    const void *libmilter; /* where it was loaded; NULL: nowhere, or into the program itself */
    bool pool;             /* it has a pool of workers */
} hidden;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Pointers to functions and to data do not convert. */
static void find(const char *name, void *function_out)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function_out, &symbol, sizeof symbol);
}

static const void *place_of(const void *symbol)
{
    Dl_info info;
    return symbol != NULL && dladdr(symbol, &info) != 0 ? info.dli_fbase : NULL;
}

static void find_hidden(void)
{
    find("pthread_create", &hidden.create);
    find("pthread_detach", &hidden.detach);
    find("accept", &hidden.accept);
    find("mi_rd_cmd", &hidden.read_command);
    const void *libmilter = place_of(dlsym(RTLD_DEFAULT, "smfi_main"));
    if (libmilter != place_of(&hidden))
        hidden.libmilter = libmilter;
    hidden.pool = dlsym(RTLD_DEFAULT, "mi_pool_controller_init") != NULL;
}

/* --- signals -------------------------------------------------------------------- */

/* The thread it runs in has all signals blocked. */
int sigwait(const sigset_t *set, int *number_out)
{
    (void)set;
    (void)number_out;
    for (;;)
        (void)pause();
}

/* --- packets -------------------------------------------------------------------- */

/* Signature and meaning are libmilter's: the data, owned by the caller, and the command;
 * NULL and an error's number below 'A' in place of the command. */
char *mi_rd_cmd(int fd, struct timeval *timeout, char *command, size_t *n, char *name);

char *mi_rd_cmd(int fd, struct timeval *timeout, char *command, size_t *n, char *name)
{
    pthread_once(&once, find_hidden);
    reader *read_command = hidden.read_command;
    char *data = read_command != NULL ? read_command(fd, timeout, command, n, name) : NULL;

    if (read_command != NULL &&
        (*command != MACROS || (data != NULL && packet_has_pairs(data, *n))))
        return data;
    free(data);
    *command = RECEIVE_ERROR;
    return NULL;
}

/* --- threads -------------------------------------------------------------------- */

/* While libmilter's worker is called in a thread that goes on to other things. */
static _Thread_local bool parking;

/* Is that a session for a worker of libmilter's pool? */
static bool is_worker(void *(*start)(void *), const void *arg)
{
    const void *code = NULL;
    memcpy(&code, &start, sizeof code);
    return arg != NULL && hidden.pool && hidden.libmilter != NULL &&
           place_of(code) == hidden.libmilter;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *arg)
{
    pthread_once(&once, find_hidden);
    int sys = hidden.create(thread, attributes, start, arg);
    if (sys == 0 || !is_worker(start, arg))
        return sys;
    shortage_note(SHORT_OF_THREADS);
    if (workers_lend(start, arg))
        return 0;
    parking = true;
    (void)start(arg);
    parking = false;
    return 0;
}

int pthread_detach(pthread_t thread)
{
    pthread_once(&once, find_hidden);
    if (parking)
        return EINVAL;
    return workers_is_spare() ? 0 : hidden.detach(thread);
}

/* --- descriptors ---------------------------------------------------------------- */

unsigned long interpose_held_back(unsigned long limit)
{
    unsigned long quarter = limit / 4;
    if (quarter > HELD_BACK_MAX)
        return HELD_BACK_MAX;
    return quarter < HELD_BACK_MIN ? HELD_BACK_MIN : quarter;
}

/* The limit may change while the program runs. */
static bool is_held_back(int fd)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           (unsigned long)fd + interpose_held_back(limit.rlim_cur) >= limit.rlim_cur;
}

/* Is that our own connection, which has ended and only wakes libmilter (wake.h)? */
static bool has_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool is_shortage(int sys)
{
    return sys == EMFILE || sys == ENFILE || sys == ENOBUFS || sys == ENOMEM;
}

/* accept() of the C library is declared with arguments of its own kind. */
int interposed_accept(int listener, struct sockaddr *address, socklen_t *n) __asm__("accept");

int interposed_accept(int listener, struct sockaddr *address, socklen_t *n)
{
    pthread_once(&once, find_hidden);
    int fd = hidden.accept(listener, address, n);
    int sys = errno;

    if (fd < 0 && is_shortage(sys)) {
        shortage_note(SHORT_OF_DESCRIPTORS);
        (void)poll(NULL, 0, OUT_OF_DESCRIPTORS_PAUSE_MS);
    } else if (fd >= 0 && is_held_back(fd) && !has_ended(fd)) {
        turnaway_take(fd);
        fd = -1;
        sys = ECONNABORTED;
    }
    errno = sys;
    return fd;
}

/* --- log ------------------------------------------------------------------------ */

static enum log_level level_of(int priority)
{
    switch (LOG_PRI(priority)) {
    case LOG_DEBUG:
        return LOG_AT_DEBUG;
    case LOG_INFO:
    case LOG_NOTICE:
        return LOG_AT_INFO;
    case LOG_WARNING:
        return LOG_AT_WARNING;
    default:
        return LOG_AT_ERROR;
    }
}

static void PRINTF_LIKE(2, 0) say(int priority, const char *fmt, va_list ap)
{
    char text[LOG_NOTE_MAX];

    if (parking) /* it says for each session what shortage_tick() says once a minute */
        return;
    if (vsnprintf(text, sizeof text, fmt, ap) >= 0)
        log_note(level_of(priority), "libmilter", "%s", text);
}

/* Declared like this, they do not meet what headers make of syslog(). */
void plain_syslog(int priority, const char *fmt, ...) __asm__("syslog") PRINTF_LIKE(2, 3);
void checked_syslog(int priority, int flag, const char *fmt, ...) __asm__("__syslog_chk")
    PRINTF_LIKE(3, 4);

void plain_syslog(int priority, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say(priority, fmt, ap);
    va_end(ap);
}

/* The same, for what was compiled with checks of the format. */
void checked_syslog(int priority, int flag, const char *fmt, ...)
{
    va_list ap;
    (void)flag;
    va_start(ap, fmt);
    say(priority, fmt, ap);
    va_end(ap);
}

/* --- in effect? ------------------------------------------------------------------- */

bool interpose_check(struct err *err)
{
    static const char *const names[] = {"sigwait",        "mi_rd_cmd", "pthread_create",
                                        "pthread_detach", "accept",    "__syslog_chk"};

    pthread_once(&once, find_hidden);
    if (hidden.libmilter == NULL || hidden.create == NULL || hidden.detach == NULL ||
        hidden.accept == NULL || hidden.read_command == NULL)
        return err_set(err, ERR_SYSTEM, "libmilter is not the shared library it should be");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (place_of(dlsym(RTLD_DEFAULT, names[i])) != place_of(&hidden))
            return err_set(err, ERR_SYSTEM,
                           "libmilter would not call this program's own %s(), but that of a "
                           "library which comes before it",
                           names[i]);
    return true;
}
