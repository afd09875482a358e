/*
 * empty_filter - a libmilter filter that does nothing, for comparison.
 *
 *   empty_filter SOCKET
 *
 * Negotiates the stages gatehoused negotiates and answers "continue" to each that
 * wants an answer: what it costs is the cost of libmilter itself.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *actions_out, unsigned long *steps_out,
                             unsigned long *out2, unsigned long *out3)
{
    (void)ctx;
    (void)unused2;
    (void)unused3;
    *actions_out = actions & 0;
    *steps_out = steps & (SMFIP_NOHELO | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NODATA |
                          SMFIP_NOUNKNOWN | SMFIP_NR_BODY);
    *out2 = 0;
    *out3 = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
    (void)ctx;
    (void)name;
    (void)address;
    return SMFIS_CONTINUE;
}

static sfsistat on_address(SMFICTX *ctx, char **argv)
{
    (void)ctx;
    (void)argv;
    return SMFIS_CONTINUE;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t size)
{
    (void)ctx;
    (void)bytes;
    (void)size;
    return SMFIS_NOREPLY; /* as negotiated; libmilter complains to syslog of another */
}

static sfsistat on_end(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    static char name[] = "empty";
    struct smfiDesc description = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_address,
        .xxfi_envrcpt = on_address,
        .xxfi_body = on_body,
        .xxfi_eom = on_end,
        .xxfi_close = on_end,
        .xxfi_negotiate = on_negotiate,
    };
    char socket[256];

    if (argc != 2)
        return 2;
    snprintf(socket, sizeof socket, "unix:%s", argv[1]);
    if (smfi_setconn(socket) != MI_SUCCESS || smfi_register(description) != MI_SUCCESS)
        return 1;
    (void)smfi_setbacklog(4096);
    return smfi_main() != MI_SUCCESS;
}
