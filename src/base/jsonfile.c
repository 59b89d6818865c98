/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/jsonfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
