#ifndef DNSBL_REGISTRY_H
#define DNSBL_REGISTRY_H

/* The records of all lists ever configured, and the thread that asks their test points:
 * at the start, every health.interval, and soon after something odd was seen. */

#include "dnsbl/record.h"

/* state_path is the file that keeps states, suspensions, quotas and histories over a
 * restart; read here, NULL: none. Returns NULL without memory. */
struct dnsbl_registry *registry_new(const char *state_path);
void registry_free(
    struct dnsbl_registry *registry); /* after registry_stop and the resolver */

/* Starts the thread that asks test points, through resolver. Returns 0, or -1. */
int registry_start(struct dnsbl_registry *registry, struct resolver *resolver);

/* Ends it, writes the state file, and gives up what is held of resolver and
 * configurations. May be called without a start. */
void registry_stop(struct dnsbl_registry *registry);

/* The record of a list, made if there is none, watched from now on as that list of config
 * (of which it keeps a reference) through upstream. NULL: no memory. Any thread. */
struct dnsbl_record *registry_watch(struct dnsbl_registry *registry,
                                    struct config *config, const struct list *list,
                                    struct upstream *upstream);

/* Ends the watch of all lists that are not of config. Any thread. */
void registry_forget_others(struct dnsbl_registry *registry, const struct config *config);

/* The record of that name, or NULL. It lives as long as the registry. Any thread. */
struct dnsbl_record *registry_find(struct dnsbl_registry *registry, const char *name);

/* Waits until the record's first check is over, deadline_ms (CLOCK_MONOTONIC) at the
 * longest. Any thread. */
void registry_wait_checked(const struct dnsbl_record *record, int64_t deadline_ms);

/* Has the test points of a list asked soon. Any thread. */
void registry_check_soon(struct dnsbl_record *record);

/* An admin's word. suspend and resume return false where nothing changed; resume has the
 * list tested before it counts again. test asks the points now and waits for the result,
 * up to deadline_ms (not of a suspended list: its state would not change). Any thread. */
bool registry_suspend(struct dnsbl_record *record, const char *who);
bool registry_resume(struct dnsbl_record *record);
void registry_test(struct dnsbl_record *record, int64_t deadline_ms);

/* Says that a state has changed: those that wait for it look again, and it is written
 * down soon. Any thread; a record's lock may be held. */
void registry_state_changed(struct dnsbl_registry *registry);

#endif
