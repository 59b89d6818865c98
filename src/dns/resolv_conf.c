/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/resolv_conf.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

size_t resolv_conf_servers(const char *path, char (*out)[ENDPOINT_SIZE], size_t most,
                           char *dropped, size_t size)
{
    struct buffer left = buffer_over(dropped, size);
    FILE *file = fopen(path, "re");
    char line[512], server[128];
    size_t count = 0, number = 0;

    dropped[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        number++;
        if (sscanf(line, " nameserver %127s", server) != 1)
            continue;
        if (count < most && server_canonical(server, out[count]) == 0)
            count++;
        else
            buffer_add(&left, "%sline %zu: %s", left.used > 0 ? ", " : "", number,
                       server);
    }
    if (file != NULL)
        fclose(file);
    if (count == 0 && most > 0 && server_canonical("127.0.0.1", out[0]) == 0)
        count = 1;
    return count;
}
