#ifndef DNSBL_REGISTRY_PARTS_H
#define DNSBL_REGISTRY_PARTS_H

/* What registry.c (the records, and an admin's word) and registry_tests.c (the thread
 * that asks test points) share. Private to them. */

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dnsbl/registry.h"

#define STATE_EVERY_MS 600000
#define UNWATCHED_MS   INT64_MAX

struct dnsbl_registry {
    pthread_mutex_t lock; /* taken before no record's lock is, and after it may be */
    pthread_cond_t changed;
    struct dnsbl_record *first;
    struct resolver *resolver;
    pthread_t thread;
    bool running, stopping;
    bool news; /* since the thread began its round: it must not sleep after it */
    char *state_path;
    json_t *saved;    /* what the state file said at the start; NULL: nothing */
    int64_t write_ms; /* when the state file is due */
};

/* Something changed that the thread or a waiter may want to know; lock held. */
static inline void registry_tell(struct dnsbl_registry *registry)
{
    registry->news = true;
    pthread_cond_broadcast(&registry->changed);
}

#endif
