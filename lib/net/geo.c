/*
 * geo.c - see geo.h.
 */
#include "lib/net/geo.h"

#ifdef HAVE_MAXMINDDB

#include <maxminddb.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/regular.h"
#include "lib/base/str.h"

struct geo {
    MMDB_s db;
};

bool geo_supported(void)
{
    return true;
}

struct geo *geo_open(const char *path, struct err *err)
{
    struct geo *geo = calloc(1, sizeof *geo);

    if (geo == NULL) {
        err_set(err, ERR_MEMORY, "out of memory");
        return NULL;
    }
    /* Its own message would not say why, and it would wait for the writer of a FIFO. */
    if (access(path, R_OK) != 0 ? !err_system(err, errno, "cannot read %s", path)
                                : !regular_check(path, err)) {
        free(geo);
        return NULL;
    }
    int status = MMDB_open(path, MMDB_MODE_MMAP, &geo->db);
    if (status == MMDB_SUCCESS)
        return geo;
    err_set(err, ERR_SYSTEM, "%s: %s", path, MMDB_strerror(status));
    free(geo);
    return NULL;
}

void geo_close(struct geo *geo)
{
    if (geo == NULL)
        return;
    MMDB_close(&geo->db);
    free(geo);
}

int64_t geo_made(const struct geo *geo)
{
    uint64_t made = geo->db.metadata.build_epoch;
    return made < INT64_MAX ? (int64_t)made : INT64_MAX;
}

/* The entry of the most specific network with the address. */
static enum lookup_outcome find(const struct geo *geo, const struct ip *ip,
                                MMDB_lookup_result_s *found_out)
{
    struct sockaddr_storage ss;
    int status = MMDB_SUCCESS;

    if (!ip_is_v4(ip) && geo->db.metadata.ip_version == 4)
        return LOOKUP_NONE;
    (void)ip_to_sockaddr(ip, 0, &ss);
    *found_out =
        MMDB_lookup_sockaddr(&geo->db, (const struct sockaddr *)(const void *)&ss, &status);
    if (status != MMDB_SUCCESS)
        return LOOKUP_FAILED;
    return found_out->found_entry ? LOOKUP_FOUND : LOOKUP_NONE;
}

/* The value under a path of keys, which must have that type. */
static enum lookup_outcome value_at(MMDB_lookup_result_s *found, const char *const *path,
                                    uint32_t type, MMDB_entry_data_s *data_out)
{
    int status = MMDB_aget_value(&found->entry, data_out, path);

    if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR ||
        (status == MMDB_SUCCESS && !data_out->has_data))
        return LOOKUP_NONE;
    return status == MMDB_SUCCESS && data_out->type == type ? LOOKUP_FOUND : LOOKUP_FAILED;
}

enum lookup_outcome geo_owner(const struct geo *geo, const struct ip *ip, uint32_t *owner_out)
{
    static const char *const path[] = {"autonomous_system_number", NULL};
    MMDB_lookup_result_s found;
    MMDB_entry_data_s data;
    enum lookup_outcome outcome = find(geo, ip, &found);

    if (outcome == LOOKUP_FOUND)
        outcome = value_at(&found, path, MMDB_DATA_TYPE_UINT32, &data);
    if (outcome != LOOKUP_FOUND)
        return outcome;
    *owner_out = data.uint32;
    return data.uint32 != 0 ? LOOKUP_FOUND : LOOKUP_NONE;
}

static enum lookup_outcome read_country(MMDB_lookup_result_s *found, const char *where,
                                        char country_out[3])
{
    const char *const path[] = {where, "iso_code", NULL};
    MMDB_entry_data_s data;
    enum lookup_outcome outcome = value_at(found, path, MMDB_DATA_TYPE_UTF8_STRING, &data);

    if (outcome != LOOKUP_FOUND)
        return outcome;
    if (data.data_size != 2 || !ascii_is_alpha(data.utf8_string[0]) ||
        !ascii_is_alpha(data.utf8_string[1]))
        return LOOKUP_FAILED;
    for (size_t i = 0; i < 2; i++)
        country_out[i] = (char)(data.utf8_string[i] & ~0x20);
    country_out[2] = '\0';
    return LOOKUP_FOUND;
}

enum lookup_outcome geo_country(const struct geo *geo, const struct ip *ip, char country_out[3])
{
    MMDB_lookup_result_s found;
    enum lookup_outcome outcome = find(geo, ip, &found);

    if (outcome == LOOKUP_FOUND) {
        outcome = read_country(&found, "country", country_out);
        if (outcome == LOOKUP_NONE)
            outcome = read_country(&found, "registered_country", country_out);
    }
    return outcome;
}

#else

bool geo_supported(void)
{
    return false;
}

struct geo *geo_open(const char *path, struct err *err)
{
    err_set(err, ERR_SYSTEM, "%s: this gatehouse was built without libmaxminddb", path);
    return NULL;
}

void geo_close(struct geo *geo)
{
    (void)geo;
}

int64_t geo_made(const struct geo *geo)
{
    (void)geo;
    return 0;
}

enum lookup_outcome geo_owner(const struct geo *geo, const struct ip *ip, uint32_t *owner_out)
{
    (void)geo;
    (void)ip;
    (void)owner_out;
    return LOOKUP_NONE;
}

enum lookup_outcome geo_country(const struct geo *geo, const struct ip *ip, char country_out[3])
{
    (void)geo;
    (void)ip;
    (void)country_out;
    return LOOKUP_NONE;
}

#endif
