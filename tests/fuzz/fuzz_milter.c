/* SPDX-License-Identifier: BSD-2-Clause */
/* A milter session: the callbacks of src/milter, in any order and with any text, where
 * libmilter's own functions are stand-ins that check what they are given. A name server
 * of our own lists everybody, with a reason that is made to break replies.
 *
 * The input is a script: a letter for the callback, then its texts, each ended by NUL. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dnsbl/prober.h"
#include "milter/state.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- libmilter's side --- */

static struct {
    void *private;
    char reply_class;       /* of the last smfi_setreply: '4', '5'; 0: none */
    const char *macros[16]; /* name, value … of this script */
    size_t macro_count;
    bool at_end; /* in eom: headers may be changed */
} mta;

static void require(bool good)
{
    if (!good)
        abort();
}

void *smfi_getpriv(SMFICTX *ctx)
{
    (void)ctx;
    return mta.private;
}

int smfi_setpriv(SMFICTX *ctx, void *private)
{
    (void)ctx;
    mta.private = private;
    return MI_SUCCESS;
}

char *smfi_getsymval(SMFICTX *ctx, char *name)
{
    (void)ctx;
    if (strcmp(name, "j") == 0)
        return "mx.test"; /* the MTA's own name, no stranger's text */
    for (size_t i = 0; i + 1 < mta.macro_count; i += 2)
        if (strcmp(mta.macros[i], name) == 0)
            return (char *)mta.macros[i + 1];
    return NULL;
}

int smfi_setsymlist(SMFICTX *ctx, int stage, char *macros)
{
    (void)ctx;
    require(stage >= 0 && macros[0] != '\0');
    return MI_SUCCESS;
}

/* What Postfix and sendmail need (docs/design.md): one line of plain ASCII within an SMTP
 * line, class and status that agree, every percent sign doubled. */
int smfi_setreply(SMFICTX *ctx, char *code, char *status, char *text)
{
    size_t length = 0;

    (void)ctx;
    require(strcmp(code, "554") == 0
                ? strcmp(status, "5.7.1") == 0
                : strcmp(code, "451") == 0 && strcmp(status, "4.7.1") == 0);
    for (const char *p = text; *p != '\0'; p++, length++) {
        require(*p >= 0x20 && *p < 0x7f);
        if (*p == '%')
            require(*++p == '%');
    }
    require(strlen(text) <= 980 && strlen("554 5.7.1 ") + length + 2 <= 512);
    mta.reply_class = code[0];
    return MI_SUCCESS;
}

static int check_header(const char *name, const char *value)
{
    require(mta.at_end && name[0] != '\0');
    for (const char *p = value; *p != '\0'; p++)
        require((*p >= 0x20 && *p < 0x7f) || (p[0] == '\n' && p[1] == '\t') ||
                (p[0] == '\t' && p > value && p[-1] == '\n'));
    return MI_SUCCESS;
}

int smfi_addheader(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx;
    return check_header(name, value);
}

int smfi_insheader(SMFICTX *ctx, int index, char *name, char *value)
{
    (void)ctx;
    require(index >= 0);
    return check_header(name, value);
}

int smfi_chgheader(SMFICTX *ctx, char *name, int index, char *value)
{
    (void)ctx;
    require(index > 0 && value == NULL);
    return check_header(name, "");
}

/* A refusal carries a text of its own class: libmilter gives the default one otherwise.
 */
static void check_status(sfsistat status)
{
    if (status == SMFIS_REJECT)
        require(mta.reply_class == '5');
    require(status == SMFIS_CONTINUE || status == SMFIS_NOREPLY ||
            status == SMFIS_REJECT || status == SMFIS_TEMPFAIL || status == SMFIS_ACCEPT);
    mta.reply_class = 0;
}

/* --- the name server --- */

static const char reason[] = "100% of %s\r\n250 2.0.0 Ok \x1b[31m caf\xe9 %{list} "
                             "https://bl.test/?a=b";

