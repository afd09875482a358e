#include "milter/packet.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MACROS 'D'
#define RECEIVE_ERROR 4 /* libmilter's SMFIC_RECVERR */

typedef char *reader(int fd, struct timeval *timeout, char *command, size_t *n, char *name);

static reader *libmilters;
static pthread_once_t found = PTHREAD_ONCE_INIT;

static void find_libmilters(void)
{
    void *symbol = dlsym(RTLD_NEXT, "mi_rd_cmd");
    memcpy(&libmilters, &symbol, sizeof libmilters);
}

bool packet_has_pairs(const char *data, size_t n)
{
    size_t strings = 0;

    if (n == 0 || (n > 1 && data[n - 1] != '\0'))
        return false;
    for (size_t i = 1; i < n; i++)
        strings += data[i] == '\0';
    return strings % 2 == 0;
}

char *mi_rd_cmd(int fd, struct timeval *timeout, char *command, size_t *n, char *name)
{
    pthread_once(&found, find_libmilters);
    char *data = libmilters != NULL ? libmilters(fd, timeout, command, n, name) : NULL;

    if (libmilters != NULL && (*command != MACROS || (data != NULL && packet_has_pairs(data, *n))))
        return data;
    free(data);
    *command = RECEIVE_ERROR;
    return NULL;
}
