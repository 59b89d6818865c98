/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_RULES_PARTS_H
#define RULES_RULES_PARTS_H

/* What rules.c and decide.c share. Private to this folder. */

#include <pthread.h>
#include <stdatomic.h>

#include "rules/rules.h"

#define RULES_RECENT_SIZE 1024

/* A finding on its way to the thread: its rule by name, as the configuration may change. */
struct queued {
    struct finding finding;
    char rule[64];
    char login[COUNTER_KEY_SIZE], sender[COUNTER_KEY_SIZE], client[COUNTER_KEY_SIZE];
    char shared[80];
};

struct rules {
    struct rules_options options;
    char *folder, *database;
    struct counters *counters;
    struct own_domains *own;
    struct others *others;
    _Atomic bool counts;
    _Atomic uint64_t found, dropped;
    _Atomic uint64_t
        recent[RULES_RECENT_SIZE]; /* high: hash of rule and key; low: seconds */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;  /* the thread */
    pthread_cond_t done;  /* those who wait for it */
    struct config *config;
    struct findings *findings; /* set once it is open; lives as long as the rules */
    char error[FINDINGS_ERROR_SIZE];
    struct queued *queue;
    size_t first, count;
    bool busy;       /* the thread is at one */
    uint64_t events; /* noted so far */
    bool started, stopping;
    bool configured; /* since the last look */
    pthread_t thread;
    int64_t opened_ms;   /* the last attempt */
    int64_t wall_offset; /* of the wall clock to the steady one, s: the thread's */
};

/* A reference to the configuration in force. Any thread. */
struct config *rules_config(struct rules *rules);

/* A rule of a configuration by its name; NULL: there is none. */
const struct rule *rules_find(const struct config *config, const char *name);

/* Who was listed by a rule, here or on another host, begins again with its counts. */
void rules_begin_again(struct rules *rules, const struct config *config, const char *name,
                       const char *key);

/* decide.c, for the thread: what is made of a finding; and what became of proposals and
 * entries. */
void rules_decide(struct rules *rules, struct queued *queued);
void rules_look(struct rules *rules);

#endif
