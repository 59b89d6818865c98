/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef JOURNAL_RECORD_PARTS_H
#define JOURNAL_RECORD_PARTS_H

/* The form of a record, which record.c writes and record_read.c reads. Private to them. */

#include "journal/record.h"

/* A part: its kind, the size of its content (a number), the content. Numbers are of 7
 * bits an octet, the lowest first, signed ones with their sign in the lowest bit; texts
 * end with a 0. */
enum part {
    PART_HEAD = 1,
    PART_RECIPIENT = 2,
    PART_END = 3,
    PART_FOLDED = 4,
    PART_LATE = 5
};

enum head_flag { HEAD_IPV4 = 1, HEAD_IPV6 = 2, HEAD_ENTRY = 4 };

enum answer_flag {
    ANSWER_COUNTED = 1,
    ANSWER_LATE = 2,
    ANSWER_CACHED = 4,
    ANSWER_STALE = 8,
    ANSWER_MONITOR = 16,
    ANSWER_DECIDED = 32,
    ANSWER_SKIPPED = 64,
    ANSWER_SUBJECT = 128
};

#endif
