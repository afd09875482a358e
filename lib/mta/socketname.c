#include "lib/mta/socketname.h"

#include <string.h>

/* PORT or PORT@HOST; a socket bound to every address is met on loopback. */
static bool parse_inet(const char *where, bool v6, struct socketname *name_out)
{
    const char *at = strchr(where, '@');
    struct slice port = {where, at != NULL ? (size_t)(at - where) : strlen(where)};
    struct slice host = slice_of(at != NULL ? at + 1 : "");
    uint64_t number;
    if (!str_to_uint(port, 65535, &number) || number == 0)
        return false;
    if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = (struct slice){host.p + 1, host.n - 2};
    bool any = host.n == 0 || slice_is(host, "0.0.0.0") || slice_is(host, "::");
    if (any)
        host = slice_of(v6 ? "::1" : "127.0.0.1");
    *name_out = (struct socketname){.host = host, .port = (unsigned)number, .v6 = v6, .any = any};
    return true;
}

static bool parse_unix(const char *path, struct socketname *name_out)
{
    *name_out = (struct socketname){.path = path};
    return path[0] == '/';
}

bool socketname_parse(const char *text, struct socketname *name_out)
{
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, name_out);
    if (strncmp(text, "local:", 6) == 0)
        return parse_unix(text + 6, name_out);
    if (strncmp(text, "inet:", 5) == 0)
        return parse_inet(text + 5, false, name_out);
    if (strncmp(text, "inet6:", 6) == 0)
        return parse_inet(text + 6, true, name_out);
    return parse_unix(text, name_out);
}
