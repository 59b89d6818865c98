/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/answer.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CHAIN_MAX      16   /* CNAMEs one after another */
#define FLAG_RESPONSE  0x80 /* of a packet's third octet */
#define FLAG_TRUNCATED 0x02
#define RCODE_MASK     0x0f /* of the fourth */

struct dns_answer *dns_answer_new(enum dns_status status, unsigned count,
                                  const char *text)
{
    size_t text_size = text != NULL ? strlen(text) + 1 : 0;
    size_t head_size = sizeof(struct dns_answer) + count * sizeof(struct in_addr);
    /* One piece, the text at its end: the cache holds hundreds of thousands. */
    struct dns_answer *answer = calloc(1, head_size + text_size);

    if (answer == NULL)
        return NULL;
    atomic_init(&answer->refs, 1);
    answer->status = status;
    answer->address_count = count;
    if (text != NULL) {
        answer->text = (char *)answer + head_size;
        memcpy(answer->text, text, text_size);
    }
    return answer;
}

struct dns_answer *dns_answer_failure(enum dns_status status)
{
    /* The first reference is never given back, so these are never freed. */
    static struct dns_answer failures[DNS_STATUS_COUNT] = {
        [DNS_FOUND] = {.refs = 1, .status = DNS_NOT_ASKED}, /* no failure: none found */
        [DNS_NONE] = {.refs = 1, .status = DNS_NONE},
        [DNS_TIMEOUT] = {.refs = 1, .status = DNS_TIMEOUT},
        [DNS_SERVFAIL] = {.refs = 1, .status = DNS_SERVFAIL},
        [DNS_FORMERR] = {.refs = 1, .status = DNS_FORMERR},
        [DNS_NOTIMP] = {.refs = 1, .status = DNS_NOTIMP},
        [DNS_REFUSED] = {.refs = 1, .status = DNS_REFUSED},
        [DNS_INVALID] = {.refs = 1, .status = DNS_INVALID},
        [DNS_UNREACHABLE] = {.refs = 1, .status = DNS_UNREACHABLE},
        [DNS_NOT_ASKED] = {.refs = 1, .status = DNS_NOT_ASKED},
    };

    return dns_answer_ref(&failures[status]);
}

struct dns_answer *dns_answer_stale(const struct dns_answer *answer)
{
    struct dns_answer *copy =
        dns_answer_new(answer->status, answer->address_count, answer->text);

    if (copy == NULL)
        return NULL;
    copy->stale = true;
    copy->expires_ms = answer->expires_ms;
    copy->came_ms = answer->came_ms;
    memcpy(copy->addresses, answer->addresses,
           answer->address_count * sizeof answer->addresses[0]);
    return copy;
}

struct dns_answer *dns_answer_ref(struct dns_answer *answer)
{
    atomic_fetch_add_explicit(&answer->refs, 1, memory_order_relaxed);
    return answer;
}

void dns_answer_unref(struct dns_answer *answer)
{
    if (answer == NULL)
        return;
    if (atomic_fetch_sub_explicit(&answer->refs, 1, memory_order_acq_rel) == 1)
        free(answer);
}

const char *dns_status_name(enum dns_status status)
{
    switch (status) {
    case DNS_FOUND:
        return "found";
    case DNS_NONE:
        return "none";
    case DNS_TIMEOUT:
        return "timeout";
    case DNS_SERVFAIL:
        return "servfail";
    case DNS_FORMERR:
        return "formerr";
    case DNS_NOTIMP:
        return "notimp";
    case DNS_REFUSED:
        return "refused";
    case DNS_INVALID:
        return "invalid";
    case DNS_UNREACHABLE:
        return "unreachable";
    case DNS_NOT_ASKED:
        return "not-asked";
    }
    abort();
}

/* --- packets that answer a query --- */

/* The packet being read, and how far we are in its chain of names. */
struct reading {
    ns_msg msg;
    enum dns_type type;
    char owner[NS_MAXDNAME]; /* whose records are looked for now */
    struct reply *out;
};

static ns_type wire_type(enum dns_type type)
{
    return type == DNS_A ? ns_t_a : ns_t_txt;
}

/* RFC 2181, 8: a TTL with the highest bit is 0. */
static uint32_t record_ttl(const ns_rr *rr)
{
    return ns_rr_ttl(*rr) > INT32_MAX ? 0 : ns_rr_ttl(*rr);
}

/* Some servers answer an error without the question: that is fine for errors. */
static bool question_fits(struct reading *r, const char *name)
{
    ns_rr rr;

    if (!ns_msg_getflag(r->msg, ns_f_qr) || ns_msg_count(r->msg, ns_s_qd) != 1)
        return false;
    if (ns_parserr(&r->msg, ns_s_qd, 0, &rr) != 0)
        return false;
    return ns_rr_type(rr) == wire_type(r->type) && ns_rr_class(rr) == ns_c_in &&
           strcasecmp(ns_rr_name(rr), name) == 0;
}

