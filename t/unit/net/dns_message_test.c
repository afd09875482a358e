/* dns_message_test.c - DNS replies byte by byte, good and hostile ones. */
#include "lib/net/dns_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "t/unit/dice.h"
#include "lib/base/domain.h"
#include "lib/net/dns_answer.h"

/* --- a message, built piece by piece -------------------------------------- */

enum { A = 1, NS = 2, CNAME = 5, SOA = 6, PTR = 12, MX = 15, TXT = 16, AAAA = 28 };

struct message {
    uint8_t b[20000];
    size_t n;
};

static void add(struct message *m, const void *bytes, size_t n)
{
    assert_true(m->n + n <= sizeof m->b);
    memcpy(m->b + m->n, bytes, n);
    m->n += n;
}

static void add16(struct message *m, unsigned value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    add(m, bytes, 2);
}

static void add32(struct message *m, uint32_t value)
{
    add16(m, value >> 16);
    add16(m, value & 0xffff);
}

/* "a.b", "" for the root; "@12" is a pointer to offset 12, "a.@12" ends in one. */
static void add_name(struct message *m, const char *name)
{
    while (*name != '\0') {
        uint8_t length = (uint8_t)strcspn(name, ".");
        if (*name == '@') {
            add16(m, 0xc000u | (unsigned)strtoul(name + 1, NULL, 10));
            return;
        }
        add(m, &length, 1);
        add(m, name, length);
        name += length + (name[length] == '.');
    }
    add(m, "", 1);
}

static void add_count(struct message *m, size_t section)
{
    unsigned count = (unsigned)m->b[4 + 2 * section] << 8 | m->b[5 + 2 * section];
    count++;
    m->b[4 + 2 * section] = (uint8_t)(count >> 8);
    m->b[5 + 2 * section] = (uint8_t)count;
}

static void begin(struct message *m, unsigned flags, const char *name)
{
    m->n = 0;
    add16(m, 4711);
    add16(m, 0x8180 | flags);
    add16(m, 1);
    add16(m, 0);
    add16(m, 0);
    add16(m, 0);
    add_name(m, name);
    add16(m, A);
    add16(m, 1);
}

static void add_record(struct message *m, size_t section, const char *owner, unsigned type,
                       uint32_t ttl, const void *data, size_t n)
{
    add_count(m, section);
    add_name(m, owner);
    add16(m, type);
    add16(m, 1);
    add32(m, ttl);
    add16(m, (unsigned)n);
    add(m, data, n);
}

static void add_a(struct message *m, const char *owner, uint32_t ttl, uint8_t last)
{
    const uint8_t ip[] = {192, 0, 2, last};
    add_record(m, 1, owner, A, ttl, ip, 4);
}

/* A record whose data ends in a name. */
static void add_host(struct message *m, const char *owner, unsigned type, uint32_t ttl, int mx,
                     const char *host)
{
    struct message data = {.n = 0};
    if (mx >= 0)
        add16(&data, (unsigned)mx);
    add_name(&data, host);
    add_record(m, 1, owner, type, ttl, data.b, data.n);
}

static void add_soa(struct message *m, uint32_t ttl, uint32_t minimum)
{
    struct message data = {.n = 0};
    add_name(&data, "ns.example");
    add_name(&data, "root.example");
    for (uint32_t i = 1; i <= 4; i++)
        add32(&data, i);
    add32(&data, minimum);
    add_record(m, 2, "example", SOA, ttl, data.b, data.n);
}

/* --- reading it ----------------------------------------------------------- */

static struct dns_verdict verdict;
static bool cut;

/* "found record record", as dns_test.c does; the message in a block of its own
 * size, so that AddressSanitizer sees a byte too far. */
