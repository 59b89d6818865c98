#include "config/outline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* no memory: the outline says so, the process lives on */
#define HASH_NONFATAL_OOM            1
#define uthash_nonfatal_oom(element) ((element)->path = NULL)
#include <uthash.h>

struct mark {
    char *path;
    struct place place;
    UT_hash_handle hh;
};

struct outline {
    struct mark *marks;
    bool out_of_memory;
};

struct outline *outline_new(void)
{
    return calloc(1, sizeof(struct outline));
}

void outline_free(struct outline *o)
{
    struct mark *mark, *next;

    if (o == NULL)
        return;
    HASH_ITER(hh, o->marks, mark, next)
    {
        HASH_DEL(o->marks, mark);
        free(mark->path);
        free(mark);
    }
    free(o);
}

char *outline_join(const char *parent, const char *part)
{
    char *path;

    if (parent == NULL)
        return strdup(part);
    if (asprintf(&path, "%s" OUTLINE_JOIN "%s", parent, part) < 0)
        return NULL;
    return path;
}

static struct mark *find_mark(const struct outline *o, const char *path)
{
    struct mark *mark;

    HASH_FIND_STR(o->marks, path, mark);
    return mark;
}

bool outline_find(const struct outline *o, const char *path, struct place *out)
{
    const struct mark *mark = find_mark(o, path);

    if (mark != NULL)
        *out = mark->place;
    return mark != NULL;
}

void outline_add(struct outline *o, char *path, struct place place)
{
    struct mark *mark = path != NULL ? find_mark(o, path) : NULL;

    if (mark != NULL) {
        free(path);
        mark->place = place;
        return;
    }
    mark = path != NULL ? calloc(1, sizeof *mark) : NULL;
    if (mark == NULL) {
        free(path);
        o->out_of_memory = true;
        return;
    }
    mark->path = path;
    mark->place = place;
    HASH_ADD_KEYPTR(hh, o->marks, mark->path, strlen(mark->path), mark);
    if (mark->path == NULL) {
        free(path);
        free(mark);
        o->out_of_memory = true;
    }
}

bool outline_is_whole(const struct outline *o)
{
    return !o->out_of_memory;
}
