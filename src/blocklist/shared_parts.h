/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BLOCKLIST_SHARED_PARTS_H
#define BLOCKLIST_SHARED_PARTS_H

/* What shared.c and merge.c share: transactions on the connection of struct sharing. What
 * they change of the listing they log, count and add to the filter themselves. */

#include "blocklist/shared.h"
#include "blocklist/transaction.h"

/* Takes the lock and begins; a power failure may take back what was committed. */
enum blocklist_result shared_begin(struct blocklist *blocklist,
                                   char error[static BLOCKLIST_ERROR_SIZE]);

/* Commits what shared_begin began, or takes it back, by what SQLite said last. */
enum blocklist_result shared_end(struct blocklist *blocklist, int rc,
                                 char error[static BLOCKLIST_ERROR_SIZE]);

/* Many rows touch many pages, each of which is written once if there is room for it until the
 * commit. A comparison's come in the order of the index. Returns SQLite's code. */
int shared_cache(struct sharing *sharing, bool large, bool in_order);

/* Whether an admin could have typed it; else false with a sentence in error
 * (BLOCKLIST_ERROR_SIZE). */
bool shared_row_is_fine(const struct shared_row *row, struct entry *entry, char *error);

#endif
