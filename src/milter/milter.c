/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/milter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "journal/journal.h"
#include "milter/state.h"

#define BACKLOG        1024
#define PACKET_S       60 /* for the rest of a packet, and for the MTA to read a reply */
#define REPLY_MS       20 /* libmilter sends a reply after its callback returned */
#define RESERVED_FILES 64 /* the database, DNS, control, the log */
#define NEVER_READ     (SMFIP_NOBODY | SMFIP_NOEOH | SMFIP_NOUNKNOWN)

struct milter milter;

/* As many descriptors as we may have; two a session are reckoned, as a wakeup needs one.
 */
static unsigned most_sessions(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 256;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            log_warning("milter: cannot raise the number of descriptors: %s",
                        strerror(errno));
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur <= 2 * RESERVED_FILES)
        return (unsigned)limit.rlim_cur / 4;
    return (unsigned)((limit.rlim_cur - RESERVED_FILES) / 2);
}

/* --- what we ask of the MTA --- */

/* A stage at which a lookup starts gets its "continue" at once; one at which nothing does
 * gets no reply. */
static unsigned long silent_stages(const struct policy *policy)
{
    static const struct {
        enum stage stage;
        unsigned long flag;
    } stages[] = {
        {STAGE_CONNECT, SMFIP_NR_CONN},
        {STAGE_HELO, SMFIP_NR_HELO},
        {STAGE_MAIL, SMFIP_NR_MAIL},
        {STAGE_RCPT, SMFIP_NR_RCPT},
    };
    unsigned long flags = SMFIP_NR_HDR;

    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        if (!policy_asks_at(policy, stages[i].stage) &&
            !policy_is_due_at(policy, stages[i].stage))
            flags |= stages[i].flag;
    return flags;
}

