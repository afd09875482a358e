/* doctor_test.c - what the doctor makes of odd texts; t/real/doctor.t has the usual ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "lib/mta/doctor.h"
#include "t/unit/mta/tables.h"

static void test_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"30s", 30},   {"30", 30}, {"2m", 120}, {"1h", 3600},
                 {"1d", 86400}, {"0s", 0},  {"", 0},     {"s", 0},
                 {"x", 0},      {"-1s", 0}, {"1w", 0},   {"100000", 100000},
                 {"100001", 0}, {"1 s", 0}, {"1ms", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(doctor_seconds(slice_of(cases[i].text)), cases[i].seconds);
}

static void test_nothing_there(void **state)
{
    (void)state;
    struct scene scene;
    struct doctor_postfix found = {"", "", ""};
    scene_new(&scene);
    scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
    doctor_postfix(&scene.input, "/maps", &found, &scene.problems);
    assert_string_equal(scene_problems(&scene),
                        "master.cf: no smtpd service: Postfix takes no mail\n"
                        "main.cf: transport_maps does not use /maps/transport\n"
                        "main.cf: relay_domains does not use /maps/relay_domains\n");
    scene_done(&scene);
    scene_new(&scene);
    doctor_sendmail(&scene.input, "/maps", "", &scene.problems);
    assert_int_equal(problems_errors(&scene.problems), 7);
    scene_done(&scene);
}

/* Lines without their ends, values without their names. */
static void test_broken_texts(void **state)
{
    (void)state;
    static const char *const texts[] = {"smtpd_milters",
                                        "smtpd_milters =",
                                        "=",
                                        " = ",
                                        "smtp inet",
                                        "smtp inet n - n - - smtpd",
                                        "{ , }",
                                        "X",
                                        "Xa",
                                        "X, S=unix:/run/gatehouse/milter.sock, T=",
                                        "Xa, S=unix:/run/gatehouse/milter.sock, T=R:",
                                        "Cw",
                                        "Cw ",
                                        "\n\n",
                                        "M,"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct scene scene;
        scene_new(&scene);
        scene_listener(&scene, "in", "", "ACCEPTED", "a.example ACCEPT\n");
        struct doctor_postfix found = {texts[i], texts[i], texts[i]};
        doctor_postfix(&scene.input, "/maps", &found, &scene.problems);
        doctor_sendmail(&scene.input, "/maps", texts[i], &scene.problems);
        assert_true(problems_errors(&scene.problems) > 0);
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_broken_texts),
    };
    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
