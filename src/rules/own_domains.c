/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules/own_domains.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/domain.h"

#define OWN_DOMAINS_MAX 100000

struct own_domain {
    UT_hash_handle hh;
    char name[];
};

struct own_domains {
    pthread_rwlock_t lock;
    struct own_domain *all;
};

struct own_domains *own_domains_new(void)
{
    struct own_domains *own = calloc(1, sizeof *own);

    if (own != NULL && pthread_rwlock_init(&own->lock, NULL) != 0) {
        free(own);
        own = NULL;
    }
    return own;
}

void own_domains_free(struct own_domains *own)
{
    struct own_domain *one, *next;

    if (own == NULL)
        return;
    HASH_ITER (hh, own->all, one, next) {
        HASH_DEL(own->all, one);
        free(one);
    }
    pthread_rwlock_destroy(&own->lock);
    free(own);
}

bool own_domains_has(struct own_domains *own, const char *domain)
{
    struct own_domain *found;

    pthread_rwlock_rdlock(&own->lock);
    HASH_FIND_STR(own->all, domain, found);
    pthread_rwlock_unlock(&own->lock);
    return found != NULL;
}

void own_domains_add(struct own_domains *own, const char *domain)
{
    size_t length = strlen(domain);
    struct own_domain *one, *found;

    if (length == 0 || own_domains_has(own, domain))
        return;
    one = calloc(1, sizeof *one + length + 1);
    if (one == NULL)
        return;
    memcpy(one->name, domain, length);
    pthread_rwlock_wrlock(&own->lock);
    HASH_FIND_STR(own->all, domain, found);
    if (found == NULL && HASH_COUNT(own->all) < OWN_DOMAINS_MAX) {
        HASH_ADD_KEYPTR(hh, own->all, one->name, length, one);
        one = NULL;
    }
    pthread_rwlock_unlock(&own->lock);
    free(one);
}

int own_domains_save(struct own_domains *own, FILE *out)
{
    struct own_domain *one, *next;
    char *text = NULL;
    size_t size = 0;
    FILE *memory =
        open_memstream(&text, &size); /* no lock is held while a disk is waited for */
    int rc = -1;

    if (memory == NULL)
        return -1;
    pthread_rwlock_rdlock(&own->lock);
    HASH_ITER (hh, own->all, one, next)
        fprintf(memory, "%s\n", one->name);
    pthread_rwlock_unlock(&own->lock);
    fputc('\n', memory);
    if (fclose(memory) == 0 && fwrite(text, 1, size, out) == size)
        rc = 0;
    free(text);
    return rc;
}

int own_domains_load(struct own_domains *own, FILE *in)
{
    char line[DOMAIN_SIZE + 2], domain[DOMAIN_SIZE];

    while (fgets(line, sizeof line, in) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0')
            return 0;
        if (domain_canonical(line, domain) == 0)
            own_domains_add(own, domain);
    }
    return -1;
}
