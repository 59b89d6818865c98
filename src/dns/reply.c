/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/reply.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

#define CHAIN_MAX 16 /* CNAMEs one after another */

/* The packet being read, and how far we are in its chain of names. */
struct reading {
    ns_msg msg;
    enum dns_type type;
    char owner[NS_MAXDNAME]; /* whose records are looked for now */
    struct reply *out;
};

static ns_type wire_type(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return ns_t_a;
    case DNS_TXT:
        return ns_t_txt;
    }
    return ns_t_invalid;
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
    /* Still cut short: c-ares has already asked over TCP. */
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
