/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/milter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "milter/socket.h"
#include "milter/state.h"

#define BACKLOG        1024
#define PACKET_S       60 /* for the rest of a packet, and for the MTA to read a reply */
#define REPLY_MS       20 /* libmilter sends a reply after its callback returned */
#define RESERVED_FILES 64 /* the database, DNS, control, the log */

struct milter milter;

/* How many sessions fit: raises the descriptor limit, then two descriptors per session, as
 * a wakeup needs one, too. */
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
