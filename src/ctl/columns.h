/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CTL_COLUMNS_H
#define CTL_COLUMNS_H

/* The columns of entries and of the audit trail, which several commands print. */

#include "ctl/table.h"

extern const struct column entry_columns[];
extern const size_t entry_column_count;
const char *entry_color(const json_t *row); /* red: block, green: allow */

extern const struct column event_columns[];
extern const size_t event_column_count;

#endif
