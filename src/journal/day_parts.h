/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_DAY_PARTS_H
#define JOURNAL_DAY_PARTS_H

/* What the two files of a day share: day.c (it is made, opened and written) and day_read.c (it
 * is searched and read). Private to them. */

#include <sys/stat.h>

#include "base/sql.h"
#include "journal/day.h"

enum statement { ADD, TOKENS, LOAD, LEADER, FOLD, ALONE, FIND, MASKED, GAPS, STATEMENTS };

struct day {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint8_t key[TOKEN_KEY_SIZE];
    int64_t configuration; /* the last one that was added; 0 none */
    bool has_masked;       /* some of its local parts are hashes */
    dev_t device;
    ino_t inode;
    struct octets tokens; /* of the decision that is added: memory that is used again */
};

/* day.c: what an answer of SQLite means for the file; error gets a sentence. */
enum day_result day_result_of(const struct day *day, int rc,
                              char error[static DAY_ERROR_SIZE]);

#endif
