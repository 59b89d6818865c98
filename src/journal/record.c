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

static void put_number(struct octets *out, uint64_t number)
{
    uint8_t *at;

    if (number < 0x80 && out->used < out->size && !out->failed) { /* nearly all */
        out->bytes[out->used++] = (uint8_t)number;
        return;
    }
    at = room(out, 10);
    if (at == NULL)
        return;
    for (; number >= 0x80; number >>= 7, out->used++)
        *at++ = (uint8_t)(number | 0x80);
    *at = (uint8_t)number;
    out->used++;
}

static void put_signed(struct octets *out, int64_t number)
{
    put_number(out, (uint64_t)number << 1 ^ (uint64_t)(number >> 63));
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

static void put_answer(struct octets *out, const struct record_answer *a)
{
    bool skipped = a->skip != NULL && a->skip[0] != '\0';
    bool subject = a->subject != NULL && a->subject[0] != '\0';

    put_number(out, a->list);
    put_number(out, a->check);
    put_number(out, (unsigned)(a->counted ? ANSWER_COUNTED : 0) |
                        (unsigned)(a->late ? ANSWER_LATE : 0) |
                        (unsigned)(a->cached ? ANSWER_CACHED : 0) |
                        (unsigned)(a->stale ? ANSWER_STALE : 0) |
                        (unsigned)(a->monitor ? ANSWER_MONITOR : 0) |
                        (unsigned)(a->decided ? ANSWER_DECIDED : 0) |
                        (unsigned)(skipped ? ANSWER_SKIPPED : 0) |
                        (unsigned)(subject ? ANSWER_SUBJECT : 0));
    put_number(out, (unsigned)(a->state | a->status << 3));
    put_signed(out, a->weight);
    put_number(out, (uint64_t)(a->ttl_s > 0 ? a->ttl_s : 0));
    put_number(out, (uint64_t)(a->age_s > 0 ? a->age_s : 0));
    put_number(out, (uint64_t)(a->ms > 0 ? a->ms : 0));
    if (skipped)
        put_text(out, a->skip);
    if (subject)
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
