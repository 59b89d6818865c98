/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RULES_FINDINGS_H
#define RULES_FINDINGS_H

/* What rules found, kept: proposals, entries that rules made, their evidence, and what
 * happened to them, in a database of its own beside the blocklist's: it may be damaged or
 * gone without a listing being lost. Any thread; each call waits for the disk, and no call
 * is for a message's way. Times are unix seconds. Functions that return an int return 0, or
 * -1 with the cause logged. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct findings;

#define FINDINGS_ERROR_SIZE 512
#define PROPOSAL_S          (7 * 86400) /* so long a proposal waits for a person */

/* Opens the database, or makes it. A damaged one is put aside (NAME.damaged-TIME), which is
 * logged. NULL with a sentence in error. */
struct findings *findings_open(const char *path, char error[static FINDINGS_ERROR_SIZE]);
void findings_close(struct findings *findings); /* NULL is fine */

enum finding_state {
    FINDING_OPEN,      /* a proposal that waits for a person */
    FINDING_PENDING,   /* its entry is being made, or is to be made after a kill */
    FINDING_LISTED,    /* its entry was made */
    FINDING_DISMISSED, /* a person said no */
    FINDING_EXPIRED,   /* nobody has said anything for 7 days */
    FINDING_ENDED,     /* its entry was made, and has reached its end */
    FINDING_REMOVED    /* its entry was made, and a person took it away */
};
const char *finding_state_name(enum finding_state state);

/* One finding. Texts are never NULL in what is read. */
struct finding_row {
    int64_t no; /* given by findings_add */
    int64_t at;
    const char *rule, *entry, *key, *because;
    enum finding_state state;
    bool by_rule;             /* a rule alone made the entry, no person */
    bool block;               /* else tempfail */
    int64_t for_s;            /* 0: forever */
    int64_t expires;          /* of the entry; 0: never, or none was made */
    const char *held;         /* why it was only proposed, "" */
    const char *evidence;     /* JSON */
    const char *who, *reason; /* of the last decision about it */
    int64_t decided_at;
    const char *node; /* the host of the farm that found it; "" this one */
    int64_t id;       /* on all hosts of the farm; set in what is read */
};

/* Adds one, which a kill does not lose; its number is in row->no. */
int findings_add(struct findings *findings, struct finding_row *row);

/* Another state of one, decided by who ("" the rule); expires is the entry's. */
int findings_decide(struct findings *findings, int64_t no, enum finding_state state,
                    const char *who, const char *reason, int64_t expires, int64_t now);

/* What is known about it, which may take a while to gather. */
int findings_evidence(struct findings *findings, int64_t no, const char *evidence);

typedef void findings_each_row(void *context, const struct finding_row *row);

/* Calls each for the findings of these states (1u << FINDING_…; 0: all), of an entry (NULL:
 * all), newest first; each must not call findings. limit 0: all. */
int findings_each(struct findings *findings, unsigned states, const char *entry,
                  size_t limit, findings_each_row *each, void *context);

/* What is known of a rule and an entry. */
struct finding_history {
    bool is_open;         /* there is a proposal */
    int steps;            /* entries made within 90 days, since a person took one away */
    int64_t dismissed_at; /* the last time; 0 never */
};
int findings_history(struct findings *findings, const char *rule, const char *entry,
                     int64_t now, struct finding_history *out);

/* How many entries rules alone have made since then, and of how many logins but this one. */
int findings_made(struct findings *findings, int64_t since, const char *but, int64_t *out,
                  int64_t *logins);

/* --- what the hosts of a farm share: findings_shared.c --- */

/* All of the last 90 days counts as unreported. */
int findings_forget_reported(struct findings *findings, int64_t now);

/* Those that the farm does not have as they are: an array of objects with all of struct
 * finding_row but no; up to limit. NULL: it cannot be read. */
json_t *findings_unreported(struct findings *findings, size_t limit, int64_t now);

/* The farm has these, as findings_unreported gave them. */
int findings_reported(struct findings *findings, const json_t *rows);

/* One that the farm has: taken where it is new here or what became of it is newer; one that
 * fails a check is left out. Returns 1 where an entry was made of it elsewhere, which is news
 * here: then rule and key are in *rule and *key, borrowed from row; else 0, or -1. */
int findings_hear(struct findings *findings, const json_t *row, const char *own_node,
                  int64_t now, const char **rule, const char **key);

/* --- rules --- */

struct finding_rule {
    int64_t since;                 /* the rule is as it is since then */
    int64_t tripped_at;            /* 0: not */
    char why[FINDINGS_ERROR_SIZE]; /* it tripped */
};

/* Notes that a rule is as text says (all but its mode), and reads what is known of it. */
int findings_rule(struct findings *findings, const char *name, const char *text,
                  int64_t now, struct finding_rule *out);
/* The same of one that is noted already; all 0 of another. */
int findings_rule_state(struct findings *findings, const char *name,
                        struct finding_rule *out);
int findings_trip(struct findings *findings, const char *name, const char *why,
                  int64_t now);
/* Returns 1 where it was not tripped. */
int findings_resume(struct findings *findings, const char *name);

/* Findings of a rule by their state, since then; accepted: those whose entry a person made. */
int findings_counts(struct findings *findings, const char *rule, int64_t since,
                    int64_t counts[static FINDING_REMOVED + 1], int64_t *accepted);

/* --- what happened, for rblctl watch --- */

struct finding_event {
    int64_t id, at, no;
    const char *kind; /* proposed, listed, accepted, dismissed, expired, ended, removed,
                         tripped, resumed */
    const char *rule, *entry, *text, *who;
};
int findings_note(struct findings *findings, const struct finding_event *event);
typedef void findings_each_event(void *context, const struct finding_event *event);
/* Those after an id, oldest first; after -1: none, only *last is set to the newest id. */
int findings_events(struct findings *findings, int64_t after, size_t limit,
                    findings_each_event *each, void *context, int64_t *last);

/* Forgets what is of no use any more. */
int findings_prune(struct findings *findings, int64_t now);

#endif
