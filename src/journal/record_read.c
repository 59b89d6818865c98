/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "journal/record_parts.h"

struct reader {
    const uint8_t *at, *end;
    bool without_answers;
    bool failed;
};

static uint64_t get_number(struct reader *r)
{
    uint64_t number = 0;

    if (r->at < r->end && *r->at < 0x80) /* nearly all are small */
        return *r->at++;
    for (unsigned shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t octet = *r->at++;

        number |= (uint64_t)(octet & 0x7f) << shift;
        if ((octet & 0x80) == 0)
            return number;
    }
    r->failed = true;
    return 0;
}

static int64_t get_signed(struct reader *r)
{
    uint64_t number = get_number(r);

    return (int64_t)(number >> 1 ^ (~(number & 1) + 1));
}

/* A number up to max; what is greater is damage. */
static int get_up_to(struct reader *r, uint64_t max)
{
    uint64_t number = get_number(r);

    if (number > max)
        r->failed = true;
    return r->failed ? 0 : (int)number;
}

static int get_int(struct reader *r)
{
    int64_t number = get_signed(r);

    if (number < -INT32_MAX || number > INT32_MAX)
        r->failed = true;
    return r->failed ? 0 : (int)number;
}

static const char *get_text(struct reader *r)
{
    const uint8_t *begin = r->at;
    const uint8_t *end =
        r->at < r->end ? memchr(r->at, 0, (size_t)(r->end - r->at)) : NULL;

    if (end == NULL) {
        r->failed = true;
        return "";
    }
    r->at = end + 1;
    return (const char *)begin;
}

static const uint8_t *get_octets(struct reader *r, size_t size)
{
    const uint8_t *begin = r->at;

    if (r->failed || (size_t)(r->end - r->at) < size) {
        r->failed = true;
        return NULL;
    }
    r->at += size;
    return begin;
}

static void get_addresses(struct reader *r, struct record_answer *a)
{
    unsigned count = (unsigned)get_up_to(r, 255);
    const uint8_t *octets = get_octets(r, count * sizeof(struct in_addr));
    struct in_addr *addresses;

    if (octets == NULL || count == 0)
        return;
    addresses = malloc(count * sizeof *addresses);
    if (addresses == NULL) {
        r->failed = true;
        return;
    }
    memcpy(addresses, octets, count * sizeof *addresses);
    a->addresses = addresses;
    a->address_count = count;
}

static void get_answer(struct reader *r, struct record_answer *a)
{
    unsigned flags, state;

    a->list = (unsigned)get_up_to(r, INT32_MAX);
    a->check = (uint8_t)get_up_to(r, UINT8_MAX);
    flags = (unsigned)get_up_to(r, UINT16_MAX);
    state = (unsigned)get_up_to(r, UINT8_MAX);
    a->state = state & 7;
    a->status = (uint8_t)(state >> 3);
    a->counted = flags & ANSWER_COUNTED;
    a->late = flags & ANSWER_LATE;
    a->cached = flags & ANSWER_CACHED;
    a->stale = flags & ANSWER_STALE;
    a->monitor = flags & ANSWER_MONITOR;
    a->decided = flags & ANSWER_DECIDED;
    a->weight = get_int(r);
    a->ttl_s = get_up_to(r, INT32_MAX);
    a->age_s = get_up_to(r, INT32_MAX);
    a->ms = get_up_to(r, INT32_MAX);
    a->skip = flags & ANSWER_SKIPPED ? get_text(r) : "";
    a->subject = flags & ANSWER_SUBJECT ? get_text(r) : "";
    get_addresses(r, a);
}

static void get_envelope(struct reader *r, struct record *out, unsigned flags)
{
    size_t size = flags & HEAD_IPV4 ? 4 : flags & HEAD_IPV6 ? 16 : 0;
    const uint8_t *octets = get_octets(r, size);

    if (octets != NULL && size > 0) {
        out->has_client = true;
        out->client.family = size == 4 ? 4 : 6;
        memcpy(out->client.octets, octets, size);
    }
    out->client_name = get_text(r);
    out->helo = get_text(r);
    out->sender = get_text(r);
    out->login = get_text(r);
    out->exempt = get_text(r);
    out->reason = get_text(r);
}

static void free_answers(struct record *out)
{
    for (size_t i = 0; i < out->answer_count; i++)
        free((void *)out->answers[i].addresses);
    free(out->answers);
    out->answers = NULL;
    out->answer_count = 0;
}

static void get_answers(struct reader *r, struct record *out)
{
    /* an answer takes 9 octets at least: a greater number is damage, no reason for memory */
    size_t count = (size_t)get_up_to(r, (uint64_t)(r->end - r->at) / 9);

    free_answers(out);
    if (r->failed || count == 0)
        return;
    out->answers = calloc(count, sizeof *out->answers);
    if (out->answers == NULL) {
        r->failed = true;
        return;
    }
    for (; out->answer_count < count && !r->failed; out->answer_count++)
        get_answer(r, &out->answers[out->answer_count]);
}

