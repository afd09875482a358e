/* stdfds.c - see stdfds.h. */
#include "lib/base/stdfds.h"

#include <fcntl.h>
#include <unistd.h>

bool stdfds_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int wrong_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        /* open() gives the lowest that is free. */
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", wrong_way) != fd)
            return false;
    }
    return true;
}
