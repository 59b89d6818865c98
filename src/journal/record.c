/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "journal/record_parts.h"

static uint8_t *room(struct octets *out, size_t more)
{
    size_t size = out->size > 0 ? out->size : 512;
    uint8_t *bytes;

    if (out->failed)
        return NULL;
    while (size - out->used < more)
        size *= 2;
    if (size != out->size) {
        bytes = realloc(out->bytes, size);
        if (bytes == NULL) {
            out->failed = true;
            return NULL;
        }
        out->bytes = bytes;
        out->size = size;
    }
    return out->bytes + out->used;
}

void octets_add(struct octets *out, const void *octets, size_t size)
{
    uint8_t *at = room(out, size);

    if (at == NULL || size == 0)
        return;
    memcpy(at, octets, size);
    out->used += size;
}

#define NUMBER_SIZE 10 /* octets of the largest one */

/* Writes a number; returns where it ends. */
static uint8_t *write_number(uint8_t *at, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *at++ = (uint8_t)(number | 0x80);
    *at++ = (uint8_t)number;
    return at;
}

static uint64_t unsigned_of(int64_t number)
{
    return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static void put_number(struct octets *out, uint64_t number)
{
    uint8_t *at = room(out, NUMBER_SIZE);

    if (at != NULL)
        out->used = (size_t)(write_number(at, number) - out->bytes);
}

static void put_signed(struct octets *out, int64_t number)
{
    put_number(out, unsigned_of(number));
}

static void put_text(struct octets *out, const char *text)
{
    octets_add(out, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
}

static size_t part_begin(struct octets *out, enum part part)
{
    put_number(out, part);
    octets_add(out, "\0\0", 2); /* for the size, which follows */
    return out->used;
}

/* The size of a part, in two octets of 7 bits; what is larger gets a third. */
static void part_end(struct octets *out, size_t begin)
{
    size_t size = out->used - begin;

    if (size >= 1u << 14) {
        if (room(out, 1) == NULL)
            return;
        memmove(out->bytes + begin + 1, out->bytes + begin, size);
        out->bytes[begin] = (uint8_t)(size >> 14);
        out->used++;
    }
    if (out->failed)
        return;
    out->bytes[begin - 2] = (uint8_t)(size | 0x80);
    out->bytes[begin - 1] = (uint8_t)((size >> 7 & 0x7f) | (size >= 1u << 14 ? 0x80 : 0));
}

static unsigned answer_flags(const struct record_answer *a)
{
    return (unsigned)(a->counted ? ANSWER_COUNTED : 0) |
           (unsigned)(a->late ? ANSWER_LATE : 0) |
           (unsigned)(a->cached ? ANSWER_CACHED : 0) |
           (unsigned)(a->stale ? ANSWER_STALE : 0) |
           (unsigned)(a->monitor ? ANSWER_MONITOR : 0) |
           (unsigned)(a->decided ? ANSWER_DECIDED : 0) |
           (unsigned)(a->skip != NULL && a->skip[0] != '\0' ? ANSWER_SKIPPED : 0) |
           (unsigned)(a->subject != NULL && a->subject[0] != '\0' ? ANSWER_SUBJECT : 0);
}

static void put_answer(struct octets *out, const struct record_answer *a)
{
    unsigned flags = answer_flags(a);
    uint8_t *at = room(out, 8 * NUMBER_SIZE); /* once: a decision has many of them */

    if (at == NULL)
        return;
    at = write_number(at, a->list);
    at = write_number(at, a->check);
    at = write_number(at, flags);
    at = write_number(at, (unsigned)(a->state | a->status << 3));
    at = write_number(at, unsigned_of(a->weight));
    at = write_number(at, (uint64_t)(a->ttl_s > 0 ? a->ttl_s : 0));
    at = write_number(at, (uint64_t)(a->age_s > 0 ? a->age_s : 0));
    at = write_number(at, (uint64_t)(a->ms > 0 ? a->ms : 0));
    out->used = (size_t)(at - out->bytes);
    if (flags & ANSWER_SKIPPED)
        put_text(out, a->skip);
    if (flags & ANSWER_SUBJECT)
        put_text(out, a->subject);
    put_number(out, a->address_count);
    octets_add(out, a->addresses, a->address_count * sizeof a->addresses[0]);
}

static void put_envelope(struct octets *out, const struct record *r)
{
    if (r->has_client)
        octets_add(out, r->client.octets, r->client.family == 4 ? 4 : 16);
    put_text(out, r->client_name);
    put_text(out, r->helo);
    put_text(out, r->sender);
    put_text(out, r->login);
    put_text(out, r->exempt);
    put_text(out, r->reason);
}

void record_add_head(struct octets *out, const struct record *r)
{
    size_t begin = part_begin(out, PART_HEAD);
    unsigned flags = r->entry_action != 0 ? HEAD_ENTRY : 0;

    if (r->has_client)
        flags |= r->client.family == 4 ? HEAD_IPV4 : HEAD_IPV6;
    put_number(out, (uint64_t)r->at_ms);
    put_number(out, (unsigned)(r->verdict | r->stage << 3));
    put_number(out, flags);
    put_signed(out, r->score);
    put_signed(out, r->missing);
    put_number(out, (uint64_t)r->reject);
    put_number(out, (uint64_t)r->tempfail);
    put_number(out, (uint64_t)r->tag);
    put_number(out, (uint64_t)(r->took_ms > 0 ? r->took_ms : 0));
    put_number(out, (uint64_t)r->configuration);
    put_envelope(out, r);
    if (r->entry_action != 0) {
        put_number(out, r->entry_action);
        put_number(out, r->entry_subject);
        put_text(out, r->entry);
        put_text(out, r->entry_reason);
        put_signed(out, r->entry_since);
    }
    put_number(out, r->answer_count);
    for (size_t i = 0; i < r->answer_count; i++)
        put_answer(out, &r->answers[i]);
    part_end(out, begin);
}

void record_add_late(struct octets *out, const struct record_answer *answers,
                     size_t count)
{
    size_t begin = part_begin(out, PART_LATE);

    put_number(out, count);
    for (size_t i = 0; i < count; i++)
        put_answer(out, &answers[i]);
    part_end(out, begin);
}

void record_add_recipient(struct octets *out, const struct record_recipient *recipient)
{
    size_t begin = part_begin(out, PART_RECIPIENT);

    put_number(out, recipient->outcome);
    put_text(out, recipient->text);
    put_text(out, recipient->detail);
    part_end(out, begin);
}

void record_add_end(struct octets *out, enum message_end end, const char *queue_id)
{
    size_t begin = part_begin(out, PART_END);

    put_number(out, end);
    put_text(out, queue_id);
    part_end(out, begin);
}

void record_add_folded(struct octets *out, uint64_t count, int64_t last_ms)
{
    size_t begin = part_begin(out, PART_FOLDED);

    put_number(out, count);
    put_number(out, (uint64_t)last_ms);
    part_end(out, begin);
}
