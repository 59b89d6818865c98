/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_DAY_PARTS_H
#define JOURNAL_DAY_PARTS_H

/* What the two files of a day share: day.c (it is made, opened and written) and day_read.c (it
 * is searched and read). Private to them. */

#include <sys/stat.h>

#include "base/sql.h"
#include "journal/day.h"

enum statement {
    ADD,
    ADD_GROUP,
    TOKENS,
    LOAD,
    LEADER,
    FOLD,
    ALONE,
    FIND,
    GROUP_ROWS,
    MASKED,
    GAPS,
    STATEMENTS
};

/* So many decisions are added at once, and their tokens are one row of the index. */
#define GROUP 16

/* A decision that is added with the others of its group. */
struct added {
    journal_id id;
    size_t begin, size; /* of its parts, in struct day's */
};

struct day {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint8_t key[TOKEN_KEY_SIZE];
    uint64_t seed;         /* of tokens: what the key begins with */
    int64_t configuration; /* the last one that was added; 0 none */
    bool has_masked;       /* some of its local parts are hashes */
    dev_t device;
    ino_t inode;
    /* the group that is being added: */
    int64_t number; /* decision.n / GROUP */
    struct added added[GROUP];
    int count; /* of them */
    struct octets parts, tokens;
};

/* day.c: what an answer of SQLite means for the file; error gets a sentence. */
enum day_result day_result_of(const struct day *day, int rc,
                              char error[static DAY_ERROR_SIZE]);

#endif
