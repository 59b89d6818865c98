/* SPDX-License-Identifier: BSD-2-Clause */
/* The conf file. Whatever it holds, the process lives on; what is refused is told; what
 * is accepted prints as a file that is accepted and prints the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfuse 3.3 leaks the arguments of include when there is a syntax error in them. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfuse\n";
}

static void tell(void *context, const char *text)
{
    unsigned *told = context;

    if (strchr(text, '\n') != NULL || text[0] == '\0')
        abort();
    (*told)++;
}

/* A file in memory; it cannot name another that is there, but for what the fuzzer finds
 * in /. */
static struct config *load(const void *text, size_t size, unsigned *told)
{
    int fd = memfd_create("conf", MFD_CLOEXEC);
    struct config *config = NULL;
    char path[64];

    *told = 0;
    if (fd < 0)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, text, size) == (ssize_t)size)
        config = config_load(path, tell, told);
    close(fd);
    return config;
}

static char *print(const struct config *config)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL || config_print(config, f) != 0)
        abort();
    fclose(f);
    return text;
}

static bool has_key(const struct config *config)
{
    for (size_t i = 0; i < config->list_count; i++)
        if (config->lists[i].key != NULL)
            return true;
    return false;
}

static void check_print(const struct config *config)
{
    char *first = print(config), *second;
    unsigned told;
    struct config *again = load(first, strlen(first), &told);

    if (again == NULL) {
        fprintf(stderr, "does not read back:\n%s", first);
        abort();
    }
    second = print(again);
    if (strcmp(first, second) != 0) {
        fprintf(stderr, "reads back otherwise:\n%s---\n%s", first, second);
        abort();
    }
    config_unref(again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned told;
    struct config *config = load(data, size, &told);

    if (config == NULL && told == 0)
        abort();
    if (config != NULL && !has_key(config))
        check_print(config);
    config_unref(config);
    return 0;
}
