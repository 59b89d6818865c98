/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FARM_FARM_H
#define FARM_FARM_H

/* One blocklist on many hosts: a thread that sends this host's changes to a PostgreSQL
 * server and takes the others' from there (docs/farm.md). Mail never waits for it: each host
 * answers from its own database, and the server may be gone for as long as it likes. */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <jansson.h>

#include "blocklist/admin.h"

struct farm;

#define FARM_ERROR_SIZE 512
#define FARM_NAME_SIZE  256
#define FARM_HOSTS_MAX  1000

/* Borrowed. */
struct farm_count {
    const char *node, *kind, *key, *body;
};

struct farm_options {
    struct blocklist *blocklist;   /* opened with farm set */
    const char *database;          /* a libpq connection string */
    const char *node;              /* "": the host's name */
    const char *const *keep_local; /* sources that are not shared, as it was opened */
    size_t keep_local_count;
    /* What DNS lists alone refused here, for the others: an array of {"list","refused","wrong"
     * (marked as such),"ids": some of these, with blanks between}; NULL: no memory. For the
     * farm's thread. */
    json_t *(*alone)(void *context);
    /* What this host has counted, and what the others have, each some seconds: rules/others.h.
     * Of what is reported the texts are kind, key and body. For the farm's thread. */
    json_t *(*report_counts)(void *context);
    void (*hear_counts)(void *context, const char *own_node, unsigned hosts,
                        const struct farm_count *rows, size_t count);
    /* What rules found: what is to be reported, NULL not now; that it was; what another
     * host has reported; that all is to be reported again, -1: not now. rules/rules.h. */
    json_t *(*report_findings)(void *context, size_t limit);
    void (*reported_findings)(void *context, const json_t *rows);
    void (*hear_finding)(void *context, const char *own_node, const json_t *row);
    int (*forget_reported)(void *context);
    void *context;
    int number; /* of this host, 0 to 63, in the ids of its decisions (journal/id.h) */
};

/* Starts the thread. Returns NULL, with error, where it cannot be. */
struct farm *farm_new(const struct farm_options *options,
                      char error[static FARM_ERROR_SIZE]);

/* Ends the thread, which is not waited for longer than a second, and whoever waits in a call
 * below. Frees nothing, as they may still be under way. NULL is fine. */
void farm_stop(struct farm *farm);

/* Does the same where it is not done yet, and frees, unless the thread still waits for the
 * network: then the process has to end. Nobody may use it any more. */
void farm_free(struct farm *farm);

/* The name of this host there. Lives as long as farm. Any thread. */
const char *farm_node(const struct farm *farm);

/* This host has another number from now on. Any thread. */
void farm_renumber(struct farm *farm, int number);

/* Whether what this host changed until now is in force elsewhere. */
struct farm_reach {
    bool reached; /* the farm has it */
    unsigned have, hosts;
    int64_t waiting;             /* keys that the farm does not have yet */
    char error[FARM_ERROR_SIZE]; /* why not; "" it has not answered yet */
};
/* Waits until all hosts have it, at most that long; not at all where the farm cannot be
 * reached. Any thread but a message's. */
void farm_reach(struct farm *farm, int wait_ms, struct farm_reach *out);

struct farm_host {
    char name[FARM_NAME_SIZE], version[64];
    bool own, twice; /* twice: two hosts have this name */
    int64_t since; /* unix time of the first beat, or of the last change of its version */
    int64_t seen_ms; /* ago; -1 never since the server's start */
    int64_t lag_ms;  /* age of the oldest change that it has not; 0 none */
    int64_t entries, waiting, refused;
    int number; /* -1 unknown */
};

struct farm_status {
    char node[FARM_NAME_SIZE];
    bool connected;
    char server[FARM_NAME_SIZE]; /* "db1:5432/rblmilter" */
    int server_version;          /* as libpq has it: 150018 */
    bool tls, leaves_host, has_standby;
    char error[FARM_ERROR_SIZE]; /* "" or why it is not reached, or what else is wrong */
    int64_t read_ms;             /* since all that there was, was read; -1 never */
    int64_t offset_ms;           /* of the server's clock to ours */
    int64_t waiting, refused;
    char refused_why[FARM_ERROR_SIZE]; /* the last one: "name: why" */
    uint64_t sent, taken, reconciled;
    struct farm_host *hosts; /* farm_status_end frees */
    unsigned host_count;
};
void farm_status(struct farm *farm, struct farm_status *out);
void farm_status_end(struct farm_status *status);

/* Has the thread compare all with the farm, and repair what differs: counts of rows, and the
 * first rows that differed as "entry source: here …, farm …", each for report. full: also
 * what the rows say, not only their versions. Returns 0, or -1 with error. */
struct farm_comparison {
    int64_t here, there, seq;
    int64_t older, missing;   /* rows that the farm had newer, or this host had not */
    int64_t newer, not_there; /* the other way round */
    int64_t
        other; /* of full: rows of one version that say something else; not repaired */
    int64_t refused;
    char rows[10][200]; /* the first that differed */
    unsigned row_count;
};
int farm_compare(struct farm *farm, bool full, int wait_ms, struct farm_comparison *out,
                 char error[static FARM_ERROR_SIZE]);

/* How often an entry has matched on the other hosts. Returns 0, or -1: the farm cannot say so
 * within that time. Any thread but a message's. */
struct farm_hits {
    int64_t hits, last; /* last: unix time, 0 never */
    unsigned hosts;     /* on which it has */
};
int farm_hits(struct farm *farm, const char *entry, int wait_ms, struct farm_hits *out);

/* The same of all the other hosts together, as far as it was heard; NULL: no memory. Any
 * thread. */
json_t *farm_alone(struct farm *farm);
/* Something was marked: the others hear of it soon. Any thread. */
void farm_alone_changed(struct farm *farm);

/* Has a host's name forgotten. 1: done, 0: there is none of that name, -1 with error. */
int farm_forget(struct farm *farm, const char *node, int wait_ms,
                char error[static FARM_ERROR_SIZE]);

/* Makes the tables, with an owner's connection string. Writes what was done, a sentence.
 * Returns 0, or -1. No struct farm is needed. */
int farm_init(const char *database, char said[static FARM_ERROR_SIZE]);

/* Whether this program was built with the farm, and libpq's version or "". */
bool farm_is_built_in(void);
const char *farm_library_version(void);

#endif