static size_t add_record(uint8_t *packet, size_t at, bool is_text)
{
    static const uint8_t head[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 127, 0, 0, 2};

    memcpy(packet + at, head, sizeof head);
    if (!is_text)
        return at + sizeof head;
    packet[at + 3] = 16;
    packet[at + 11] = sizeof reason;
    packet[at + 12] = sizeof reason - 1;
    memcpy(packet + at + 13, reason, sizeof reason - 1);
    return at + 12 + sizeof reason;
}

/* Lists who has an even octet at the front of the name, so that both ways are gone. */
static void *serve_dns(void *context)
{
    int fd = *(int *)context;
    uint8_t packet[2048];
    struct sockaddr_in from;

    for (;;) {
        socklen_t from_size = sizeof from;
        ssize_t n = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_size);

        if (n < 17)
            continue;
        size_t end = (size_t)n;
        bool is_text = packet[end - 3] == 16, listed = packet[13] % 2 == 0;

        packet[2] |= 0x80;
        packet[3] = listed ? 0x80 : 0x83;
        packet[7] = listed;
        if (listed)
            end = add_record(packet, end, is_text);
        if (sendto(fd, packet, end, 0, (struct sockaddr *)&from, from_size) < 0)
            perror("sendto");
    }
    return NULL;
}

/* --- the daemon's side --- */

static const char conf_format[] =
    "user = \"\"\n"
    "milter { socket = \"inet:1@127.0.0.1\"  reject-at = \"%s\" }\n"
    "resolver { servers = { \"127.0.0.1:%d\" } timeout = \"200ms\" deadline = \"300ms\" "
    "cache-size = 1000 }\n"
    "health { surge = 0 }\n"
    "list \"client\" { zone = \"c.test\" check = { \"client\" } weight = 5 %s }\n"
    "list \"names\" { zone = \"n.test\" check = { \"client-name\", \"helo\", "
    "\"sender-domain\" } weight = 4 %s }\n"
    "list \"hash\" { zone = \"h.test\" check = { \"sender\" } hash = \"sha1\" weight = 4 "
    "%s "
    "}\n"
    "list \"allow\" { zone = \"w.test\" check = { \"client\" } weight = -1 %s }\n"
    "verdict { reject = 8  tempfail = 6  tag = 2 }\n"
    "reply { list = \"%%{class} [%%{what}] %%{helo} %%{sender} %%{list}; %%{reason} "
    "%%{url}\" url = \"https://x.test/%%{sender}\" }\n"
    "log { target = \"stderr\" level = \"error\" }\n";
#define UNTESTED "test-listed = \"\" test-unlisted = \"\""

static const char *const stages[] = {"rcpt", "eom", "mail"};
#define STAGE_COUNT (sizeof stages / sizeof stages[0])
static struct policy_slot slots[STAGE_COUNT];

static void report(void *context, const char *text)
{
    (void)context;
    if (strstr(text, "warning:") == NULL)
        fprintf(stderr, "%s\n", text);
}

static int start_dns(void)
{
    static int fd;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof addr;
    pthread_t thread;

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
            getsockname(fd, (struct sockaddr *)&addr, &size) == 0 &&
            pthread_create(&thread, NULL, serve_dns, &fd) == 0);
    return ntohs(addr.sin_port);
}

static struct config *load(const char *stage, int port)
{
    char path[] = "/tmp/fuzz-milter-XXXXXX";
    int fd = mkstemp(path);
    struct config *config;

    require(fd >= 0 && dprintf(fd, conf_format, stage, port, UNTESTED, UNTESTED, UNTESTED,
                               UNTESTED) > 0);
    close(fd);
    config = config_load(path, report, NULL);
    unlink(path);
    require(config != NULL);
    return config;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct endpoint nobody;
    struct resolver_settings settings = {.timeout_ms = 200,
                                         .attempts = 1,
                                         .deadline_ms = 300,
                                         .cache_size = 1000,
                                         .max_ttl_s = 60,
                                         .negative_ttl_s = 60,
                                         .max_queries = 1000};
    struct resolver *resolver = resolver_new(&settings);
    struct prober *prober = prober_new(NULL);
    int port = start_dns();

