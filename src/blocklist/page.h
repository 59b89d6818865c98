#ifndef BLOCKLIST_PAGE_H
#define BLOCKLIST_PAGE_H

/* Rows set aside while the database is read, to be shown when it no longer is: a slow
 * reader of a long list must hold neither a lock nor an open transaction. */

#include "blocklist/admin.h"

struct page;

struct page *page_new(void); /* NULL: no memory */
void page_free(struct page *page);

/* Copies a row with its texts. Returns 0, or -1 (no memory). */
int page_add_row(struct page *page, const struct blocklist_row *row);
int page_add_event(struct page *page, const struct blocklist_event *event);
size_t page_count(const struct page *page);

/* Shows them in order, until one returns false. Returns whether all were shown. */
bool page_show_rows(const struct page *page, blocklist_each_row *each, void *context);
bool page_show_events(const struct page *page, blocklist_each_event *each, void *context);

#endif
