/* Stands in until the store lands: no entry, ever. Taken out with it. */
#include <sqlite3.h>
#include <stdlib.h>

#include "blocklist/blocklist.h"

struct blocklist *blocklist_open(const struct blocklist_options *options,
                                 char error[static BLOCKLIST_OPEN_ERROR_SIZE])
{
    (void)options;
    (void)error;
    return malloc(1);
}

void blocklist_close(struct blocklist *blocklist)
{
    free(blocklist);
}

void blocklist_configure(struct blocklist *blocklist, int backups, bool strip_tags)
{
    (void)blocklist;
    (void)backups;
    (void)strip_tags;
}

enum blocklist_verdict blocklist_ask(struct blocklist *blocklist,
                                     const struct blocklist_subjects *subjects,
                                     struct blocklist_match *match)
{
    (void)blocklist;
    (void)subjects;
    (void)match;
    return BLOCKLIST_NONE;
}

void blocklist_hit(struct blocklist *blocklist, const struct blocklist_match *match)
{
    (void)blocklist;
    (void)match;
}

const char *blocklist_library_version(void)
{
    return sqlite3_libversion();
}
