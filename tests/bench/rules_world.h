/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_RULES_WORLD_H
#define BENCH_RULES_WORLD_H

/* src/rules on a simulated clock: mail and events of one sender after the other, in the
 * order of their times, and what the rules find in them. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/usage.h"

#define HOUR      3600
#define DAY       86400
#define BEGIN     INT64_C(1790553600) /* unix time: a Monday, 00:00 UTC */
#define RULES_MAX 16
#define ACTS_MAX  60000
#define OWN       "own.example"

void chance_begin(uint64_t seed);
double chance(void);             /* 0 to 1 */
uint64_t mixed(uint64_t number); /* looks random for each */
double between(double low, double high);
double log_between(double low, double high); /* as many in each octave */
double exponential(double mean);
double log_normal(double mean, double sigma);
int poisson(double mean);

/* What a sender does at a time. */
struct act {
    int64_t at_s;
    enum { ACT_MAIL, ACT_BOUNCES, ACT_LIST_MAIL } kind;
    size_t order; /* of those at one time */
    int n;        /* recipients; of events: how many */
    int unknown;  /* recipients beside n that the MTA refuses */
    int traps;    /* recipients beside n that are traps */
    bool refused; /* by a DNS list, at its first recipient */
    uint32_t
        to; /* the first recipient's number, the others follow; 0: whom one writes to */
    bool is_usual; /* mail of a hijacked mailbox's owner */
    uint32_t network;
    char client_name[48]; /* confirmed; "" none */
};

struct world {
    struct config *config;
    struct suffix_list *suffixes;
    struct usage usage;
    struct act acts[ACTS_MAX]; /* to be played, in any order */
    size_t act_count, acts_added;

    const char *login;        /* of who sends now, "" a stranger */
    struct mail_address from; /* its sender */
    uint64_t tried;           /* recipients so far, but of usual mail */
    int contacts;        /* people it writes to again and again; 0: none, all are new */
    double new_contacts; /* the share of others among its recipients */
    bool is_usual;       /* acts that are added are usual mail */
    /* What was found: tried at the first time; 0: never. */
    uint64_t first[RULES_MAX];
    uint64_t listed[RULES_MAX]; /* the same of what may be listed, not only be proposed */
    bool against_own;           /* a finding for a login or an address of one's own */
};

/* Loads the rules of a folder, NULL: etc/rules.d of the source tree. They have watched for
 * 60 days at BEGIN. */
void world_begin(struct world *world, const char *folder);
void world_end(struct world *world);

/* Another sender: login "" for a stranger with this address; the texts are borrowed. */
void world_sender(struct world *world, const char *login, const char *address);

/* Nothing was found. */
void world_forget(struct world *world);

/* Adds a mail (its n recipients, dead of which do not exist), with a bounce for each dead
 * one elsewhere; the MTA knows those of its own domains. */
struct act *world_mail(struct world *world, int64_t at_s, uint32_t network, int n,
                       double dead);
/* Adds a report of another program. */
void world_event(struct world *world, int64_t at_s, int kind, int n);

/* Plays what was added and is before until_s, in the order of the times; the rest stays. */
void world_play(struct world *world, int64_t until_s);

#endif
