/* SPDX-License-Identifier: BSD-2-Clause */
#include "farm_engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blocklist_helper.h"

const char *const kept_names[NAME_COUNT] = {"a.example", "b.example", "192.0.2.1"};
const char *const kept_sources[2] = {"feed", "manual"};

struct shared_row kept_row(const struct kept *kept)
{
    return (struct shared_row){.side = kept->side,
                               .entry = kept->entry,
                               .source = kept->source,
                               .action = kept->action,
                               .reason = "",
                               .who = kept->who,
                               .since = START_TIME,
                               .version = kept->version};
}

struct kept kept_of(const struct shared_row *row)
{
    struct kept kept = {.side = row->side, .version = row->version};

    snprintf(kept.entry, sizeof kept.entry, "%s", row->entry);
    snprintf(kept.source, sizeof kept.source, "%s", row->source);
    snprintf(kept.action, sizeof kept.action, "%s", row->action);
    snprintf(kept.who, sizeof kept.who, "%s", row->who);
    return kept;
}

bool kept_same_key(const struct kept *a, const struct kept *b)
{
    return a->side == b->side && strcmp(a->entry, b->entry) == 0 &&
           strcmp(a->source, b->source) == 0;
}

bool table_put(struct table *table, const struct kept *row)
{
    int at = table->count;

    for (int i = 0; i < table->count; i++) {
        const struct kept *old = &table->rows[i];

        if (strcmp(old->entry, row->entry) == 0 &&
            (kept_same_key(old, row) || old->side == 0) &&
            version_compare(row->version, old->version) <= 0)
            return false;
        if (kept_same_key(old, row))
            at = i;
    }
    table->rows[at] = *row;
    table->count += at == table->count;
    for (int i = 0; row->side == 0 && i < table->count;) {
        const struct kept *old = &table->rows[i];

        if (old->side != 0 && strcmp(old->entry, row->entry) == 0 &&
            version_compare(old->version, row->version) < 0)
            table->rows[i] = table->rows[--table->count];
        else
            i++;
    }
    return true;
}

void table_text(const struct table *table, char out[static TABLE_TEXT_SIZE])
{
    size_t used = 0;

    out[0] = '\0';
    for (int n = 0; n < NAME_COUNT; n++)
        for (int side = 1; side <= 2; side++)
            for (int s = 0; s < 2; s++)
                for (int i = 0; i < table->count; i++) {
                    const struct kept *row = &table->rows[i];

                    if (strcmp(row->entry, kept_names[n]) == 0 && row->side == side &&
                        strcmp(row->source, kept_sources[s]) == 0 &&
                        strcmp(row->action, "removed") != 0)
                        used += (size_t)snprintf(out + used, TABLE_TEXT_SIZE - used,
                                                 "%s/%s/%s ", row->entry, row->action,
                                                 row->source);
                }
}

int64_t engine_publish(struct engine *engine, const struct kept *rows, int count)
{
    int64_t stamp = random();

    for (int i = 0; i < count; i++) {
        if (!table_put(&engine->state, &rows[i]))
            continue;
        assert_true(engine->seq + 1 < CHANGES);
        engine->seq++;
        engine->changes[engine->seq] = rows[i];
        engine->changes[engine->seq].seq = engine->seq;
        engine->changes[engine->seq].stamp = stamp;
    }
    return engine->seq;
}
