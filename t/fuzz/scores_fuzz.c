/*
 * scores_fuzz.c - files of reputation scores.
 *
 * The bytes are a file. One that loads answers for every address, with scores
 * inside the range; one that does not has told why.
 */
#include "lib/net/scores.h"
#include "t/fuzz/table_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct scores *scores, const char *text)
{
    struct ip ip;
    double score = 0;
    CHECK(ip_parse(slice_of(text), &ip));
    if (scores_get(scores, &ip, &score))
        CHECK(scores_count(scores) > 0 && score >= -10.0 && score <= 10.0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct table_memory file;
    struct problems problems;
    problems_init(&problems);
    table_memory_new(&file, data, size);
    struct scores *scores = scores_load(file.path, (struct place){.file = "conf"}, &problems);
    CHECK((scores == NULL) == (problems_errors(&problems) > 0));
    if (scores != NULL) {
        check(scores, "0.0.0.0");
        check(scores, "192.0.2.1");
        check(scores, "255.255.255.255");
        check(scores, "::");
        check(scores, "2001:db8::1");
        check(scores, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    }
    scores_free(scores);
    table_memory_done(&file);
    problems_done(&problems);
    return 0;
}