static bool take_address(struct reply *out, const ns_rr *rr)
{
    if (ns_rr_rdlen(*rr) != sizeof(struct in_addr))
        return false;
    if (out->address_count < DNS_ADDRESSES_MAX)
        memcpy(&out->addresses[out->address_count++], ns_rr_rdata(*rr),
               sizeof(struct in_addr));
    return true;
}

/* Joins the strings of a TXT record; a NUL in them is left out. */
static bool take_text(struct reply *out, const ns_rr *rr)
{
    const uint8_t *at = ns_rr_rdata(*rr), *end = at + ns_rr_rdlen(*rr);
    size_t size = 0;

    while (at < end) {
        size_t left = *at++;

        if (left > (size_t)(end - at))
            return false;
        for (; left > 0; left--, at++)
            if (*at != '\0' && size < DNS_TEXT_MAX)
                out->text[size++] = (char)*at;
    }
    out->text[size] = '\0';
    return true;
}

/* What one pass over the answer section found for the owner. */
enum pass { PASS_NOTHING, PASS_RECORDS, PASS_CNAME, PASS_MALFORMED };

static enum pass take_record(struct reading *r, const ns_rr *rr, enum pass so_far)
{
    struct reply *out = r->out;

    if (so_far == PASS_RECORDS && r->type == DNS_TXT)
        return so_far; /* the first text is enough */
    if (!(r->type == DNS_A ? take_address(out, rr) : take_text(out, rr)))
        return PASS_MALFORMED;
    if (record_ttl(rr) < out->ttl_s)
        out->ttl_s = record_ttl(rr);
    return PASS_RECORDS;
}

/* Looks for the records of r->owner, or for the CNAME that names another owner. */
static enum pass pass_answers(struct reading *r)
{
    enum pass found = PASS_NOTHING;
    char target[NS_MAXDNAME];
    uint32_t cname_ttl_s = UINT32_MAX;
    ns_rr rr;

    for (int i = 0; i < ns_msg_count(r->msg, ns_s_an); i++) {
        if (ns_parserr(&r->msg, ns_s_an, i, &rr) != 0)
            return PASS_MALFORMED;
        if (ns_rr_class(rr) != ns_c_in || strcasecmp(ns_rr_name(rr), r->owner) != 0)
            continue;
        if (ns_rr_type(rr) == wire_type(r->type)) {
            found = take_record(r, &rr, found);
            if (found == PASS_MALFORMED)
                return found;
        } else if (ns_rr_type(rr) == ns_t_cname && found == PASS_NOTHING) {
            if (ns_name_uncompress(ns_msg_base(r->msg), ns_msg_end(r->msg),
                                   ns_rr_rdata(rr), target, sizeof target) < 0)
                return PASS_MALFORMED;
            cname_ttl_s = record_ttl(&rr);
            found = PASS_CNAME;
        }
    }
    if (found == PASS_CNAME) {
        r->out->cname_count++;
        memcpy(r->owner, target, sizeof target);
        if (cname_ttl_s < r->out->ttl_s)
            r->out->ttl_s = cname_ttl_s;
    }
    return found;
}

/* Follows the chain to its records. An answer whose records all belong to somebody else
 * is none: whoever sent it did not answer us. */
static enum dns_status read_answers(struct reading *r)
{
    for (int followed = 0; followed <= CHAIN_MAX; followed++) {
        switch (pass_answers(r)) {
        case PASS_RECORDS:
            return DNS_FOUND;
        case PASS_MALFORMED:
            return DNS_INVALID;
        case PASS_NOTHING:
            return followed > 0 || ns_msg_count(r->msg, ns_s_an) == 0 ? DNS_NONE
                                                                      : DNS_INVALID;
        case PASS_CNAME:
            break;
        }
    }
    return DNS_INVALID; /* a loop */
}

/* RFC 2308, 5: the smaller of the SOA's own TTL and its last field, MINIMUM. */
static bool read_negative_ttl(struct reading *r)
{
    ns_rr rr;

    r->out->ttl_s = REPLY_NO_SOA_TTL_S;
    for (int i = 0; i < ns_msg_count(r->msg, ns_s_ns); i++) {
        if (ns_parserr(&r->msg, ns_s_ns, i, &rr) != 0)
            return false;
        if (ns_rr_type(rr) != ns_t_soa || ns_rr_class(rr) != ns_c_in)
            continue;
        if (ns_rr_rdlen(rr) < 22) /* two names of the root and five numbers */
            return false;
        uint32_t minimum = ns_get32(ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4);
        r->out->ttl_s = record_ttl(&rr) < minimum ? record_ttl(&rr) : minimum;
        return true;
    }
    return true;
}

