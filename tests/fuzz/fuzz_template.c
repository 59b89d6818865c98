/* SPDX-License-Identifier: BSD-2-Clause */
/* Templates. Never more than the room there is is written; what fits in a large one is
 * the beginning of nothing else in a small one; text without a percent sign is kept. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/reply_template.h"

#define ROOM 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"what", "list", "reason", NULL};
static const char *const values[] = {"192.0.2.1", "%{what}%%", NULL};

static void check_rooms(const struct reply_template *t, const char *whole)
{
    size_t length = strlen(whole);

    for (size_t room = 1; room <= length + 1 && room < 64; room++) {
        char *out = malloc(room); /* of that size, so that ASan sees what is beyond */
        bool fits;

        if (out == NULL)
            return;
        fits = reply_template_expand(t, values, out, room);
        if (fits != (length < room) || strlen(out) >= room ||
            strncmp(out, whole, strlen(out)) != 0)
            abort();
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char whole[ROOM];
    char *text = strndup((const char *)data, size), error[256] = "";
    struct reply_template *t;

    if (text == NULL)
        return 0;
    t = reply_template_new(text, names, error, sizeof error);
    if (t == NULL) {
        if (error[0] == '\0' || strchr(text, '%') == NULL)
            abort();
    } else {
        if (strcmp(reply_template_source(t), text) != 0)
            abort();
        if (reply_template_expand(t, values, whole, sizeof whole))
            check_rooms(t, whole);
        if (strchr(text, '%') == NULL && strlen(text) < ROOM && strcmp(whole, text) != 0)
            abort();
    }
    reply_template_free(t);
    free(text);
    return 0;
}
