/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal/id.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LETTERS     12
#define BITS        5
#define RANDOM_BITS 24
#define NODE_BITS   6
#define TIME_BITS   30

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#define DRAWN 64  /* random numbers that the kernel gives at once */
#define FEW   256 /* ids of a second that are taken back one by one */

struct journal_ids {
    uint32_t random[DRAWN];
    unsigned left;  /* of them */
    time_t second;  /* that taken is about */
    unsigned count; /* of those taken, the first few of which are: */
    uint32_t few[FEW];
    uint8_t taken[(1u << RANDOM_BITS) / 8]; /* 2 MiB: a quiet host touches little of it */
};

struct journal_ids *journal_ids_new(void)
{
    return calloc(1, sizeof(struct journal_ids));
}

void journal_ids_free(struct journal_ids *ids)
{
    free(ids);
}

static void begin_second(struct journal_ids *ids, time_t now)
{
    if (ids->count > FEW)
        memset(ids->taken, 0, sizeof ids->taken);
    else
        for (unsigned i = 0; i < ids->count; i++)
            ids->taken[ids->few[i] / 8] = 0;
    ids->count = 0;
    ids->second = now;
}

journal_id journal_ids_draw(struct journal_ids *ids, time_t now, unsigned node)
{
    uint64_t seconds = (uint64_t)now - JOURNAL_EPOCH;
    uint32_t random;

    if (now <= JOURNAL_EPOCH || seconds >> TIME_BITS != 0)
        return 0;
    if (now != ids->second)
        begin_second(ids, now);
    do {
        if (ids->left == 0) {
            if (getrandom(ids->random, sizeof ids->random, 0) != sizeof ids->random)
                return 0;
            ids->left = DRAWN;
        }
        random = ids->random[--ids->left] & ((1u << RANDOM_BITS) - 1);
    } while (ids->taken[random / 8] & 1u << random % 8);
    ids->taken[random / 8] |= (uint8_t)(1u << random % 8);
    if (ids->count < FEW)
        ids->few[ids->count] = random;
    ids->count++;
    return seconds << (NODE_BITS + RANDOM_BITS) |
           (uint64_t)(node % JOURNAL_NODES) << RANDOM_BITS | random;
}

void journal_id_text(journal_id id, char out[static JOURNAL_ID_SIZE])
{
    size_t used = 0;

    for (int i = LETTERS - 1; i >= 0; i--) {
        out[used++] = alphabet[id >> (i * BITS) & 31];
        if (i % 4 == 0 && i > 0)
            out[used++] = '-';
    }
    out[used] = '\0';
}

/* The value of a letter, or -1. */
static int letter_value(char letter)
{
    char upper = (char)toupper((unsigned char)letter);
    const char *at;

    if (upper == 'O')
        return 0;
    if (upper == 'I' || upper == 'L')
        return 1;
    at = upper != '\0' ? strchr(alphabet, upper) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

int journal_id_parse(const char *text, journal_id *out)
{
    journal_id id = 0;
    int letters = 0;

    for (; *text != '\0'; text++) {
        int value = letter_value(*text);

        if (*text == '-' || *text == ' ' || *text == '[' || *text == ']')
            continue;
        if (value < 0 || ++letters > LETTERS)
            return -1;
        id = id << BITS | (journal_id)value;
    }
    if (letters != LETTERS || id >> (NODE_BITS + RANDOM_BITS) == 0)
        return -1;
    *out = id;
    return 0;
}

time_t journal_id_time(journal_id id)
{
    return JOURNAL_EPOCH + (time_t)(id >> (NODE_BITS + RANDOM_BITS));
}

unsigned journal_id_node(journal_id id)
{
    return (unsigned)(id >> RANDOM_BITS) % JOURNAL_NODES;
}

bool journal_id_is_near(journal_id a, journal_id b)
{
    int first = -1, differ = 0;

    for (int i = 0; i < LETTERS; i++) {
        if (((a ^ b) >> (i * BITS) & 31) == 0)
            continue;
        if (differ++ == 0)
            first = i;
    }
    if (differ <= 1)
        return differ == 1;
    return differ == 2 &&
           (a >> (first * BITS) & 31) == (b >> ((first + 1) * BITS) & 31) &&
           (b >> (first * BITS) & 31) == (a >> ((first + 1) * BITS) & 31);
}

void journal_id_range(time_t second, journal_id *least, journal_id *most)
{
    journal_id seconds =
        second > JOURNAL_EPOCH ? (journal_id)(second - JOURNAL_EPOCH) : 0;

    *least = seconds << (NODE_BITS + RANDOM_BITS);
    *most = *least | (((journal_id)1 << (NODE_BITS + RANDOM_BITS)) - 1);
}