static const char *read_bytes(const uint8_t *bytes, size_t n, enum dns_type type, const char *name)
{
    static char text[30000];
    static const char *const outcomes[] = {"found", "nxdomain", "nodata", "servfail", "timeout"};
    struct strbuf packed;
    uint8_t *copy = malloc(n + (n == 0));
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    strbuf_init(&packed);
    verdict = dns_message_read(copy, n, type, name, &packed);
    free(copy);
    struct dns_answer *answer = dns_unpack((struct slice){packed.p, packed.n}, type, false);
    assert_non_null(answer);
    assert_int_equal(answer->outcome, verdict.outcome);
    assert_int_equal(answer->n > 0, verdict.outcome == DNS_FOUND);
    cut = answer->cut;
    size_t at = (size_t)snprintf(text, sizeof text, "%s", outcomes[answer->outcome]);
    for (size_t i = 0; i < answer->n; i++) {
        const struct dns_record *r = &answer->records[i];
        char ip[IP_TEXT_MAX];
        bool address = type == DNS_A || type == DNS_AAAA;
        at += (size_t)snprintf(text + at, sizeof text - at, type == DNS_MX ? " %u:" : " ",
                               r->preference);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s",
                               address           ? ip_text(&r->ip, ip)
                               : type == DNS_TXT ? r->text
                                                 : r->name);
    }
    free(answer);
    strbuf_done(&packed);
    return text;
}

static const char *read(const struct message *m, enum dns_type type, const char *name)
{
    return read_bytes(m->b, m->n, type, name);
}

static void test_addresses(void **state)
{
    (void)state;
    struct message m;
    begin(&m, 0, "a.example");
    add_a(&m, "A.Example", 300, 1);
    add_a(&m, "@12", 200, 2);
    add_a(&m, "b.example", 1, 3);                      /* not asked for */
    add_record(&m, 1, "@12", A, 9, "\x0a\0\0\1\2", 5); /* no address */
    add_record(&m, 1, "@12", AAAA, 9, "0123456789abcdef", 16);
    assert_string_equal(read(&m, DNS_A, "a.example"), "found 192.0.2.1 192.0.2.2");
    assert_true(verdict.has_ttl);
    assert_int_equal(verdict.ttl, 9);
    assert_string_equal(read(&m, DNS_AAAA, "a.example"),
                        "found 3031:3233:3435:3637:3839:6162:6364:6566");
    assert_string_equal(read(&m, DNS_A, "c.example"), "nodata");

    m.b[m.n - 16 - 8] = 3; /* class CHAOS */
    m.b[m.n - 16 - 9] = 0;
    assert_string_equal(read(&m, DNS_AAAA, "a.example"), "nodata");
}

static void test_aliases(void **state)
{
    (void)state;
    struct message m;
    begin(&m, 0, "a.example"); /* in any order */
    add_a(&m, "c.example", 500, 1);
    add_host(&m, "b.example", CNAME, 40, -1, "C.example");
    add_host(&m, "@12", CNAME, 50, -1, "b.example");
    assert_string_equal(read(&m, DNS_A, "a.example"), "found 192.0.2.1");
    assert_int_equal(verdict.ttl, 40);
    assert_string_equal(read(&m, DNS_AAAA, "a.example"), "nodata");

    for (int links = DNS_CNAMES_MAX - 1; links <= DNS_CNAMES_MAX + 1; links++) {
        begin(&m, 0, "n0.example");
        for (int i = 0; i < links; i++) {
            char from[30], to[30];
            snprintf(from, sizeof from, "n%d.example", i);
            snprintf(to, sizeof to, "n%d.example", i + 1);
            add_host(&m, from, CNAME, 60, -1, to);
            if (i + 1 == links)
                add_a(&m, to, 60, 7);
        }
        assert_string_equal(read(&m, DNS_A, "n0.example"),
                            links <= DNS_CNAMES_MAX ? "found 192.0.2.7" : "servfail");
    }
    begin(&m, 0, "a.example");
    add_host(&m, "a.example", CNAME, 60, -1, "a.example");
    assert_string_equal(read(&m, DNS_A, "a.example"), "servfail");
}

