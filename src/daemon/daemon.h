/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

/* The parts of the running daemon, put together: started, reloaded and stopped in the
 * right order. */

#include "blocklist/blocklist.h"
#include "config/config.h"
#include "control/control.h"
#include "daemon/user_queries.h"
#include "dns/resolver.h"
#include "dnsbl/dnsbl.h"
#include "farm/farm.h"
#include "policy/policy.h"

struct daemon {
    const char *path; /* of the conf file */
    bool foreground;
    pthread_mutex_t reload_lock; /* one at a time, also against rblctl's */
    time_t started_at;
    struct resolver *resolver;
    struct prober *prober;
    struct blocklist *blocklist;
    struct farm *farm; /* NULL: this host is alone */
    struct journal *journal;
    struct rules *rules;
    struct suffix_list *suffixes; /* for what an admin lists; NULL: there is none */
    struct policy_slot slot;
    struct dns_budget budget; /* of rblctl's users who may only read */
    atomic_bool trying;       /* a zone, for rblctl dnsbl try */
    atomic_bool replaying;    /* the journal, for rblctl whatif */
    atomic_bool stopping;     /* commands that take long are to end */
    struct control *control;
    struct command_table commands; /* the control socket's */
};

/* Sees that no other daemon is in our place, becomes the configured user, opens the
 * blocklist, the resolver and the first policy; when all is ready the sockets (the
 * milter's with root's rights, where we have them), and drops root. config is
 * borrowed. Returns 0, or -1 with the reason logged; daemon_free is to be called
 * then. */
int daemon_start(struct daemon *daemon, struct config *config);

/* Stops rblctl's socket, the lists' tests and the blocklist: what was acknowledged is on
 * disk. Frees nothing, and leaves the resolver alone, as callbacks may still be under
 * way; the end of the process is next. */
void daemon_stop(struct daemon *daemon);

/* Stops and frees what a failed start has left. */
void daemon_free(struct daemon *daemon);

/* Reads the conf file again. What is wrong is reported and changes nothing. Returns 0, or
 * -1. Any thread. */
int daemon_reload(struct daemon *daemon, config_report *report, void *context);

/* A config_report that logs; context is not used. */
void daemon_log_report(void *context, const char *text);

#endif