    (void)argc;
    (void)argv;
    log_open(LOG_TARGET_STDERR, LOG_LEVEL_ERROR, true);
    require(resolver != NULL && prober != NULL && prober_start(prober, resolver) == 0);
    for (size_t i = 0; i < STAGE_COUNT; i++) {
        struct config *config = load(stages[i], port);
        struct policy *policy = policy_new(config, resolver, prober, NULL);

        require(policy != NULL && policy_slot_init(&slots[i], policy) == 0);
        config_unref(config);
    }
    require(endpoint_parse("inet:1@127.0.0.1", &nobody) == 0 &&
            pool_wakeup_init(&milter.wakeup, &nobody) == 0);
    milter.max_open = 2;
    return 0;
}

/* --- the script --- */

struct script {
    char *next, *end;
};

/* The next text; "" when the script is over. */
static char *take(struct script *s)
{
    char *text = s->next;

    if (s->next < s->end)
        s->next += strlen(s->next) + 1;
    return text;
}

static _SOCK_ADDR *client_address(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
        in->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        in6->sin6_family = AF_INET6;
    else
        return NULL;
    return (_SOCK_ADDR *)out;
}

static void negotiate(SMFICTX *ctx, const char *how)
{
    unsigned long f0, f1, pf[4];

    milter.slot = &slots[(uint8_t)how[0] % STAGE_COUNT];
    f0 = how[0] & 4 ? 0 : 0x1ff;
    f1 = how[0] & 8 ? 0 : 0x1fffff;
    pf[0] = f0;
    pf[1] = 0;
    require(milter_negotiate(ctx, f0, f1, 0, 0, &pf[0], &pf[1], &pf[2], &pf[3]) ==
            SMFIS_CONTINUE);
    require((pf[0] & ~f0) == 0 && (pf[1] & ~f1) == 0 && pf[2] == 0 && pf[3] == 0);
}

static void add_macro(struct script *s)
{
    static const char *const names[] = {"{client_name}", "{client_resolve}",
                                        "{auth_authen}", "i"};
    const char *text = take(s);

    if (text[0] == '\0' || mta.macro_count + 2 > sizeof mta.macros / sizeof mta.macros[0])
        return;
    mta.macros[mta.macro_count++] = names[(uint8_t)text[0] % 4];
    mta.macros[mta.macro_count++] = text + 1;
}

static void step(SMFICTX *ctx, struct script *s)
{
    struct sockaddr_storage addr;
    char *arguments[] = {NULL, NULL};

    switch (*s->next++) {
    case 'N':
        negotiate(ctx, take(s));
        break;
    case 'D':
        add_macro(s);
        break;
    case 'C':
        check_status(milter_connect(ctx, "host", client_address(take(s), &addr)));
        break;
    case 'H':
        check_status(milter_helo(ctx, take(s)));
        break;
    case 'M':
        arguments[0] = take(s);
        check_status(milter_mail(ctx, arguments));
        break;
    case 'R':
        arguments[0] = take(s);
        check_status(milter_rcpt(ctx, arguments));
        break;
    case 'T':
        check_status(milter_data(ctx));
        break;
    case 'L':
        arguments[0] = take(s);
        check_status(milter_header(ctx, arguments[0], take(s)));
        break;
    case 'E':
        mta.at_end = true;
        check_status(milter_eom(ctx));
        mta.at_end = false;
        break;
    case 'A':
        check_status(milter_abort(ctx));
        break;
    case 'Q':
        check_status(milter_close(ctx));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* every text in it ends within */
    SMFICTX *ctx = (SMFICTX *)text;
    struct script s;

    require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    s = (struct script){.next = text, .end = text + size};
    mta.macro_count = 0;
    negotiate(ctx, "0");
    while (s.next < s.end)
        step(ctx, &s);
    milter_close(ctx);
    milter_close(ctx);
    require(mta.private == NULL && atomic_load(&milter.in_flight) == 0 &&
            atomic_load(&milter.open) == 0);
    free(text);
    return 0;
}