static void test_mx(void **state)
{
    (void)state;
    struct message m;
    begin(&m, 0, "example");
    add_host(&m, "@12", MX, 60, 20, "b.@12");
    add_host(&m, "@12", MX, 60, 10, "z.example");
    add_host(&m, "@12", MX, 60, 20, "a.example");
    add_host(&m, "@12", MX, 60, 0, "");           /* no null MX beside others */
    add_host(&m, "@12", MX, 60, 0, "@20");        /* the same by a pointer */
    add_host(&m, "@12", MX, 60, 1, "-x.example"); /* no host name */
    add_record(&m, 1, "@12", MX, 60, "\0", 1);
    assert_string_equal(read(&m, DNS_MX, "example"),
                        "found 10:z.example 20:a.example 20:b.example");

    begin(&m, 0, "example");
    add_host(&m, "@12", MX, 60, 0, "");
    assert_string_equal(read(&m, DNS_MX, "example"), "found 0:");

    begin(&m, 0, "example");
    add_record(&m, 1, "@12", MX, 60, "\0\1\1a\0x", 6); /* something behind the name */
    assert_string_equal(read(&m, DNS_MX, "example"), "nodata");
    m.b[m.n - 1 - 6] = 0; /* no room for a name; the life counts all the same */
    assert_string_equal(read(&m, DNS_MX, "example"), "nodata");
    assert_int_equal(verdict.ttl, 60);
}

static void test_host_names_only(void **state)
{
    (void)state;
    struct message m;
    begin(&m, 0, "p.example");
    add_host(&m, "@12", PTR, 60, -1, "Mail_1.Example");
    add_host(&m, "@12", PTR, 60, -1,
             "b\xc3\xbc"
             "cher.example");
    add_host(&m, "@12", PTR, 60, -1, "a b.example");
    add_host(&m, "@12", PTR, 60, -1, "");
    add_host(&m, "@12", PTR, 60, -1, "xn--bcher-kva.example");
    add_record(&m, 1, "@12", PTR, 60, "\5a.b.c\7example", 15); /* dots in a label */
    add_record(&m, 1, "@12", PTR, 60, "\3a\0b\7example", 13);  /* NUL in a label */
    add_record(&m, 1, "@12", PTR, 60, "", 0);
    assert_string_equal(read(&m, DNS_PTR, "p.example"),
                        "found mail_1.example xn--bcher-kva.example");
}

static void test_texts(void **state)
{
    (void)state;
    char data[5 * 256];
    struct message m;
    begin(&m, 0, "t.example");
    add_record(&m, 1, "@12", TXT, 60, "\3one\1 \3two", 10);
    add_record(&m, 1, "@12", TXT, 60, "\7a\0\n\x7f\xe9\"\\", 8);
    add_record(&m, 1, "@12", TXT, 60, "\5four", 5); /* a byte short */
    add_record(&m, 1, "@12", TXT, 60, "", 0);
    assert_string_equal(read(&m, DNS_TXT, "t.example"), "found  a????\"\\ one two");

    for (size_t i = 0; i < 5; i++) {
        memset(data + i * 256, 'x', 256);
        data[i * 256] = (char)255;
    }
    begin(&m, 0, "t.example");
    add_record(&m, 1, "@12", TXT, 60, data, sizeof data);
    assert_int_equal(strlen(read(&m, DNS_TXT, "t.example")), strlen("found ") + DNS_TEXT_MAX - 1);
}

