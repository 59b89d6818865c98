#include "blocklist/page.h"

#include <stdlib.h>
#include <string.h>

/* An item keeps its texts behind itself. */
struct item {
    struct item *next;
    struct blocklist_row row;
    struct blocklist_event event;
    char texts[];
};

struct page {
    struct item *first, **end;
    size_t count;
};

struct page *page_new(void)
{
    struct page *page = calloc(1, sizeof *page);

    if (page != NULL)
        page->end = &page->first;
    return page;
}

void page_free(struct page *page)
{
    if (page == NULL)
        return;
    for (struct item *item = page->first, *next; item != NULL; item = next) {
        next = item->next;
        free(item);
    }
    free(page);
}

static size_t room_for(const char *const *texts, size_t count)
{
    size_t room = 0;

    for (size_t i = 0; i < count; i++)
        room += texts[i] != NULL ? strlen(texts[i]) + 1 : 0;
    return room;
}

/* Appends an item with room for the texts; copies them and turns the pointers to the
 * copies. */
static struct item *append(struct page *page, const char **texts, size_t count)
{
    struct item *item = calloc(1, sizeof *item + room_for(texts, count));
    char *to;

    if (item == NULL)
        return NULL;
    to = item->texts;
    for (size_t i = 0; i < count; i++) {
        size_t length = texts[i] != NULL ? strlen(texts[i]) + 1 : 0;

        if (texts[i] == NULL)
            continue;
        memcpy(to, texts[i], length);
        texts[i] = to;
        to += length;
    }
    *page->end = item;
    page->end = &item->next;
    page->count++;
    return item;
}

int page_add_row(struct page *page, const struct blocklist_row *row)
{
    const char *texts[] = {row->entry, row->source, row->reason, row->who};
    struct item *item = append(page, texts, 4);

    if (item == NULL)
        return -1;
    item->row = *row;
    item->row.entry = texts[0];
    item->row.source = texts[1];
    item->row.reason = texts[2];
    item->row.who = texts[3];
    return 0;
}

int page_add_event(struct page *page, const struct blocklist_event *event)
{
    const char *texts[] = {event->login,  event->action, event->entry, event->source,
                           event->reason, event->before, event->after};
    struct item *item = append(page, texts, 7);

    if (item == NULL)
        return -1;
    item->event = *event;
    item->event.login = texts[0];
    item->event.action = texts[1];
    item->event.entry = texts[2];
    item->event.source = texts[3];
    item->event.reason = texts[4];
    item->event.before = texts[5];
    item->event.after = texts[6];
    return 0;
}

size_t page_count(const struct page *page)
{
    return page->count;
}

bool page_show_rows(const struct page *page, blocklist_each_row *each, void *context)
{
    for (const struct item *item = page->first; item != NULL; item = item->next)
        if (!each(context, &item->row))
            return false;
    return true;
}

bool page_show_events(const struct page *page, blocklist_each_event *each, void *context)
{
    for (const struct item *item = page->first; item != NULL; item = item->next)
        if (!each(context, &item->event))
            return false;
    return true;
}
