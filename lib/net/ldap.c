/*
 * ldap.c - see ldap.h.
 */
#include "lib/net/ldap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWORD_MAX 1024

static const char *const ldap_scope_words[] = {"base", "one", "sub", NULL};
static const char *const ldap_error_words[] = {"tempfail", "accept", NULL};

#define KEY_STRUCT struct ldap_keys
const struct key_row ldap_rows[] = {
#include "lib/base/key_rows.h"
#include "lib/net/ldap.def"
#include "lib/base/key_end.h"
};
#undef KEY_STRUCT

const size_t ldap_nrows = ARRAY_LEN(ldap_rows);

/* --- words of answers ------------------------------------------------------------------ */

static const char *const class_words[] = {
    [DIRECTORY_MATCH] = "match", [DIRECTORY_NO_MATCH] = "nomatch", [DIRECTORY_ERROR] = "error"};

const char *ldap_class_name(enum directory_class class)
{
    return class_words[class];
}

bool ldap_class_by_name(const char *name, enum directory_class *class_out)
{
    size_t i = 0;
    while (i < ARRAY_LEN(class_words) && strcmp(name, class_words[i]) != 0)
        i++;
    if (i < ARRAY_LEN(class_words))
        *class_out = (enum directory_class)i;
    return i < ARRAY_LEN(class_words);
}

/* --- the password -------------------------------------------------------------------- */

static const char *read_first_line(int fd, const char *path, struct arena *arena, struct err *err)
{
    char text[PASSWORD_MAX + 2];
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err_set(err, ERR_SYSTEM, "%s is no ordinary file", path);
        return NULL;
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        err_set(err, ERR_RANGE, "%s is open to others than its owner; allowed: mode 0600 or 0400",
                path);
        return NULL;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n < 0) {
        err_system(err, errno, "cannot read %s", path);
        return NULL;
    }
    text[n] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    const char *password = NULL;
    if (text[0] == '\0' || strlen(text) > PASSWORD_MAX)
        err_set(err, ERR_RANGE, "the first line of %s must be 1..%d bytes", path, PASSWORD_MAX);
    else if ((password = arena_dup(arena, text)) == NULL)
        err_set(err, ERR_MEMORY, "out of memory");
    explicit_bzero(text, sizeof text);
    return password;
}

const char *ldap_password(const struct ldap_keys *keys, struct arena *arena, struct err *err)
{
    const char *path = keys->bind_password_file;

    if (path[0] == '\0')
        return keys->bind_password;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        err_system(err, errno, "cannot open %s", path);
        return NULL;
    }
    const char *password = read_first_line(fd, path, arena, err);
    (void)close(fd);
    return password;
}
