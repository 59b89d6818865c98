/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef POLICY_REPLAY_H
#define POLICY_REPLAY_H

/* A decision that the journal kept, judged by another configuration: what the lists
 * answered then is weighed again. What they were not queried for then, or had not answered,
 * is not guessed: the verdict lies between two bounds. Lists of the two configurations are
 * the same where their names are, and their answers where the zone and the form of the
 * query are, too. One thread for each struct. */

#include <stdbool.h>
#include <stdint.h>

#include "journal/record.h"
#include "policy/envelope.h"
#include "policy/verdict.h"

/* Why a verdict is not known. */
enum replay_unknown {
    UNKNOWN_NOTHING,
    UNKNOWN_NOT_QUERIED, /* the list was not queried about the subject */
    UNKNOWN_NO_ANSWER,   /* the list had not answered when the verdict was given */
    UNKNOWN_OTHER_QUERY, /* the list was queried under another zone, or in another form */
    UNKNOWN_BLOCKLIST,   /* more would be looked up in the sender blocklist */
    UNKNOWN_NOT_JUDGED,  /* all its recipients were exempt */
    UNKNOWN_LATER_FACTS, /* it was refused before its sender or recipients were known */
    UNKNOWN_LOCAL_PART,  /* only hashes are kept */
    UNKNOWN_RECORD       /* the record does not say why it got its verdict */
};

struct replayed {
    enum verdict mildest, severest; /* equal: it is known */
    enum replay_unknown unknown;    /* where they differ */
    const struct list *list;        /* that it is about; NULL none. Borrowed */
    /* what it was made of, for replay_is_same: */
    struct tally tally;
    uint64_t silent; /* a hash of the lists that said nothing, and of what is not sure */
    const char *exempt;
    size_t exempt_recipients;
};

/* One configuration, held against the one of the records. */
struct replay;

/* Borrows both. NULL: no memory. */
struct replay *replay_new(const struct config *config, const struct config *then);
void replay_free(struct replay *replay); /* NULL is fine */

/* One decision, made ready for several judgements. Zero-initialise. */
struct replay_case {
    const struct record *record;
    const struct config *then;
    const struct record_answer **answers; /* [list of then * CHECK_COUNT + check] */
    size_t answer_room;
    struct envelope envelope;
    bool helo_known, sender_known; /* read into envelope */
    bool asked_all;                /* nothing kept the lists from being queried */
};

/* record and then, the configuration that it was decided by, are borrowed until the next
 * call. Returns 0, or -1 without memory. */
int replay_case_set(struct replay_case *c, const struct record *record,
                    const struct config *then);
void replay_case_clear(struct replay_case *c);

/* Judges it. The replay's then must be the case's. */
void replay_judge(const struct replay *replay, struct replay_case *c,
                  struct replayed *out);

/* What became of the message then: the verdict, but that an exempt recipient saves it at
 * its end. */
enum verdict replay_was(const struct record *record);

/* Whether nothing that bears on the decision differs between two judgements of it, whatever
 * was silent then: it would be as it was. */
bool replay_is_same(const struct replay *a, const struct replayed *of_a,
                    const struct replay *b, const struct replayed *of_b);

#endif