static void test_negative_answers(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        bool soa;
        uint32_t ttl, minimum;
        bool ns;
        const char *answer;
        int expected; /* -1: unknown */
    } rows[] = {
        {3, true, 100, 50, false, "nxdomain", 50},
        {3, true, 50, 100, false, "nxdomain", 50},
        {0, true, 7, 7, false, "nodata", 7},
        {0, true, 0x80000000u, 7, false, "nodata", 0}, /* RFC 2181 section 8 */
        {0, true, 7, 7, true, "nodata", 7},
        {0, false, 0, 0, false, "nodata", -1},
        {3, false, 0, 0, true, "nxdomain", -1},
        {0, false, 0, 0, true, "servfail", -1},      /* a referral */
        {0x400, false, 0, 0, true, "nodata", -1},    /* with authority */
        {0x200, false, 0, 0, false, "servfail", -1}, /* truncated */
        {1, true, 9, 9, false, "servfail", -1},
        {2, true, 9, 9, false, "servfail", -1},
        {4, true, 9, 9, false, "servfail", -1},
        {5, true, 9, 9, false, "servfail", -1},
        {15, true, 9, 9, false, "servfail", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message m;
        begin(&m, rows[i].flags, "a.example");
        if (rows[i].ns)
            add_record(&m, 2, "example", NS, 60, "\2ns\0", 4);
        if (rows[i].soa)
            add_soa(&m, rows[i].ttl, rows[i].minimum);
        assert_string_equal(read(&m, DNS_A, "a.example"), rows[i].answer);
        assert_int_equal(verdict.has_ttl ? (int)verdict.ttl : -1, rows[i].expected);
    }
    struct message m;
    for (int recursion = 0; recursion <= 1; recursion++) {
        begin(&m, 0x400, "a.example");
        add_host(&m, "@12", CNAME, 5, -1, "elsewhere.test");
        m.b[3] = recursion ? 0x80 : 0;
        assert_string_equal(read(&m, DNS_A, "a.example"), recursion ? "nodata" : "servfail");
    }
    begin(&m, 3, "a.example"); /* the alias may change sooner than the SOA says */
    add_host(&m, "@12", CNAME, 5, -1, "b.example");
    add_soa(&m, 50, 50);
    assert_string_equal(read(&m, DNS_A, "a.example"), "nxdomain");
    assert_int_equal(verdict.ttl, 5);
}

static void test_pointers(void **state)
{
    (void)state;
    struct message m;
    begin(&m, 0, "a.example");
    size_t here = m.n;
    char to[20];
    for (int ahead = 0; ahead <= 2; ahead++) { /* to itself, forward */
        m.n = here;
        m.b[7] = 0;
        snprintf(to, sizeof to, "@%zu", here + (size_t)ahead);
        add_a(&m, to, 60, 1);
        assert_string_equal(read(&m, DNS_A, "a.example"), "servfail");
    }
    begin(&m, 0, "a.example"); /* two that point at each other */
    add_a(&m, "@12", 60, 1);
    m.b[12] = 0xc0;
    m.b[13] = (uint8_t)here;
    assert_string_equal(read(&m, DNS_A, "a.example"), "servfail");

    begin(&m, 0, "a.example"); /* label types 01 and 10 do not exist */
    add_a(&m, "@12", 60, 1);
    m.b[here] = 0x80;
    assert_string_equal(read(&m, DNS_A, "a.example"), "servfail");

    /* A chain of pointers is fine as long as it goes backwards, but the name must
     * not grow beyond 255 bytes. */
    char label[64];
    memset(label, 'x', 63);
    label[63] = '\0';
    char name[300];
    for (int labels = 3; labels <= 4; labels++) {
        snprintf(name, sizeof name, labels == 3 ? "%s.%s.%s" : "%s.%s.%s.%s", label, label, label,
                 label);
        begin(&m, 0, "b");
        add_host(&m, "@12", PTR, 60, -1, name);
        assert_int_equal(strcmp(read(&m, DNS_PTR, "b"), "nodata") == 0, labels == 4);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct message m;
    for (unsigned n = DNS_RECORDS_MAX - 1; n <= DNS_RECORDS_MAX + 1; n++) {
        begin(&m, 0, "a.example");
        for (unsigned i = 0; i < n; i++)
            add_a(&m, "@12", 60, (uint8_t)i);
        const char *text = read(&m, DNS_A, "a.example");
        unsigned blanks = 0;
        for (const char *p = text; *p != '\0'; p++)
            blanks += *p == ' ';
        assert_int_equal(blanks, n < DNS_RECORDS_MAX ? n : DNS_RECORDS_MAX);
        assert_int_equal(cut, n > DNS_RECORDS_MAX);
    }
    for (unsigned n = DNS_WALK_MAX; n <= DNS_WALK_MAX + 1;
         n++) { /* else their order would decide */
        begin(&m, 0, "a.example");
        for (unsigned i = 0; i < n; i++)
            add_host(&m, "@12", PTR, 60, -1, "b.@14");
        assert_string_equal(read(&m, DNS_PTR, "a.example"),
                            n > DNS_WALK_MAX ? "servfail" : "found b.example");
    }
    for (unsigned others = DNS_WALK_MAX - 1; others <= DNS_WALK_MAX; others++) {
        begin(&m, 0, "a.example");
        for (unsigned i = 0; i < others; i++)
            add_a(&m, "b.example", 60, (uint8_t)i);
        add_a(&m, "a.example", 60, 7);
        assert_string_equal(read(&m, DNS_A, "a.example"),
                            others < DNS_WALK_MAX ? "found 192.0.2.7" : "servfail");
    }
}

/* --- order ---------------------------------------------------------------- */

#define SHUFFLED 120

static void shuffle(struct dice *dice, unsigned *numbers, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = dice_below(dice, (uint32_t)i);
        unsigned number = numbers[i - 1];
        numbers[i - 1] = numbers[j];
        numbers[j] = number;
    }
}

