/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "farm/farm.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "farm/parts.h"

#define BACKOFF_LEAST_MS 100
#define BACKOFF_MOST_MS  5000
#define POLL_MS          2000 /* a read without a word from the server */
#define BEAT_MS          10000
#define BEAT_LEAST_MS    200
#define HOSTS_MS         5000
#define HOSTS_WAITED_MS  25 /* where somebody waits for them */
#define TIDY_MS          3600000
#define STOP_MS          1000
#define FILL_LOOK_MS     1000

/* --- what went wrong --- */

int farm_failed(struct farm *farm, const char *why)
{
    char text[FARM_ERROR_SIZE];
    bool news;

    text_sentence(text, sizeof text, "%s", why != NULL ? why : farm->connection.error);
    pthread_mutex_lock(&farm->lock);
    news = strcmp(farm->status.error, text) != 0;
    memcpy(farm->status.error, text, sizeof farm->status.error);
    pthread_mutex_unlock(&farm->lock);
    if (news && !atomic_load(&farm->stopping))
        log_warning("farm: state=not-reached why=\"%s\": this host goes on alone", text);
    return -1;
}

void farm_refused(struct farm *farm, uint64_t count, const char *name, const char *why)
{
    char shown[200];

    (void)utf8_show(name != NULL ? name : "", shown, sizeof shown); /* cut */
    pthread_mutex_lock(&farm->lock);
    farm->status.refused += (int64_t)count;
    text_sentence(farm->status.refused_why, sizeof farm->status.refused_why, "%s%s%s",
                  shown, shown[0] != '\0' ? ": " : "", why);
    pthread_mutex_unlock(&farm->lock);
    log_warning("farm: refused=%" PRIu64 " row=%s why=\"%s\"", count, shown, why);
}

/* --- the thread --- */

