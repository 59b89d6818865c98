/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_POWER_LAYER_H
#define TESTS_POWER_LAYER_H

/* A layer under SQLite (a VFS) that remembers what was written since the last sync of each file.
 * When the power goes, it takes all that back and lets only some of it, chosen by chance, reach
 * the disk. */

/* Of all files that are opened from then on. */
void put_layer_under_sqlite(void);

/* The end: nothing more is written, and of what was not synced some is lost. */
_Noreturn void lose_power(void);

#endif
