/*
 * callahead_state_fuzz.c - the file of what call-ahead remembers. It is ours
 * and has a checksum, but the disk is not ours alone. What is read is taken up
 * as at a start, and looked for.
 */
#include "lib/net/callahead_state.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW MONO_SECONDS(100000)

struct reading {
    struct trust *trust;
    bool profile;
};

static bool take_saved(int64_t seconds, uint64_t key_id, void *arg)
{
    (void)key_id;
    (void)arg;
    CHECK(seconds >= 0);
    return true;
}

static void take_profile(const struct memory_name *name, mono_us known, void *arg)
{
    struct reading *reading = arg;
    CHECK(name->entries >= 1 && name->entries <= 1000000);
    CHECK(name->name[0] != '\0' && strchr(name->name, '\n') == NULL);
    CHECK(known >= 0 && known <= MONO_SECONDS(STATE_OLDEST));
    reading->profile = true;
}

static void take_domain(struct slice name, bool catch_all, int64_t probed, void *arg)
{
    struct reading *reading = arg;
    CHECK(reading->profile && name.n > 0 && probed >= 0);
    domains_restore(trust_domains(reading->trust), name, catch_all, MONO_SECONDS(probed), NOW);
    CHECK(domains_is_catch_all(trust_domains(reading->trust), name, MONO_SECONDS(probed)) ==
          catch_all);
}

static void take_entry(const struct trust_entry *entry, void *arg)
{
    struct reading *reading = arg;
    CHECK(reading->profile);
    CHECK(entry->class == CALLAHEAD_VALID || entry->class == CALLAHEAD_USER_UNKNOWN);
    CHECK(!entry->known_good || entry->class == CALLAHEAD_VALID);
    CHECK(entry->recipient.n >= 2 && memcmp(entry->recipient.p, "*@", 2) == 0);
    CHECK(entry->learned >= 0 && entry->expires >= entry->learned);
    trust_restore(reading->trust, entry, MONO_SECONDS(1), NOW);
}

static bool forget_one(const struct trust_entry *entry, void *arg)
{
    (void)arg;
    CHECK(entry->recipient.n >= 2 && strlen(entry->server) < TRUST_SERVER_MAX);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct trust_seeds seeds = {{1, 2}, {3, 4}};
    struct reading reading = {.trust = trust_new(100, &seeds)};
    const struct state_reader reader = {take_saved, take_profile, take_domain, take_entry,
                                        &reading};
    char *text = malloc(size + 1);

    CHECK(text && reading.trust);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (state_parse(text, &reader))
        CHECK(size > 0);
    trust_each(reading.trust, NOW, forget_one, NULL);
    trust_free(reading.trust);
    free(text);
    return 0;
}
