/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FARM_FARM_H
#define FARM_FARM_H

/* One blocklist on many hosts: a thread that sends this host's changes to a PostgreSQL
 * server and takes the others' from there (docs/farm.md). Mail never waits for it: each host
 * answers from its own database, and the server may be gone for as long as it likes. */

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "blocklist/admin.h"

struct farm;

#define FARM_ERROR_SIZE 512
#define FARM_NAME_SIZE  256
#define FARM_HOSTS_MAX  1000

struct farm_options {
    struct blocklist *blocklist;   /* opened with farm set */
    const char *database;          /* a libpq connection string */
    const char *node;              /* "": the host's name */
    const char *const *keep_local; /* sources that are not shared, as it was opened */
    size_t keep_local_count;
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