/* One that arrived after the verdict, or is about nothing that was looked up. */
static void take_late(struct record *out, struct record_answer *late)
{
    for (size_t i = 0; i < out->answer_count; i++) {
        struct record_answer *a = &out->answers[i];

        if (a->list != late->list || a->check != late->check || a->counted ||
            strcmp(a->subject, late->subject) != 0)
            continue;
        free((void *)a->addresses);
        late->late = a->late;
        *a = *late;
        return;
    }
    free((void *)late->addresses);
}

static void get_late(struct reader *r, struct record *out)
{
    size_t count = (size_t)get_up_to(r, (uint64_t)(r->end - r->at) / 9);

    for (size_t i = 0; i < count && !r->failed; i++) {
        struct record_answer late = {0};

        get_answer(r, &late);
        late.counted = false;
        take_late(out, &late);
    }
}

static void get_head(struct reader *r, struct record *out)
{
    unsigned what, flags;

    out->at_ms = (int64_t)get_number(r);
    what = (unsigned)get_up_to(r, UINT8_MAX);
    out->verdict = what & 7;
    out->stage = (uint8_t)(what >> 3);
    flags = (unsigned)get_up_to(r, UINT8_MAX);
    out->score = get_int(r);
    out->missing = get_int(r);
    out->reject = get_up_to(r, INT32_MAX);
    out->tempfail = get_up_to(r, INT32_MAX);
    out->tag = get_up_to(r, INT32_MAX);
    out->took_ms = get_up_to(r, INT32_MAX);
    out->configuration = (int64_t)get_number(r);
    out->has_client = false;
    get_envelope(r, out, flags);
    out->entry_action = 0;
    if (flags & HEAD_ENTRY) {
        out->entry_action = (uint8_t)get_up_to(r, UINT8_MAX);
        out->entry_subject = (uint8_t)get_up_to(r, UINT8_MAX);
        out->entry = get_text(r);
        out->entry_reason = get_text(r);
        out->entry_since = get_signed(r);
    }
    if (!r->without_answers)
        get_answers(r, out);
    if (out->verdict > 3 || out->at_ms < 0)
        r->failed = true;
}

static void get_recipient(struct reader *r, struct record *out)
{
    struct record_recipient *recipients;
    size_t count = out->recipient_count;

    /* twice the room at each power of two */
    if ((count & (count - 1)) == 0) {
        recipients =
            realloc(out->recipients, (count > 0 ? 2 * count : 1) * sizeof *recipients);
        if (recipients == NULL) {
            r->failed = true;
            return;
        }
        out->recipients = recipients;
    }
    out->recipients[count].outcome =
        (enum recipient_outcome)get_up_to(r, RECIPIENT_BY_MTA);
    out->recipients[count].text = get_text(r);
    out->recipients[count].detail = get_text(r);
    out->recipient_count += !r->failed;
}

static void get_part(struct reader *r, uint64_t part, struct record *out)
{
    const char *queue_id;

    switch (part) {
    case PART_HEAD:
        get_head(r, out);
        break;
    case PART_RECIPIENT:
        get_recipient(r, out);
        break;
    case PART_END:
        out->end = (enum message_end)get_up_to(r, END_CONNECTION);
        queue_id = get_text(r);
        if (queue_id[0] != '\0')
            out->queue_id = queue_id;
        break;
    case PART_LATE:
        if (!r->without_answers)
            get_late(r, out);
        break;
    case PART_FOLDED:
        out->folded += get_number(r);
        out->folded_last_ms = (int64_t)get_number(r);
        break;
    }
}

static int decode(const uint8_t *bytes, size_t size, bool without_answers,
                  struct record *out)
{
    struct reader all = {.at = bytes, .end = bytes + size};

    *out = (struct record){.client_name = "",
                           .helo = "",
                           .sender = "",
                           .login = "",
                           .exempt = "",
                           .reason = "",
                           .entry = "",
                           .entry_reason = "",
                           .queue_id = ""};
    while (all.at < all.end && !all.failed) {
        uint64_t part = get_number(&all), length = get_number(&all);
        struct reader content = {.at = all.at, .without_answers = without_answers};

        if (all.failed || length > (uint64_t)(all.end - all.at)) {
            all.failed = true;
            break;
        }
        content.end = all.at = all.at + length;
        get_part(&content, part, out);
        all.failed |= content.failed;
    }
    if (!all.failed)
        return 0;
    record_clear(out);
    return -1;
}

int record_decode(const uint8_t *bytes, size_t size, struct record *out)
{
    return decode(bytes, size, false, out);
}

int record_decode_envelope(const uint8_t *bytes, size_t size, struct record *out)
{
    return decode(bytes, size, true, out);
}

size_t record_part_size(const uint8_t *bytes, size_t size)
{
    struct reader all = {.at = bytes, .end = bytes + size};
    uint64_t length;

    (void)get_number(&all);
    length = get_number(&all);
    if (all.failed || length > (uint64_t)(all.end - all.at))
        return 0;
    return (size_t)(all.at - bytes) + (size_t)length;
}

void record_clear(struct record *record)
{
    free_answers(record);
    free(record->recipients);
    record->recipients = NULL;
    record->recipient_count = 0;
}

bool record_has_head(const uint8_t *bytes, size_t size)
{
    return size > 0 && bytes[0] == PART_HEAD;
}
