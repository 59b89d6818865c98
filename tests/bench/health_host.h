/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_HEALTH_HOST_H
#define BENCH_HEALTH_HOST_H

/* One host with its lists: src/dnsbl as it is, its prober's thread too, on a simulated
 * clock (health_turns.h): what its mail asks, and what becomes of it. */

#include "dnsbl/dnsbl.h"
#include "health_world.h"

/* What a list does, from when on, and how long. */
struct fate {
    enum { FATE_USUAL, FATE_DOWN, FATE_SUSPENDED, FATE_AWAY, FATE_LIES } is;
    enum { LIES_ALL, LIES_HALF, LIES_IPV6, LIES_COUNT } lies; /* about whom */
    double until_s, ended_s;
    uint64_t number;      /* of the liar: another half each time */
    unsigned mails;       /* since it lies */
    unsigned cost, later; /* judged wrongly since it does: until it was found, and then */
    bool found;
    int names; /* it has had: a list added in the middle has a new one */
};

struct host {
    struct world world;
    struct fate fates[LISTS];
    struct dnsbl_set set;
    struct config *config;
    struct prober *prober;
    enum health was[LISTS][2];
    /* what happened */
    uint64_t suspicions, checks, queries;
    uint64_t disabled;  /* honest lists */
    uint64_t refused;   /* clean mails, and no list lied */
    uint64_t passed;    /* listed ones, in spite of a list that counts, and none lied */
    int64_t longest_ms; /* that a mail waited */
};

/* regulars: whether clients and domains have been seen on earlier days. Ends the program
 * without memory. */
void host_begin(struct host *host, const struct site *site, bool regulars);
void host_end(struct host *host);

/* The configuration is read again, without the lists that are away. */
void host_reload(struct host *host);

/* The item of a list, or NULL. */
struct dnsbl *host_list(struct host *host, int list);

/* Lets time go on until the next client comes, and does what it sets off. */
void host_next(struct host *host);

#endif
