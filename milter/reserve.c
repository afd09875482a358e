#include "milter/reserve.h"

#include <fcntl.h>
#include <unistd.h>

void reserve_init(struct reserve *reserve)
{
    for (size_t i = 0; i < RESERVE_N; i++)
        reserve->fds[i] = -1;
}

void reserve_fill(struct reserve *reserve, int like)
{
    for (size_t i = 0; i < RESERVE_N; i++)
        if (reserve->fds[i] < 0)
            reserve->fds[i] = fcntl(like, F_DUPFD_CLOEXEC, 0);
}

bool reserve_give_up(struct reserve *reserve)
{
    for (size_t i = 0; i < RESERVE_N; i++) {
        if (reserve->fds[i] < 0)
            continue;
        close(reserve->fds[i]);
        reserve->fds[i] = -1;
        return true;
    }
    return false;
}
