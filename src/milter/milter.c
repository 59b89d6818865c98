/* SPDX-License-Identifier: BSD-2-Clause */
#include "milter/milter.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "known/well_known.h"
#include "milter/silent.h"
#include "milter/state.h"

#define BACKLOG           1024
#define PACKET_S          60 /* for the rest of a packet, and for the MTA to read a reply */
#define LOOK_EVERY_MS     250
#define REPLY_MS          20 /* libmilter sends a reply after its callback returned */
#define RESERVED_FILES    64 /* the database, DNS, control, the log */
#define STACK_BYTES       (512 * 1024)
#define USUAL_STACK_BYTES (8 * 1024 * 1024)

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

/* Of "inet:8891@127.0.0.1" 8891. */
static void port_of(const char *socket, char out[static 8])
{
    const char *start = strchr(socket, ':');
    size_t length = start != NULL ? strcspn(start + 1, "@") : 8;

    out[0] = '\0';
    if (length >= 8)
        return;
    memcpy(out, start + 1, length);
    out[length] = '\0';
}

static int cannot_listen(const struct config *config)
{
    const char *owner = NULL;
    char port[8];
    int error = errno;

    port_of(config->milter.socket, port);
    if (error == EADDRINUSE)
        owner = milter_port_owner(port);
    log_error("milter: cannot listen on %s: %s%s%s%s", config->milter.socket,
              strerror(error), owner != NULL ? "; the port is often that of " : "",
              owner != NULL ? owner : "",
              error == EADDRINUSE ? "; \"ss -ltnp\" shows who has it" : "");
    return -1;
}

/* Whether the place of a unix socket is free, or taken by one that nobody listens on any
 * more: *stale then. Returns 0, or -1 if it is in use or is something else. */
static int look_at_place(const char *path, const struct endpoint *endpoint, bool *stale)
{
    struct stat st;

    *stale = lstat(path, &st) == 0;
    if (!*stale)
        return 0;
    if (!S_ISSOCK(st.st_mode)) {
        log_error("milter: %s is there and is no socket", path);
        return -1;
    }
    if (endpoint_knock(endpoint)) {
        log_error("milter: %s is in use by another process", path);
        return -1;
    }
    return 0;
}

/* As above, and takes a stale one away. */
static int clear_place(const char *path, const struct endpoint *endpoint)
{
    bool stale;

    if (look_at_place(path, endpoint, &stale) != 0)
        return -1;
    if (stale && unlink(path) != 0) {
        log_error("milter: %s: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

static int find_group(const char *name, gid_t *out)
{
    struct group *group = getgrnam(name);

    if (group == NULL) {
        log_error("milter: socket-group = \"%s\": no such group", name);
        return -1;
    }
    *out = group->gr_gid;
    return 0;
}

/* Gives a unix socket to the daemon's user (the real one, where root opens it), as our
 * own wakes come by it, and to its group; "" leaves that. As root we follow no link: the
 * directory may be the user's, who is not to be handed another file. */
static int give_away(const char *path, const char *name)
{
    gid_t group = (gid_t)-1;

    if (name[0] != '\0' && find_group(name, &group) != 0)
        return -1;
    if (lchown(path, getuid(), group) != 0) {
        log_error("milter: %s: cannot give it to group \"%s\": %s", path, name,
                  strerror(errno));
        return -1;
    }
    return 0;
}

/* What can be seen of the socket's place before it is taken. */
static int look_at_place_and_group(const struct config *config, const char *path,
                                   const struct endpoint *endpoint)
{
    bool stale;
    gid_t group;

    if (path == NULL)
        return endpoint_try(endpoint) == 0 ? 0 : cannot_listen(config);
    if (look_at_place(path, endpoint, &stale) != 0)
        return -1;
    return config->milter.socket_group[0] == '\0'
               ? 0
               : find_group(config->milter.socket_group, &group);
}

int milter_prepare(const struct config *config, struct policy_slot *slot)
{
    const char *path = endpoint_path(config->milter.socket);
    struct endpoint endpoint;

    milter.slot = slot;
    milter.max_open = most_sessions();
    if (endpoint_parse(config->milter.socket, &endpoint) != 0) {
        log_error("milter: socket = \"%s\": no such address", config->milter.socket);
        return -1;
    }
    milter.over_tcp = path == NULL;
    if (look_at_place_and_group(config, path, &endpoint) != 0)
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

/* The socket has its mode from the first moment on, as nobody else's file can be changed
 * by that. */
int milter_open(const struct config *config)
{
    const char *path = endpoint_path(config->milter.socket);
    mode_t mask;
    int rc;

    if (path != NULL && clear_place(path, &milter.wakeup.endpoint) != 0)
        return -1;
    mask = umask(~config->milter.socket_mode & 0777);
    rc = smfi_opensocket(false);
    umask(mask);
    if (rc != MI_SUCCESS)
        return cannot_listen(config);
    return path != NULL ? give_away(path, config->milter.socket_group) : 0;
}

/* Of the threads from now on. Returns 0, or an errno. */
static int set_stack_bytes(size_t bytes)
{
    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);

    if (rc != 0)
        return rc;
    rc = pthread_attr_setstacksize(&attr, bytes);
    if (rc == 0)
        rc = pthread_setattr_default_np(&attr);
    pthread_attr_destroy(&attr);
    return rc;
}

static void *do_nothing(void *context)
{
    return context;
}

/* libmilter ends and starts its threads all the time. The C library keeps the stacks of
 * ended ones for the next, but no more than 40 MB of them: five of the usual 8 MB. Ours
 * need a tenth of this. But the thread-local data of all libraries come out of a stack,
 * and ThreadSanitizer's alone are larger: libmilter could start none. */
static void use_small_stacks(void)
{
    pthread_t thread;

    if (set_stack_bytes(STACK_BYTES) == 0 &&
        pthread_create(&thread, NULL, do_nothing, NULL) == 0) {
        pthread_join(thread, NULL);
        return;
    }
    log_debug("milter: threads keep stacks of the usual size");
    if (set_stack_bytes(USUAL_STACK_BYTES) != 0)
        log_warning("milter: threads may not find room for their stacks");
}

/* Beside libmilter, to the end of the process. */
static void *keep_looking(void *context)
{
    struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000};

    for (;;) {
        pool_wakeup_look(&milter.wakeup);
        nanosleep(&pause, NULL);
    }
    return context;
}

/* Beside libmilter, too. */
static void *keep_room(void *context)
{
    static struct silent silent;

    if (silent_init(&silent, &milter.wakeup.endpoint) != 0) {
        log_warning("milter: /proc/self/fd: %s: connections that say nothing are not "
                    "closed when descriptors run out",
                    strerror(errno));
        return context;
    }
    for (;;) {
        int pause_ms = silent_look(&silent);
        struct timespec pause = {pause_ms / 1000, pause_ms % 1000 * 1000000L};

        nanosleep(&pause, NULL);
    }
}

static void start_beside(void *(*function)(void *context), const char *what)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, NULL) == 0)
        pthread_detach(thread);
    else
        log_warning("milter: the thread that %s cannot be started", what);
}

int milter_run(void)
{
    use_small_stacks();
    start_beside(keep_looking, "watches libmilter's pool");
    if (milter.over_tcp)
        start_beside(keep_room, "closes silent connections");
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
