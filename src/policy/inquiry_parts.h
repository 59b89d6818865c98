#ifndef POLICY_INQUIRY_PARTS_H
#define POLICY_INQUIRY_PARTS_H

/* What the files of the inquiry share: inquiry.c (its life, and asking), inquiry_wait.c
 * (the tally, waiting for answers), inquiry_reason.c (the list's own words),
 * inquiry_settle.c (what counted, and what it says of the lists). Private to them. */

#include <pthread.h>

#include "policy/inquiry.h"

/* A batch is what one stage asked. It is freed by whoever is last: the session that
 * forgets it, or the answer to its last open question. */
struct batch {
    struct batch *next;
    struct inquiry *inquiry; /* a reference, as long as questions are open */
    enum stage stage;
    bool is_reason; /* one TXT question */
    bool forgotten;
    int64_t asked_ms;
    struct shed_network network; /* the client's, where open lookups are counted */
    unsigned open;
    size_t count;
    struct question questions[];
};

/* A list's part of the score, and whose turn it is. */
struct list_sum {
    int weight;
    bool open;
    bool had_turn; /* it waits for others (after), and was asked or had nothing to ask */
    unsigned turn; /* the checks to be asked now: 1u << CHECK_… */
};

struct inquiry {
    pthread_mutex_t lock; /* of refs, waiting, the chain of batches and their answers */
    pthread_cond_t answered;
    unsigned refs;              /* the session, and each batch with open questions */
    bool judged;                /* the message has its verdict, by the score */
    const struct wait *waiting; /* while the session sleeps: what for; else NULL */
    struct policy *policy;      /* a reference */
    struct batch *first;        /* of the session; in the order of asking */
    struct list_sum sums[]; /* one a list of the policy; the session's thread only, but
                               for a tally while it sleeps */
};

/* Whether the list waits for another one that has not had its say yet; lock held. */
bool inquiry_must_wait(const struct inquiry *inquiry, const struct list *list);

/* The score of what is answered (or, settled, of what counted), list by list, and how far
 * the rest may move it; fills in the sums. Lock held. */
struct tally inquiry_tally(struct inquiry *inquiry, bool settled);

/* Whether there is nothing more to wait for; lock held. Lists whose turn has come are
 * reported in *turn, to be asked first. */
bool inquiry_is_settled(struct inquiry *inquiry, const struct wait *wait, bool *turn);

/* When a question is given up. */
int64_t inquiry_overdue_ms(const struct question *question);

/* At the end of a message that was judged: counts for each list what it alone had. Lock
 * held. */
void inquiry_account_alone(struct inquiry *inquiry);

/* Waits for the next answer, or until something else is due; lock held, but not while
 * on_wait is called. *call_ms begins as 0: when on_wait is due. */
void inquiry_wait_once(struct inquiry *inquiry, const struct wait *wait,
                       int64_t *call_ms);

#endif