/* Record `number` of an answer: some stand there twice. */
static void add_numbered(struct message *m, enum dns_type type, unsigned number)
{
    char text[40];
    uint8_t ip[] = {192, 0, (uint8_t)(number / 100), (uint8_t)(number % 100)};
    number -= number % 7 == 0;
    snprintf(text, sizeof text, " Host%u.example", number);
    switch (type) {
    case DNS_A:
        add_record(m, 1, "@12", A, 60, ip, sizeof ip);
        break;
    case DNS_TXT:
        text[0] = (char)(strlen(text) - 1);
        add_record(m, 1, "@12", TXT, 60, text, strlen(text));
        break;
    case DNS_MX:
    case DNS_PTR:
    case DNS_AAAA:
        add_host(m, "@12", type == DNS_MX ? MX : PTR, 60, type == DNS_MX ? (int)(number % 3) : -1,
                 text + 1);
        break;
    }
}

/* However a server turns them round, the same records in the same order; addresses
 * stay as they came, unless some must go. */
static void test_order_of_records(void **state)
{
    (void)state;
    static const enum dns_type types[] = {DNS_PTR, DNS_TXT, DNS_MX, DNS_A};
    struct dice dice = dice_start(0);
    for (size_t k = 0; k < ARRAY_LEN(types); k++) {
        unsigned numbers[SHUFFLED];
        size_t n = types[k] == DNS_A ? SHUFFLED : 2 + dice_below(&dice, SHUFFLED - 2);
        char *first = NULL;
        for (unsigned i = 0; i < n; i++)
            numbers[i] = i;
        for (int round = 0; round < 50; round++) {
            struct message m;
            begin(&m, 0, "a.example");
            for (size_t i = 0; i < n; i++)
                add_numbered(&m, types[k], numbers[i]);
            const char *text = read(&m, types[k], "a.example");
            if (first == NULL)
                first = strdup(text);
            assert_string_equal(text, first);
            shuffle(&dice, numbers, n);
        }
        free(first);
    }
    struct message m;
    begin(&m, 0, "a.example");
    add_a(&m, "@12", 60, 9);
    add_a(&m, "@12", 60, 3);
    assert_string_equal(read(&m, DNS_A, "a.example"), "found 192.0.2.9 192.0.2.3");
}

/* RFC 2181 section 10.1: which of two aliases is followed would be chance. */
static void test_two_aliases(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second, *expected;
    } rows[] = {{"b.example", "c.example", "servfail"},
                {"c.example", "b.example", "servfail"},
                {"b.example", "B.Example", "found 192.0.2.7"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct message m;
        begin(&m, 0, "a.example");
        add_host(&m, "@12", CNAME, 60, -1, rows[i].first);
        add_host(&m, "@12", CNAME, 60, -1, rows[i].second);
        add_a(&m, "b.example", 60, 7);
        assert_string_equal(read(&m, DNS_A, "a.example"), rows[i].expected);
    }
}

