/* gatehoused - the milter daemon: gatehoused [-c FILE] [-D|-f] */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/stdfds.h"
#include "milter/daemon.h"
#include "milter/engine.h"
#include "milter/version.h"

#define DEFAULT_FILE HOUSE_SYSCONFDIR "/gatehouse/gatehouse.conf"

#define USAGE "usage: gatehoused [-c FILE] [-D|-f]\n"

static int help(void)
{
    return printf(USAGE "  -c FILE     configuration (default " DEFAULT_FILE ")\n"
                        "  -D          stay in the foreground, for a service manager\n"
                        "  -f          stay in the foreground and log to stderr\n"
                        "  -h, --help  print this\n"
                        "  -V, --version\n"
                        "              print the version, and what it was built with\n") < 0 ||
           fflush(stdout) != 0;
}

static int wrong(void)
{
    fputs(USAGE, stderr);
    return 2;
}

/* The daemon leaves its folder, and reads the file again at every reload. Links
 * in its name are not resolved: where they lead may be another place by then. */
static const char *absolute(const char *file, char room[PATH_MAX])
{
    char folder[PATH_MAX];

    if (file[0] == '/' || getcwd(folder, sizeof folder) == NULL)
        return file;
    int n = snprintf(room, PATH_MAX, "%s/%s", folder, file);
    return n > 0 && n < PATH_MAX ? room : file; /* opening it will say what is wrong */
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    const char *file = DEFAULT_FILE;
    char room[PATH_MAX];
    enum daemon_place place = DAEMON_BACKGROUND;
    int option;

    if (!stdfds_fill())
        return EX_OSERR;
    while ((option = getopt_long(argc, argv, "c:DfhV", options, NULL)) != -1) {
        if (option == 'c')
            file = optarg;
        else if (option == 'D')
            place = DAEMON_FOREGROUND;
        else if (option == 'f')
            place = DAEMON_TERMINAL;
        else if (option == 'V')
            return !version_print("gatehoused") || fflush(stdout) != 0;
        else
            return option == 'h' ? help() : wrong();
    }
    if (optind != argc)
        return wrong();
    engine_setup();
    return daemon_main(absolute(file, room), place);
}
