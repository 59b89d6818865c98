/* SPDX-License-Identifier: BSD-2-Clause */
/* In the place of all the others where ./configure was given --without-farm. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "farm/farm.h"

static const char none[] = "this rblmilter was built without the farm (--without-farm)";

struct farm *farm_new(const struct farm_options *options,
                      char error[static FARM_ERROR_SIZE])
{
    (void)options;
    text_sentence(error, FARM_ERROR_SIZE, "%s", none);
    return NULL;
}

void farm_stop(struct farm *farm)
{
    (void)farm;
}

void farm_free(struct farm *farm)
{
    (void)farm;
}

const char *farm_node(const struct farm *farm)
{
    (void)farm;
    return "";
}

void farm_renumber(struct farm *farm, int number)
{
    (void)farm;
    (void)number;
}

void farm_reach(struct farm *farm, int wait_ms, struct farm_reach *out)
{
    (void)farm;
    (void)wait_ms;
    memset(out, 0, sizeof *out);
}

void farm_status(struct farm *farm, struct farm_status *out)
{
    (void)farm;
    memset(out, 0, sizeof *out);
}

void farm_status_end(struct farm_status *status)
{
    (void)status;
}

int farm_compare(struct farm *farm, bool full, int wait_ms, struct farm_comparison *out,
                 char error[static FARM_ERROR_SIZE])
{
    (void)farm;
    (void)full;
    (void)wait_ms;
    memset(out, 0, sizeof *out);
    text_sentence(error, FARM_ERROR_SIZE, "%s", none);
    return -1;
}

int farm_hits(struct farm *farm, const char *entry, int wait_ms, struct farm_hits *out)
{
    (void)farm;
    (void)entry;
    (void)wait_ms;
    memset(out, 0, sizeof *out);
    return -1;
}

json_t *farm_alone(struct farm *farm)
{
    (void)farm;
    return json_array();
}

void farm_alone_changed(struct farm *farm)
{
    (void)farm;
}

int farm_forget(struct farm *farm, const char *node, int wait_ms,
                char error[static FARM_ERROR_SIZE])
{
    (void)farm;
    (void)node;
    (void)wait_ms;
    text_sentence(error, FARM_ERROR_SIZE, "%s", none);
    return -1;
}

int farm_init(const char *database, char said[static FARM_ERROR_SIZE])
{
    (void)database;
    text_sentence(said, FARM_ERROR_SIZE, "%s", none);
    return -1;
}

bool farm_is_built_in(void)
{
    return false;
}

const char *farm_library_version(void)
{
    return "";
}