/* Only what is read. Postfix replaces its main.cf's list of macros for these stages. */
static void ask_for_macros(SMFICTX *ctx)
{
    static const struct {
        int stage;
        const char *macros;
    } wanted[] = {
        {SMFIM_CONNECT, "j {client_name} {client_resolve}"},
        {SMFIM_ENVFROM, "i {auth_authen} {mail_addr}"},
        {SMFIM_ENVRCPT, "i {rcpt_mailer} {rcpt_host} {rcpt_addr}"},
        {SMFIM_EOM, "i"},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (smfi_setsymlist(ctx, wanted[i].stage, (char *)wanted[i].macros) != MI_SUCCESS)
            log_debug("milter: the MTA's own list of macros stays for stage %d",
                      wanted[i].stage);
}

static struct connection *connection_new(struct policy *policy)
{
    struct connection *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->session = session_new(policy, false);
    if (c->session == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

/* Recipients that the MTA itself has refused are wanted for the journal, and for rules. */
static bool wants_refused(const struct policy *policy)
{
    return (policy->journal != NULL && journal_keeps(policy->journal, true)) ||
           (policy->rules != NULL && rules_count(policy->rules));
}

/* What we ask of an MTA that offers these actions and protocol flags. */
static void negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1,
                      unsigned long *pf0, unsigned long *pf1)
{
    struct policy *policy = policy_slot_get(milter.slot);
    struct connection *c = connection_new(policy);
    unsigned long never = NEVER_READ, actions = SMFIF_SETSYMLIST;
    bool tags = policy->config->verdict.tag > 0;

    /* DATA is of no use to us. But Postfix sends its macros even where it does not send
     * DATA itself, and over TCP its next packet, the end of the message, then waits until
     * they are acknowledged: 40 ms a message, as both Nagle and the delayed ACK have it.
     * An answer to DATA carries the ACK. */
    if (!milter.over_tcp)
        never |= SMFIP_NODATA;
    /* to take out forged headers of our names, and where something looks at From: */
    if (!tags && !policy->judges_headers)
        never |= SMFIP_NOHDRS;
    if (tags)
        actions |= SMFIF_ADDHDRS | SMFIF_CHGHDRS;
    if (dnsbl_set_has_allow_list(&policy->lists)) /* Authentication-Results */
        actions |= SMFIF_ADDHDRS;
    *pf0 = actions & f0;
    *pf1 |= never & f1; /* libmilter has put what has no callback here */
    if (c != NULL) {
        c->silent = silent_stages(policy) & f1;
        *pf1 |= c->silent;
        /* A second negotiation on one connection replaces the first. (Without a first
         * one, a close would be taken for a wakeup that came through.) */
        if (smfi_getpriv(ctx) != NULL)
            milter_close(ctx);
        smfi_setpriv(ctx, c);
        if (*pf0 & SMFIF_SETSYMLIST) {
            ask_for_macros(ctx);
            /* the macros tell them apart */
            c->hears_refused = (f1 & SMFIP_RCPT_REJ) != 0 && wants_refused(policy);
            *pf1 |= c->hears_refused ? SMFIP_RCPT_REJ : 0;
        }
    }
    policy_unref(policy);
}

sfsistat milter_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1,
                          unsigned long f2, unsigned long f3, unsigned long *pf0,
                          unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
    (void)f2;
    (void)f3;
    *pf0 = *pf2 = *pf3 = 0;
    if (milter_enter()) {
        negotiate(ctx, f0, f1, pf0, pf1);
        milter_leave();
    }
    return SMFIS_CONTINUE;
}

/* --- start and stop --- */

static int register_filter(void)
{
    static const struct smfiDesc filter = {
        .xxfi_name = "rblmilter",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST,
        .xxfi_connect = milter_connect,
        .xxfi_helo = milter_helo,
        .xxfi_envfrom = milter_mail,
        .xxfi_envrcpt = milter_rcpt,
        .xxfi_data = milter_data,
        .xxfi_header = milter_header,
        .xxfi_eom = milter_eom,
        .xxfi_abort = milter_abort,
        .xxfi_close = milter_close,
        .xxfi_negotiate = milter_negotiate,
    };

    return smfi_register(filter) == MI_SUCCESS ? 0 : -1;
}

int milter_prepare(const struct config *config, struct policy_slot *slot)
{
    struct endpoint endpoint;

    milter.slot = slot;
    milter.max_open = most_sessions();
    if (endpoint_parse(config->milter.socket, &endpoint) != 0) {
        log_error("milter: socket = \"%s\": no such address", config->milter.socket);
        return -1;
    }
    milter.over_tcp = endpoint_path(config->milter.socket) == NULL;
    if (socket_check(config, &endpoint) != 0)
        return -1;
    if (pool_wakeup_init(&milter.wakeup, &endpoint) != 0 || register_filter() != 0 ||
        smfi_setconn(config->milter.socket) != MI_SUCCESS ||
        smfi_setbacklog(BACKLOG) != MI_SUCCESS ||
        smfi_settimeout(PACKET_S) != MI_SUCCESS) {
        log_error("milter: libmilter does not take socket = \"%s\"",
                  config->milter.socket);
        return -1;
    }
    return 0;
}

int milter_open(const struct config *config)
{
    return socket_open(config, &milter.wakeup.endpoint);
}

int milter_run(void)
{
    pool_start(&milter.wakeup, milter.over_tcp);
    return smfi_main() == MI_SUCCESS ? 0 : -1;
}

bool milter_enter(void)
{
    atomic_fetch_add(&milter.in_flight, 1);
    if (!atomic_load(&milter.stopping))
        return true;
    milter_leave();
    return false;
}

void milter_leave(void)
{
    atomic_fetch_sub(&milter.in_flight, 1);
}

bool milter_stop(int64_t deadline_ms)
{
    const struct sockaddr_un *socket =
        (const struct sockaddr_un *)&milter.wakeup.endpoint.addr;
    struct timespec pause = {.tv_nsec = 5 * 1000000};
    struct timespec reply = {.tv_nsec = REPLY_MS * 1000000};
    bool answered;

    atomic_store(&milter.stopping, true);
    while (!(answered = atomic_load(&milter.in_flight) == 0) && clock_ms() < deadline_ms)
        nanosleep(&pause, NULL);
    nanosleep(&reply, NULL);
    if (socket->sun_family == AF_UNIX && unlink(socket->sun_path) != 0 && errno != ENOENT)
        log_debug("milter: %s: %s", socket->sun_path, strerror(errno));
    return answered;
}

bool milter_is_stuck(int64_t bound_ms)
{
    for (int stage = 0; stage <= STAGE_EOM; stage++)
        if (progress_is_stuck(&milter.progress[stage], bound_ms))
            return true;
    return false;
}

void milter_stats(struct milter_stats *out)
{
    out->connections = atomic_load(&milter.connections);
    out->unnamed = atomic_load(&milter.unnamed);
    out->messages = atomic_load(&milter.messages);
    for (int v = 0; v <= VERDICT_REJECT; v++)
        out->verdicts[v] = atomic_load(&milter.verdicts[v]);
    out->blocklisted = atomic_load(&milter.blocklisted);
    out->turned_away = atomic_load(&milter.turned_away);
    out->open = atomic_load(&milter.open);
    out->waiting = atomic_load(&milter.waiting);
}

const char *milter_library_version(char out[static 32])
{
    unsigned int major = 0, minor = 0, patch = 0;

    smfi_version(&major, &minor, &patch);
    snprintf(out, 32, "%u.%u.%u", major, minor, patch);
    return out;
}
