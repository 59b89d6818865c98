/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/jsonfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"

int json_file_replace(const char *path, const json_t *root)
{
    char *temporary = NULL;
    FILE *file = NULL;
    int rc = -1;

    if (asprintf(&temporary, "%s.new", path) < 0)
        return -1;
    file = fopen(temporary, "we");
    if (file == NULL)
        goto out;
    if (json_dumpf(root, file, JSON_INDENT(1) | JSON_SORT_KEYS) == 0 &&
        fflush(file) == 0 && fsync(fileno(file)) == 0)
        rc = 0;
    if (fclose(file) != 0)
        rc = -1;
    if (rc == 0)
        rc = rename(temporary, path);
out:
    free(temporary);
    return rc;
}

int json_show(const json_t *value, FILE *out, size_t flags)
{
    char *text = json_dumps(value, flags);
    int rc;

    if (text == NULL)
        return -1;
    if (utf8_find_hidden(text) != 0)
        rc = json_dumpf(value, out, flags | JSON_ENSURE_ASCII);
    else
        rc = fputs(text, out) < 0 ? -1 : 0;
    free(text);
    return rc;
}