static void make_rich(struct message *m)
{
    begin(m, 0, "a.example");
    add_host(m, "@12", CNAME, 60, -1, "b.@14");
    add_host(m, "b.@14", MX, 60, 10, "m1.@14");
    add_host(m, "b.@14", MX, 60, 5, "m2.example");
    add_record(m, 1, "b.@14", TXT, 60, "\3abc", 4);
    add_a(m, "b.@14", 60, 1);
    add_soa(m, 60, 60);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    struct message m;
    make_rich(&m);
    assert_string_equal(read(&m, DNS_MX, "a.example"), "found 5:m2.example 10:m1.example");
    size_t authority = m.n - 7 - 1 - 10 - 12 - 14 - 20 - 1;
    for (size_t n = 0; n < m.n; n++) {
        const char *text = read_bytes(m.b, n, DNS_MX, "a.example");
        if (n < authority)
            assert_string_equal(text, "servfail");
    }
}

static void test_any_byte_wrong(void **state)
{
    (void)state;
    struct message good;
    unsigned seed = 1, found = 0;
    make_rich(&good);
    for (int round = 0; round < 20000; round++) {
        struct message m = good;
        for (int changes = 0; changes < 1 + round % 3; changes++) {
            seed = seed * 1103515245 + 12345;
            m.b[(seed >> 16) % m.n] = (uint8_t)(seed >> 8);
        }
        read(&m, (enum dns_type)(round % 5), "a.example");
        found += verdict.outcome == DNS_FOUND;
    }
    assert_in_range(found, 1000, 19000);
}

static void test_askable(void **state)
{
    (void)state;
    char name[300];
    static const char *const good[] = {
        "a", "a.b", "a.b.", "7.0/25.2.0.192.in-addr.arpa", "_x.y-", "b\xc3\xbc.example"};
    static const char *const bad[] = {"", ".", "..", ".a", "a..b", "a b", "a\tb", "a\\b", "a\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(dns_message_askable(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(dns_message_askable(bad[i]));
    memset(name, 'x', sizeof name);
    name[63] = '\0';
    assert_true(dns_message_askable(name));
    name[63] = 'x';
    name[64] = '\0';
    assert_false(dns_message_askable(name));
    for (size_t length = 252; length <= 254; length++) {
        memset(name, 'x', sizeof name);
        name[50] = name[100] = name[150] = name[200] = '.';
        name[length] = '\0';
        assert_int_equal(dns_message_askable(name), length <= DOMAIN_MAX - 1);
    }
}

static void test_unpack_trusts_nothing(void **state)
{
    (void)state;
    struct strbuf packed;
    struct ip ip = ip_from_v4(0x7f000001);
    strbuf_init(&packed);
    dns_pack_begin(&packed, DNS_FOUND);
    for (int i = 0; i < DNS_RECORDS_MAX; i++)
        assert_true(dns_pack_record(&packed, &ip, 1, slice_of("text")));
    assert_false(dns_pack_record(&packed, &ip, 1, slice_of("text")));
    assert_int_equal(dns_pack_count(&packed), DNS_RECORDS_MAX);
    for (size_t n = 0; n < packed.n; n++)
        assert_null(dns_unpack((struct slice){packed.p, n}, DNS_MX, false));
    packed.p[packed.n - 1] = 'x'; /* the final NUL */
    assert_null(dns_unpack((struct slice){packed.p, packed.n}, DNS_MX, false));
    packed.p[0] = 9;
    assert_null(dns_unpack((struct slice){packed.p, packed.n}, DNS_MX, false));
    strbuf_done(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),    cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_mx),           cmocka_unit_test(test_host_names_only),
        cmocka_unit_test(test_texts),        cmocka_unit_test(test_negative_answers),
        cmocka_unit_test(test_pointers),     cmocka_unit_test(test_limits),
        cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_any_byte_wrong),
        cmocka_unit_test(test_askable),      cmocka_unit_test(test_unpack_trusts_nothing),
        cmocka_unit_test(test_two_aliases),  cmocka_unit_test(test_order_of_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
