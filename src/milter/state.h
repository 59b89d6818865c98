/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef MILTER_STATE_H
#define MILTER_STATE_H

/* What the callbacks share: libmilter hands them nothing but its own context. Private to
 * this folder. */

#include <libmilter/mfapi.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "milter/milter.h"
#include "milter/pool.h"
#include "policy/session.h"

struct milter {
    struct policy_slot *slot;
    struct pool_wakeup wakeup;
    unsigned max_open; /* sessions; more are not judged */
    bool over_tcp;     /* the MTA comes by an inet socket */
    atomic_bool stopping;
    atomic_uint in_flight; /* callbacks that judge */
    struct progress progress[STAGE_EOM + 1];
    atomic_uint open, waiting;
    atomic_uint_fast64_t connections, unnamed, messages, blocklisted, turned_away;
    atomic_uint_fast64_t verdicts[VERDICT_REJECT + 1];
};
extern struct milter milter;

/* One session of the MTA. */
struct connection {
    struct session *session;
    unsigned long silent;  /* SMFIP_NR_… : the stages that get no reply */
    unsigned forged[2];    /* headers of our names that the message came with */
    bool hears_refused;    /* RCPT comes for what the MTA itself has refused, too */
    bool recipient_exempt; /* one of the message's is */
    bool accept_logged;    /* of the current message */
    bool verdict_counted;  /* its verdict was counted */
    bool turned_away;      /* not judged: see on-error */
    bool open_counted;     /* counted in milter.open */
};

/* A callback touches what is ours only between these two, so that a stop can wait for it.
 * False: the daemon stops, and there is nothing to leave. */
bool milter_enter(void);
void milter_leave(void);

#define FORGED_SCORE 0
#define FORGED_LISTS 1
extern const char *const forged_names[2];

/* The callbacks of smfiDesc. */
sfsistat milter_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1,
                          unsigned long f2, unsigned long f3, unsigned long *pf0,
                          unsigned long *pf1, unsigned long *pf2, unsigned long *pf3);
sfsistat milter_connect(SMFICTX *ctx, char *hostname, _SOCK_ADDR *addr);
sfsistat milter_helo(SMFICTX *ctx, char *helo);
sfsistat milter_mail(SMFICTX *ctx, char **argv);
sfsistat milter_rcpt(SMFICTX *ctx, char **argv);
sfsistat milter_data(SMFICTX *ctx);
sfsistat milter_header(SMFICTX *ctx, char *name, char *value);
sfsistat milter_eom(SMFICTX *ctx);
sfsistat milter_abort(SMFICTX *ctx);
sfsistat milter_close(SMFICTX *ctx);

/* Refuses or defers with the codes of the decision's verdict (policy/reply.h) and its text.
 * Returns what the callback is to return. */
sfsistat response_refuse(SMFICTX *ctx, const struct decision *decision);

/* At the end of a message: takes forged headers out, puts ours in. */
void response_headers(SMFICTX *ctx, const struct connection *connection);

#endif
