/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of the journal, and ids as people write them. What can be read is written anew
 * and read back as the same octets. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "journal/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct octets written(const struct record *r)
{
    struct octets out = {0};

    record_add_head(&out, r);
    for (size_t i = 0; i < r->recipient_count; i++)
        record_add_recipient(&out, &r->recipients[i]);
    record_add_end(&out, r->end, r->queue_id);
    record_add_folded(&out, r->folded, r->folded_last_ms);
    return out;
}

static void check_record(const uint8_t *data, size_t size)
{
    struct record record, again;
    struct octets first, second;

    if (record_decode(data, size, &record) != 0)
        return;
    first = written(&record);
    if (!first.failed) {
        if (record_decode(first.bytes, first.used, &again) != 0)
            abort();
        second = written(&again);
        if (!second.failed && (first.used != second.used ||
                               memcmp(first.bytes, second.bytes, first.used) != 0))
            abort();
        record_clear(&again);
        free(second.bytes);
    }
    record_clear(&record);
    free(first.bytes);
}

static void check_id(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), out[JOURNAL_ID_SIZE];
    journal_id id, again;

    if (text != NULL && journal_id_parse(text, &id) == 0) {
        journal_id_text(id, out);
        if (journal_id_parse(out, &again) != 0 || again != id)
            abort();
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_record(data, size);
    check_id(data, size);
    return 0;
}
