#ifndef POLICY_INQUIRY_H
#define POLICY_INQUIRY_H

/* All questions that a session has asked: those that are open and those answered. They
 * are asked in batches, one a stage; the answers come on the resolver's thread while the
 * session's own goes on. The session may end with questions open: what they need lives
 * until the last was answered. Functions are for the session's thread, one at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dnsbl/dnsbl.h"
#include "policy/facts.h"
#include "policy/policy.h"
#include "policy/verdict.h"

struct inquiry;
struct batch;

/* One list asked about one subject. What is not const to the resolver's thread (all from
 * open on) is read under the inquiry's lock, or when open is false for good: after
 * inquiry_settle. */
struct question {
    struct dns_lookup lookup;
    struct batch *batch;
    struct dnsbl *dnsbl;
    enum check check;
    bool open;    /* asked, not answered */
    bool counted; /* answered before the verdict: it counted */
    bool late;    /* waited for in vain: it could have changed the verdict */
    bool watched; /* its list's health was shown the client (record_watch) */
    bool cached, stale;
    bool remembered; /* of a list that is down or over its limit: not asked anew */
    const char
        *aside; /* why the list was not asked, or its answer does not count; or NULL */
    int weight; /* once counted: what it adds to the score */
    enum dns_status status;
    int took_ms;     /* from asking to answer; 0 from the cache */
    int64_t came_ms; /* when the answer came, perhaps for another session; 0: failed */
    struct listing listing;
    struct dns_answer *text; /* of a TXT question: its answer; else NULL */
};

struct inquiry *inquiry_new(struct policy *policy); /* NULL: no memory */

/* Forgets all; open questions end by themselves. NULL is fine. */
void inquiry_free(struct inquiry *inquiry);

/* Asks every list that has a question at this stage about these facts. Returns 0, or -1
 * without memory (nothing of this stage is asked then). STAGE_RCPT asks the lists that
 * wait for others (after) whose turn has come. */
int inquiry_ask(struct inquiry *inquiry, enum stage stage, const struct facts *facts);

/* Forgets the questions of that stage and of later ones: a HELO given anew, the next
 * message. */
void inquiry_forget(struct inquiry *inquiry, enum stage from);

/* Asks for a list's reason (TXT) for what a question found. Returns 0, or -1. */
int inquiry_ask_reason(struct inquiry *inquiry, const struct question *listed,
                       const struct facts *facts);

/* The reason, cleaned of control characters and of the list's key; "" while there is
 * none. */
void inquiry_reason(struct inquiry *inquiry, char *out, size_t size);

/* What to wait for. */
enum wait_for {
    WAIT_VERDICT,     /* until no open answer can change it */
    WAIT_ALLOW_LISTS, /* until the allow lists have answered */
    WAIT_ALL
};

/* How to wait for answers. */
struct wait {
    int64_t deadline_ms; /* CLOCK_MONOTONIC */
    enum wait_for what;
    const struct facts *facts; /* for the lists whose turn comes while waiting (after) */
    /* Called before the first wait, and again each time that as many ms have passed as
     * the last call returned; -1: no more. May be NULL. */
    int (*on_wait)(void *context);
    void *context;
};

/* Waits until what was wanted is there, all is answered, or the deadline has passed. */
void inquiry_wait(struct inquiry *inquiry, const struct wait *wait);

/* The same for the reason: until it is answered. */
void inquiry_wait_reason(struct inquiry *inquiry, const struct wait *wait);

/* Marks what is answered now as counted, and as late what was waited for in vain; the
 * marks and these answers do not change any more. Returns the tally of just those. */
struct tally inquiry_settle(struct inquiry *inquiry, const struct wait *wait);

/* Whether a question is answered now, also after the verdict. */
bool inquiry_is_answered(struct inquiry *inquiry, const struct question *question);

/* Walks the questions in the order of asking, TXT questions left out: NULL begins, NULL
 * ends. */
const struct question *inquiry_next(const struct inquiry *inquiry,
                                    const struct question *previous);

/* What a question adds to the score: 0 unless listed, in monitor, and where the list's
 * health does not let it count. */
int question_weight(const struct question *question);

/* After inquiry_settle: counts for each list what it alone decided, and, once the message
 * is forgotten, what it alone had; shows its health the clients that speak against it,
 * each once a session. */
void inquiry_account(struct inquiry *inquiry, const struct tally *tally);

#endif