/* Other errors (YXDOMAIN, NOTAUTH …) are no server's answer to a query, but a failure. */
static enum dns_status error_status(int rcode)
{
    switch (rcode) {
    case ns_r_formerr:
        return DNS_FORMERR;
    case ns_r_notimpl:
        return DNS_NOTIMP;
    case ns_r_refused:
        return DNS_REFUSED;
    default:
        return DNS_SERVFAIL;
    }
}

static enum dns_status read_packet(struct reading *r, const char *name)
{
    int rcode = ns_msg_getflag(r->msg, ns_f_rcode);
    enum dns_status status;

    if (ns_msg_getflag(r->msg, ns_f_qr) && rcode != ns_r_noerror &&
        rcode != ns_r_nxdomain)
        return error_status(rcode);
    /* Still cut short: c-ares has already queried over TCP. */
    if (!question_fits(r, name) || ns_msg_getflag(r->msg, ns_f_tc))
        return DNS_INVALID;
    status = rcode == ns_r_nxdomain ? DNS_NONE : read_answers(r);
    if (status == DNS_NONE && !read_negative_ttl(r))
        return DNS_INVALID;
    return status;
}

void reply_parse(const uint8_t *packet, size_t size, enum dns_type type, const char *name,
                 struct reply *out)
{
    struct reading r = {.type = type, .out = out};

    out->ttl_s = UINT32_MAX;
    out->cname_count = out->address_count = 0;
    out->text[0] = '\0';
    out->status = DNS_INVALID;
    size_t name_size = strlen(name) + 1;
    if (size <= INT_MAX && name_size <= sizeof r.owner &&
        ns_initparse(packet, (int)size, &r.msg) == 0) {
        memcpy(r.owner, name, name_size);
        out->status = read_packet(&r, name);
    }
    if (out->status != DNS_FOUND) {
        out->address_count = 0;
        out->text[0] = '\0';
        if (out->status != DNS_NONE)
            out->ttl_s = 0;
    }
}

/* --- packets that answer nothing --- */

const char *stray_name(enum stray stray)
{
    switch (stray) {
    case STRAY_GARBAGE:
        return "garbage";
    case STRAY_WRONG_ID:
        return "wrong id";
    case STRAY_UNEXPECTED:
        return "unexpected";
    }
    abort();
}

static void count_stray(struct stray_counters *counters, enum stray stray,
                        unsigned number)
{
    atomic_fetch_add_explicit(&counters->by_kind[stray], number, memory_order_relaxed);
}

static bool was_sent(const struct stray_watch *watch, uint16_t id)
{
    unsigned count_of_ids = watch->sent < STRAY_IDS_MAX ? watch->sent : STRAY_IDS_MAX;

    for (unsigned i = 0; i < count_of_ids; i++)
        if (watch->ids[i] == id)
            return true;
    return false;
}

void stray_sent(struct stray_watch *watch, const uint8_t *packet, size_t size)
{
    uint16_t id;

    if (size < NS_HFIXEDSZ)
        return;
    id = (uint16_t)ns_get16(packet);
    if (!was_sent(watch, id))
        watch->ids[watch->sent++ % STRAY_IDS_MAX] = id;
}

void stray_reading(struct stray_watch *watch)
{
    watch->fitting = watch->taken = 0;
}

void stray_read(struct stray_watch *watch, struct stray_counters *counters)
{
    if (watch->fitting > watch->taken)
        count_stray(counters, STRAY_UNEXPECTED, watch->fitting - watch->taken);
}

/* A response with exactly one question, which can be read. */
static bool is_response(const uint8_t *packet, size_t size)
{
    const uint8_t *end = packet + size, *question = packet + NS_HFIXEDSZ;
    int length;

    if (size < NS_HFIXEDSZ || !(packet[2] & FLAG_RESPONSE) || ns_get16(packet + 4) != 1)
        return false;
    length = dn_skipname(question, end);
    return length > 0 && end - question >= length + NS_QFIXEDSZ;
}

void stray_came(struct stray_watch *watch, const uint8_t *packet, size_t size,
                struct stray_counters *counters)
{
    int rcode;

    if (!is_response(packet, size)) {
        count_stray(counters, STRAY_GARBAGE, 1);
        return;
    }
    if (!was_sent(watch, (uint16_t)ns_get16(packet))) {
        count_stray(counters, STRAY_WRONG_ID, 1);
        return;
    }
    /* Cut short: c-ares queries over TCP. Another rcode: it may try the next server.
     */
    rcode = packet[3] & RCODE_MASK;
    watch->fitting += !(packet[2] & FLAG_TRUNCATED) &&
                      (rcode == ns_r_noerror || rcode == ns_r_nxdomain);
}

void stray_taken(struct stray_watch *watch)
{
    watch->taken++;
}
