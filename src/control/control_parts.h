/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_CONTROL_PARTS_H
#define CONTROL_CONTROL_PARTS_H

/* What the files of the server share: control.c lets clients in and shows them out,
 * rights.c says who they are and what they may do, connection.c serves one. Private to
 * them. */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/control.h"
#include "control/listener.h"

/* Slow commands wait for their turn in one of three lanes, so that none of a writer waits
 * behind readers, and no change behind a look. */
enum lane { LANE_QUICK, LANE_READERS, LANE_READS, LANE_WRITES };
#define LANE_COUNT 4

enum connection_state {
    CONNECTION_QUIET,   /* waits for a whole request */
    CONNECTION_WAITING, /* has one that waits for its turn */
    CONNECTION_RUNNING,
    CONNECTION_ANSWERING
};

/* What a client has sent, as far as it is read. */
struct lines {
    int fd;
    char *in;
    size_t used, size;
    size_t searched; /* of used: no newline there */
    size_t taken;    /* of used: the line handed out last */
};

struct connection {
    struct control *control;
    struct lines lines;
    struct control_session session;

    /* under the control's lock: */
    enum connection_state state;
    int64_t since_ms; /* of the state; CLOCK_MONOTONIC */
    bool shown_out;   /* no further request is taken */
    struct connection *prev, *next;
};

struct control {
    const struct command_table *table;
    uid_t owner;
    gid_t group;
    int patience_ms, stop_ms;
    size_t place_count, reader_place_count;
    struct listener listener;
    pthread_t accepting; /* if started */
    bool started;

    pthread_mutex_t lock; /* of all below, and never held for long */
    bool stopping;
    struct connection *connections;
    size_t connection_count;
    pthread_cond_t left; /* a connection has; or the stop */
    unsigned running[LANE_COUNT];
    pthread_cond_t turn[LANE_COUNT]; /* of one who waits there; or the stop */
};

/* The thread of a connection: argument, a struct connection of the control's list, which
 * it takes out and frees. */
void *connection_main(void *argument);

/* Lock held. */
void connection_enter(struct connection *c, enum connection_state state);

/* Who is at the other end of a control connection, by the kernel's word alone, and what
 * they may do. */

/* The right of a process of user uid with these groups towards a daemon of owner and
 * group: root and the owner may write, the group's members may read, others nothing. */
enum right peer_right(uid_t uid, const gid_t *groups, size_t group_count, uid_t owner,
                      gid_t group);

/* Asks the kernel about the socket's peer (SO_PEERCRED, SO_PEERGROUPS: as they were when
 * it connected). Returns 0, or -1 with errno set; the peer then has no right. The name is
 * left empty: see peer_name. */
int peer_of(int fd, uid_t owner, gid_t group, struct peer *out);

/* Finds the login name. Apart, because it may ask a directory server: it blocks. */
void peer_name(struct peer *peer);

#endif