/* A wait without a connection. */
static void rest(struct farm *farm, int ms)
{
    int64_t until_ms = clock_ms() + ms, left;

    while (!atomic_load(&farm->stopping) && (left = until_ms - clock_ms()) > 0) {
        struct pollfd fd = {farm->wake_fd, POLLIN, 0};
        uint64_t count;

        pthread_mutex_lock(&farm->lock); /* who asks hears what is known */
        farm->failed_round = farm->asked;
        pthread_cond_broadcast(&farm->news);
        pthread_mutex_unlock(&farm->lock);
        if (poll(&fd, 1, (int)left) > 0 &&
            read(farm->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
            return;
    }
}

static void set_server(struct farm *farm)
{
    PGconn *pg = farm->connection.pg;
    const char *host = PQhost(pg) != NULL ? PQhost(pg) : "";
    char text[FARM_NAME_SIZE], shown[FARM_NAME_SIZE];

    (void)snprintf(text, sizeof text, "%.150s:%.10s/%.60s", host,
                   PQport(pg) != NULL ? PQport(pg) : "",
                   PQdb(pg) != NULL ? PQdb(pg) : "");
    (void)text_clean(text, shown, sizeof shown);
    pthread_mutex_lock(&farm->lock);
    memcpy(farm->status.server, shown, sizeof farm->status.server);
    farm->status.server_version = PQserverVersion(pg);
    farm->status.tls = PQsslInUse(pg) != 0;
    farm->status.leaves_host = host[0] != '/' && strcmp(host, "localhost") != 0 &&
                               strncmp(host, "127.", 4) != 0 && strcmp(host, "::1") != 0;
    pthread_mutex_unlock(&farm->lock);
}

/* Gives old rows their versions, once; then says where we were. */
static int join_blocklist(struct farm *farm)
{
    char error[BLOCKLIST_ERROR_SIZE];
    bool done = false;

    while (!done) {
        if (atomic_load(&farm->stopping))
            return -1;
        if (shared_join(farm->blocklist, &done, error) != BLOCKLIST_OK)
            return farm_failed(farm, error);
    }
    if (shared_state(farm->blocklist, &farm->state, error) != BLOCKLIST_OK)
        return farm_failed(farm, error);
    return 0;
}

/* What differs from the last time so that the cursor alone says nothing. */
static int check_head(struct farm *farm)
{
    struct shared_state head;
    char error[BLOCKLIST_ERROR_SIZE];
    int64_t now_ms;

    if (database_head(farm, &head, &now_ms) != 0)
        return -1;
    farm->compare_now = strcmp(head.epoch, farm->state.epoch) != 0 ||
                        strcmp(farm->state.keep_local, farm->keep_local) != 0;
    if (strcmp(farm->state.program, PACKAGE_VERSION) != 0) {
        /* another version may know what this one did not */
        if (shared_refused_clear(farm->blocklist, error) != BLOCKLIST_OK)
            return farm_failed(farm, error);
        farm->compare_now = true;
    }
    if (!farm->compare_now)
        shared_expect(farm->blocklist, head.seq - farm->state.seq);
    return 0;
}

static int begin_session(struct farm *farm)
{
    char name[FARM_NAME_SIZE + 16], error[BLOCKLIST_ERROR_SIZE];

    (void)snprintf(name, sizeof name, "rblmilter %s", farm->node);
    if (connection_open(&farm->connection, farm->database, name) != 0)
        return farm_failed(farm, NULL);
    set_server(farm);
    if (join_blocklist(farm) != 0 || check_head(farm) != 0)
        return -1;
    if (connection_do(&farm->connection, "LISTEN rblmilter_farm") != 0)
        return farm_failed(farm, NULL);
    /* what was answered may have been lost with the server that answered */
    if (shared_outbox_again(farm->blocklist, error) != BLOCKLIST_OK)
        return farm_failed(farm, error);
    farm->next_read_ms = farm->next_beat_ms = farm->next_hosts_ms = farm->next_tidy_ms =
        0;
    counts_begin(farm);
    farm->beaten_seq = farm->fill_seq = -1;
    farm->published_seq = 0; /* its numbers may begin again */
    /* nothing is sent before it is known whether it is to be compared first: what waits since
     * longer than removals are remembered is dropped then */
    return farm->compare_now ? 0 : pull_changes(farm);
}

/* Returns 1 where it has to wait for another host. */
static int compare_if_requested(struct farm *farm)
{
    struct farm_comparison comparison;
    uint64_t asked;
    bool full;
    int rc;

    pthread_mutex_lock(&farm->lock);
    asked = farm->compares_asked;
    full = farm->compare_full;
    pthread_mutex_unlock(&farm->lock);
    if (!farm->compare_now && asked == farm->compares_done)
        return 0;
    if (farm->compare_now && (rc = database_fill_wait(farm)) != 0)
        return rc;
    rc = reconcile(farm, full, &comparison);
    if (rc == 0)
        rc = push_changes(farm);
    if (rc == 0)
        rc = pull_changes(farm);
    if (rc == 0 &&
        connection_do(&farm->connection, "SELECT pg_advisory_unlock_all()") != 0)
        rc = farm_failed(farm, NULL);
    pthread_mutex_lock(&farm->lock);
    farm->comparison = comparison;
    memcpy(farm->comparison_error, rc == 0 ? "" : farm->status.error,
           rc == 0 ? 1 : sizeof farm->comparison_error);
    farm->compares_done = asked;
    farm->compare_full &= farm->compares_asked != asked;
    pthread_cond_broadcast(&farm->news);
    pthread_mutex_unlock(&farm->lock);
    return rc;
}

/* Sends and takes once. Returns 1 where that has to wait for another host. */
static int exchange(struct farm *farm)
{
    uint64_t round;
    int rc;

    pthread_mutex_lock(&farm->lock);
    round = farm->asked;
    pthread_mutex_unlock(&farm->lock);
    if (!farm->compare_now && (push_changes(farm) != 0 || pull_changes(farm) != 0))
        return -1;
    if ((rc = compare_if_requested(farm)) < 0 || hosts_forget(farm) != 0 ||
        counts_answer(farm) != 0)
        return -1;
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&farm->lock);
    farm->sent_round = round;
    farm->sent_seq =
        (uint64_t)(farm->published_seq > farm->state.seq ? farm->published_seq
                                                         : farm->state.seq);
    if (!farm->status.connected)
        log_notice("farm: state=reached server=%s", farm->status.server);
    farm->status.connected = true;
    farm->status.error[0] = '\0';
    pthread_cond_broadcast(&farm->news);
    pthread_mutex_unlock(&farm->lock);
    return 0;
}

/* Says how far we are where that is due, and looks at the others. */
static int meet(struct farm *farm)
{
    int64_t now = clock_ms(), least = farm->status.host_count * 5;
    bool waited;

    pthread_mutex_lock(&farm->lock);
    waited = farm->waiters > 0;
    pthread_mutex_unlock(&farm->lock);
    if (least < BEAT_LEAST_MS)
        least = BEAT_LEAST_MS;
    if (now >= farm->next_beat_ms || (farm->beaten_seq != farm->state.seq &&
                                      now >= farm->next_beat_ms - BEAT_MS + least)) {
        if (hosts_beat(farm) != 0)
            return -1;
        farm->next_beat_ms = now + BEAT_MS;
    }
    if (now >= farm->next_hosts_ms ||
        (waited && now >= farm->next_hosts_ms - HOSTS_MS + HOSTS_WAITED_MS)) {
        if (hosts_look(farm) != 0)
            return -1;
        farm->next_hosts_ms = now + HOSTS_MS;
    }
    return 0;
}

/* Once an hour: what nobody needs any more goes, there and here. */
static int tidy(struct farm *farm)
{
    struct shared_state head;
    char error[BLOCKLIST_ERROR_SIZE];
    bool done = false;
    int64_t now_ms;

    if (clock_ms() < farm->next_tidy_ms)
        return 0;
    farm->next_tidy_ms = clock_ms() + TIDY_MS;
    if (connection_do(&farm->connection, "SELECT farm.tidy()") != 0)
        return farm_failed(farm, NULL);
    if (database_head(farm, &head, &now_ms) != 0 || read_note(farm, now_ms) != 0)
        return -1;
    while (!done && !atomic_load(&farm->stopping))
        if (shared_forget(farm->blocklist, now_ms - farm->keep_days * INT64_C(86400000),
                          &done, error) != BLOCKLIST_OK)
            return farm_failed(farm, error);
    return 0;
}

/* Until when there is nothing to do. */
static int pause_ms(const struct farm *farm, bool notified, bool waited)
{
    int64_t now = clock_ms(), until = farm->next_read_ms + POLL_MS;

    if (notified)
        until = farm->next_read_ms;
    if (waited && until > now + HOSTS_WAITED_MS)
        until = now + HOSTS_WAITED_MS;
    if (until > farm->next_counts_ms)
        until = farm->next_counts_ms;
    if (farm->beaten_seq != farm->state.seq && until > now + BEAT_LEAST_MS)
        until = now + BEAT_LEAST_MS;
    return until > now ? (int)(until - now) : 0;
}

/* One turn: what is due, then a wait. A burst of the others' changes is read at once, and
 * then not again for a moment that grows with the farm. */
static int turn(struct farm *farm, bool *notified)
{
    uint64_t count;
    bool woken, waited;
    int rc;

    woken = read(farm->wake_fd, &count, sizeof count) == (ssize_t)sizeof count;
    if (woken || (*notified && clock_ms() >= farm->next_read_ms) ||
        clock_ms() >= farm->next_read_ms + POLL_MS) {
        *notified = false;
        if ((rc = exchange(farm)) < 0)
            return -1;
        farm->next_read_ms =
            clock_ms() + (rc > 0 ? FILL_LOOK_MS : 10 + (int64_t)farm->status.host_count);
    }
    if (meet(farm) != 0 || tidy(farm) != 0 || counts_exchange(farm) != 0)
        return -1;
    pthread_mutex_lock(&farm->lock);
    waited = farm->waiters > 0;
    pthread_mutex_unlock(&farm->lock);
    if (connection_wait(&farm->connection, pause_ms(farm, *notified, waited)))
        *notified = true;
    return farm->connection.pg != NULL ? 0 : farm_failed(farm, NULL);
}

static void *farm_main(void *context)
{
    struct farm *farm = context;
    int backoff_ms = BACKOFF_LEAST_MS;

    while (!atomic_load(&farm->stopping)) {
        bool notified = true;

        if (begin_session(farm) == 0)
            while (!atomic_load(&farm->stopping) && turn(farm, &notified) == 0)
                backoff_ms = BACKOFF_LEAST_MS;
        connection_close(&farm->connection);
        pthread_mutex_lock(&farm->lock);
        farm->status.connected = false;
        pthread_mutex_unlock(&farm->lock);
        rest(farm, backoff_ms / 2 + (int)random() % (backoff_ms / 2 + 1));
        backoff_ms = backoff_ms * 2 < BACKOFF_MOST_MS ? backoff_ms * 2 : BACKOFF_MOST_MS;
    }
    return NULL;
}

/* --- begin and end --- */

void farm_wake(struct farm *farm)
{
    uint64_t one = 1;

    if (write(farm->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_error("farm: %s", strerror(errno));
}

static void release(struct farm *farm)
{
    if (farm->wake_fd >= 0)
        close(farm->wake_fd);
    free(farm->status.hosts);
    json_decref(farm->alone);
    free(farm->database);
    free(farm->node);
    free(farm->keep_local);
    free(farm);
}

static int name_node(struct farm *farm, const char *node, char *error)
{
    char own[FARM_NAME_SIZE] = "";
    uint64_t random_bits[2];

    if (node[0] == '\0' && gethostname(own, sizeof own - 1) == 0)
        node = own;
    farm->node = strdup(node);
    if (farm->node == NULL || node[0] == '\0' || !utf8_is_clean(node) ||
        getrandom(random_bits, sizeof random_bits, 0) != (ssize_t)sizeof random_bits) {
        text_sentence(error, FARM_ERROR_SIZE, "this host has no name: set node");
        return -1;
    }
    (void)snprintf(farm->instance, sizeof farm->instance, "%016" PRIx64 "%016" PRIx64,
                   random_bits[0], random_bits[1]);
    (void)text_copy(node, farm->status.node, sizeof farm->status.node);
    return 0;
}

/* "a,b"; they are short and few (config/check.c). NULL: no memory. */
static char *join_names(const char *const *names, size_t count)
{
    char text[512];
    struct buffer all = buffer_over(text, sizeof text);

    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        buffer_add(&all, "%s%s", i > 0 ? "," : "", names[i]);
    return strdup(text);
}

struct farm *farm_new(const struct farm_options *options,
                      char error[static FARM_ERROR_SIZE])
{
    struct farm *farm = calloc(1, sizeof *farm);

    text_sentence(error, FARM_ERROR_SIZE, "no memory");
    if (farm == NULL)
        return NULL;
    farm->blocklist = options->blocklist;
    atomic_init(&farm->number, options->number);
    farm->hooks = *options;
    farm->database = strdup(options->database);
    farm->keep_local = join_names(options->keep_local, options->keep_local_count);
    farm->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    farm->connection.wake_fd = farm->wake_fd;
    farm->status.read_ms = -1;
    if (farm->database == NULL || farm->keep_local == NULL || farm->wake_fd < 0 ||
        name_node(farm, options->node != NULL ? options->node : "", error) != 0) {
        release(farm);
        return NULL;
    }
    pthread_mutex_init(&farm->lock, NULL);
    pthread_cond_init(&farm->news, NULL);
    if (pthread_create(&farm->thread, NULL, farm_main, farm) == 0)
        return farm;
    text_sentence(error, FARM_ERROR_SIZE, "no thread can be started");
    release(farm);
    return NULL;
}

/* Who waits for the farm is let go. */
void farm_stop(struct farm *farm)
{
    struct timespec until = clock_timespec(clock_ms() + STOP_MS);

    if (farm == NULL || atomic_exchange(&farm->stopping, true))
        return;
    farm_wake(farm);
    pthread_mutex_lock(&farm->lock);
    pthread_cond_broadcast(&farm->news);
    pthread_mutex_unlock(&farm->lock);
    farm->joined = pthread_clockjoin_np(farm->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
    if (!farm->joined)
        (void)pthread_detach(farm->thread); /* it waits for the network */
}

void farm_free(struct farm *farm)
{
    if (farm == NULL)
        return;
    farm_stop(farm);
    if (!farm->joined)
        return; /* its thread may still use it; the process ends */
    pthread_mutex_destroy(&farm->lock);
    pthread_cond_destroy(&farm->news);
    release(farm);
}
