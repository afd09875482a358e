/*
 * smtp_dialog_fuzz.c - a server that says anything at any time.
 *
 * The first byte holds switches. Then each byte 0x01 in the input ends a
 * piece of what the server says; before each piece the client's output is
 * sent.
 */
#include <string.h>
#include "lib/net/smtp_dialog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const recipients[] = {"a@example.com", "b@example.com", "\xc3\xa9@example.com",
                                         "\"x y\"@example.com", "bad\r\nDATA@example.com"};
static const bool utf8[] = {false, false, true, false, false};

/* Nothing but lines of the commands we know ever goes out. */
static void check_output(struct slice out)
{
    while (out.n > 0) {
        const char *end = memchr(out.p, '\n', out.n);
        CHECK(end && end > out.p && end[-1] == '\r');
        size_t n = (size_t)(end - out.p) + 1;
        CHECK(!memchr(out.p, '\r', n - 2));
        CHECK(n < 4 || memcmp(out.p, "DATA", 4) != 0);
        out = (struct slice){out.p + n, out.n - n};
    }
}

static void send_all(struct smtp_dialog *dialog)
{
    struct slice out = dialog_output(dialog);
    check_output(out);
    dialog_sent(dialog, out.n);
}

static void step(struct smtp_dialog *dialog, unsigned *batches)
{
    switch (dialog_next(dialog)) {
    case DIALOG_WANT_TLS:
        dialog_tls_started(dialog);
        break;
    case DIALOG_BATCH_DONE:
        for (size_t i = 0; i < ARRAY_LEN(recipients); i++)
            (void)dialog_answer(dialog, i);
        CHECK(dialog_answer(dialog, 4)->class == CALLAHEAD_SERVER_ILL);
        if (++*batches > 3)
            dialog_quit(dialog);
        else
            dialog_batch(dialog, recipients, utf8, ARRAY_LEN(recipients));
        break;
    case DIALOG_READY:
        dialog_batch(dialog, recipients, utf8, ARRAY_LEN(recipients));
        break;
    case DIALOG_WANT_READ:
    case DIALOG_BROKEN:
    case DIALOG_CLOSED:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct dialog_settings settings = {.hostname = "gate.example",
                                       .mail_from = data[0] & 1 ? "probe@example" : "",
                                       .tls = (enum dialog_tls)((data[0] >> 1) % 3),
                                       .lmtp = data[0] & 8,
                                       .no_pipelining = data[0] & 16};
    struct smtp_dialog *dialog = dialog_new(&settings);
    const char *at = (const char *)data + 1;
    size_t left = size - 1;
    unsigned batches = 0;
    while (dialog && left > 0) {
        const char *end = memchr(at, 1, left);
        size_t n = end ? (size_t)(end - at) : left;
        if (n > 0)
            send_all(dialog);
        if (n > 0)
            dialog_input(dialog, at, n);
        step(dialog, &batches);
        n += end != NULL;
        at += n;
        left -= n;
    }
    if (dialog)
        dialog_input(dialog, NULL, 0);
    dialog_free(dialog);
    return 0;
}
