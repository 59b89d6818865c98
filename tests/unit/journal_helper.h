/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_HELPER_H
#define JOURNAL_HELPER_H

/* A journal in a directory of its own, for tests. What fails ends the test. */

#include "journal/journal_parts.h"
#include "journal/search.h"

/* A decision to put; NULL is "". */
struct sample {
    const char *client;
    uint8_t verdict;
    const char *sender, *login, *entry, *reason, *queue_id;
    const char *recipients[3];
};

/* A refusal with all of it. */
extern const struct sample full_sample;

/* What is remembered of one that was found. */
struct found {
    journal_id id;
    int64_t at_ms;
    uint8_t verdict;
    size_t recipients;
    uint64_t folded;
    bool folded_away;
    char queue_id[32], lists[64], mark[256];
};
#define FOUND_MAX 1000

struct box {
    struct journal_settings settings;
    char directory[64];
    struct journal *journal;
    struct journal_configuration *configuration;
    time_t since; /* of box_find */
    struct found found[FOUND_MAX];
    size_t count;
    bool more;
    struct journal_gap gap; /* the last of box_gaps */
    void *locked;           /* of box_lock_file */
};

/* The id of that second with that random part. */
journal_id id_at(time_t second, unsigned random);

void box_start(struct box *box);   /* box_prepare and box_open */
void box_prepare(struct box *box); /* the settings; the directory is not there */
void box_open(struct box *box);
void box_close(struct box *box);
void box_restart(struct box *box);
void box_end(struct box *box); /* closes it and removes the directory */

void box_put(struct box *box, journal_id id, bool refused, const struct sample *sample);
/* Only recipients and queue id: what follows. */
void box_put_more(struct box *box, journal_id id, bool refused,
                  const struct sample *sample);

/* These fill found and count. */
unsigned box_find(struct box *box, enum token token, const char *value, unsigned limit);
bool box_find_id(struct box *box, journal_id id);
unsigned box_walk(struct box *box); /* fails where one comes twice */
unsigned box_gaps(struct box *box);

/* A minute of which some seconds are left, which floods have not been counted in. */
time_t box_new_minute(struct box *box);
void box_retry_now(struct box *box); /* does not wait ten seconds */

/* Holds the file of that day, so that nobody can write it. */
void box_lock_file(struct box *box, time_t day, const char *kind);
void box_unlock_file(struct box *box);

/* Files, by their names in the directory ("": itself). */
const char *box_day_name(time_t day,
                         const char *kind); /* until the next call but three */
bool box_has(struct box *box, const char *name);
void box_text_file(struct box *box, const char *name, const char *text);
void box_folder(struct box *box, const char *name);
void box_old_file(struct box *box, const char *name, size_t size);         /* of zeros */
void box_overwrite(struct box *box, time_t day, size_t from, size_t size); /* refused */
void box_truncate(struct box *box, time_t day, size_t size);
void box_remove_day(struct box *box, time_t day); /* refused */
void box_remove_files(struct box *box);           /* all */
unsigned box_count_files(struct box *box, const char *part_of_name);
bool box_files_hold(struct box *box, const char *text); /* their raw octets, any case */

unsigned box_open_files(void); /* descriptors of this process */

#endif
