/* ownip.c - see ownip.h. */
#include "lib/net/ownip.h"

#include <ifaddrs.h>
#include <pthread.h>

struct list {
    size_t n;
    struct ip ip[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list *current; /* owned; NULL: not read yet */
static mono_us read_at;

static size_t count_all(const struct ifaddrs *all)
{
    size_t n = 0;
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
        n++;
    return n;
}

/* NULL: cannot be read now. */
static struct list *read_interfaces(void)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return NULL;
    struct list *list = malloc(sizeof *list + count_all(all) * sizeof(struct ip));
    if (list != NULL) {
        list->n = 0;
        for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
            if (one->ifa_addr != NULL && ip_from_sockaddr(one->ifa_addr, &list->ip[list->n]))
                list->n++;
        }
    }
    freeifaddrs(all);
    return list;
}

/* One thread reads again while the others go on with the old list; only before
 * there is any does each read for itself. */
static bool must_read(mono_us now)
{
    pthread_mutex_lock(&lock);
    bool old = current == NULL || now - read_at >= OWNIP_LIFE;
    if (old)
        read_at = now;
    pthread_mutex_unlock(&lock);
    return old;
}

static void replace(struct list *fresh)
{
    pthread_mutex_lock(&lock);
    struct list *old = current;
    current = fresh;
    pthread_mutex_unlock(&lock);
    free(old);
}

bool ownip_has(const struct ip *ip)
{
    struct ip v4;
    bool found = false, has_v4 = ip_embedded_v4(ip, &v4);
    if (must_read(mono_now())) {
        struct list *fresh = read_interfaces();
        if (fresh != NULL)
            replace(fresh);
    }
    pthread_mutex_lock(&lock);
    for (size_t i = 0; current != NULL && i < current->n && !found; i++)
        found = ip_equal(&current->ip[i], ip) || (has_v4 && ip_equal(&current->ip[i], &v4));
    pthread_mutex_unlock(&lock);
    return found;
}
