/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/stray.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdlib.h>

#define FLAG_RESPONSE  0x80 /* of the third octet */
#define FLAG_TRUNCATED 0x02
#define RCODE_MASK     0x0f /* of the fourth */

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

static void count(struct stray_counters *counters, enum stray stray, unsigned number)
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
        count(counters, STRAY_UNEXPECTED, watch->fitting - watch->taken);
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

/* Cut short: c-ares asks over TCP. Another rcode: it may ask the next server, silently.
 */
static bool ends_question(const uint8_t *packet)
{
    int rcode = packet[3] & RCODE_MASK;

    return !(packet[2] & FLAG_TRUNCATED) &&
           (rcode == ns_r_noerror || rcode == ns_r_nxdomain);
}

void stray_came(struct stray_watch *watch, const uint8_t *packet, size_t size,
                struct stray_counters *counters)
{
    if (!is_response(packet, size))
        count(counters, STRAY_GARBAGE, 1);
    else if (!was_sent(watch, (uint16_t)ns_get16(packet)))
        count(counters, STRAY_WRONG_ID, 1);
    else if (ends_question(packet))
        watch->fitting++;
}

void stray_taken(struct stray_watch *watch)
{
    watch->taken++;
}
