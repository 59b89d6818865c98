#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/domain.h"
#include "config/build.h"
#include "config/file.h"
#include "known/dead_zones.h"

#define KEY_VARIABLE "%{key}"
#define KEY_SHOWN    "***"
#define KEY_FILE_MAX 65536
/* An IPv6 address's nibbles, or a hash, stand before it (RFC 5782, 2.4). */
#define ZONE_MAX_LENGTH 180

/* The only line of the file that is neither empty nor a comment. Returns what was
 * expected instead, or NULL when all is well. */
static const char *one_line(char *text, char **line)
{
    char *rest = text, *next;

    *line = NULL;
    while ((next = strsep(&rest, "\r\n")) != NULL) {
        next += strspn(next, " \t");
        next[strcspn(next, " \t")] = '\0';
        if (*next == '\0' || *next == '#')
            continue;
        if (*line != NULL)
            return "one line with the key, and no other";
        *line = next;
    }
    return *line != NULL ? NULL : "one line with the key, but it is empty";
}

/* Reads the key; what is wrong is told. A list that is off may still wait for its key. */
static void read_key_file(struct build *b, struct list *list, const char *path)
{
    char *file = parse_relative(b->parse, list->key_file), *text = NULL, *line;
    char error[FILE_ERROR_SIZE];
    const char *expected;
    struct stat st;

    if (file == NULL || (list->mode == LIST_OFF && access(file, F_OK) != 0))
        goto out;
    text = file_text(file, KEY_FILE_MAX, &st, error);
    if (text == NULL) {
        list_mistake(b, path, "key-file", "key-file = \"%s\" %s", file, error);
        goto out;
    }
    if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
        list_mistake(b, path, "key-file",
                     "key-file = \"%s\" has mode %04o: others can read or change it, "
                     "expected 0640 or 0600",
                     file, (unsigned)st.st_mode & 07777);
    expected = one_line(text, &line);
    if (expected != NULL) {
        list_mistake(b, path, "key-file", "key-file = \"%s\": expected %s", file,
                     expected);
        goto out;
    }
    list->key = strdup(line);
    if (list->key == NULL)
        list_mistake(b, path, "key-file", "out of memory");
out:
    free(text);
    free(file);
}

static void drop_if_empty(char **text)
{
    if (*text != NULL && **text == '\0') {
        free(*text);
        *text = NULL;
    }
}

static void build_key(struct build *b, struct list *list, const char *path)
{
    drop_if_empty(&list->key);
    drop_if_empty(&list->key_file);
    if (list->key != NULL && list->key_file != NULL)
        list_mistake(b, path, "key-file",
                     "list \"%s\" has both key and key-file, expected one of them",
                     list->name);
    else if (list->key_file != NULL)
        read_key_file(b, list, path);
}

/* zone_text with text in place of each %{key}. NULL: no memory. */
static char *replace_key(const char *zone_text, const char *text)
{
    char *out = strdup("");
    const char *at;

    while (out != NULL && (at = strstr(zone_text, KEY_VARIABLE)) != NULL) {
        char *longer;

        if (asprintf(&longer, "%s%.*s%s", out, (int)(at - zone_text), zone_text, text) <
            0)
            longer = NULL;
        free(out);
        out = longer;
        zone_text = at + strlen(KEY_VARIABLE);
    }
    if (out != NULL) {
        char *whole;

        if (asprintf(&whole, "%s%s", out, zone_text) < 0)
            whole = NULL;
        free(out);
        out = whole;
    }
    return out;
}

/* Whether zone and key fit together. */
static bool check_key(struct build *b, const struct list *list, const char *path)
{
    bool uses_key = strstr(list->zone_text, KEY_VARIABLE) != NULL;

    if (list->zone_text[0] == '\0') {
        list_mistake(b, path, "zone",
                     "list \"%s\" has no zone, expected zone = \"NAME\", the name that "
                     "the list is asked under",
                     list->name);
        return false;
    }
    if (uses_key && list->key == NULL && list->key_file == NULL &&
        list->mode != LIST_OFF) {
        list_mistake(b, path, "zone",
                     "zone = \"%s\": expected key or key-file in list \"%s\", too",
                     list->zone_text, list->name);
        return false;
    }
    if (!uses_key && (list->key != NULL || list->key_file != NULL))
        list_mistake(b, path, list->key_file != NULL ? "key-file" : "key",
                     "list \"%s\" has a key, expected %s in its zone", list->name,
                     KEY_VARIABLE);
    return true;
}

static void check_dead(struct build *b, const struct list *list, const char *path)
{
    const struct dead_zone *dead = dead_zone_find(list->zone);

    if (dead == NULL)
        return;
    if (dead->action == DEAD_ZONE_REFUSE)
        list_mistake(b, path, "zone",
                     "zone = \"%s\": %s is dead (%s), expected a list that lives",
                     list->zone_text, dead->name, dead->died);
    else
        list_warning(b, path, "zone", "zone = \"%s\": %s is dead (%s): remove it",
                     list->zone_text, dead->name, dead->died);
}

void build_zone(struct build *b, struct list *list, const char *path)
{
    char *zone = NULL, canonical[DOMAIN_SIZE];

    build_key(b, list, path);
    if (!check_key(b, list, path))
        return;
    /* off and without its key, it is never asked, but has a name to show */
    zone = replace_key(list->zone_text, list->key != NULL ? list->key : "key");
    list->zone_shown = replace_key(list->zone_text, KEY_SHOWN);
    if (zone == NULL || list->zone_shown == NULL) {
        list_mistake(b, path, "zone", "out of memory");
    } else if (domain_canonical(zone, canonical) != 0 || domain_is_numeric(canonical) ||
               strlen(canonical) > ZONE_MAX_LENGTH) {
        list_mistake(
            b, path, "zone",
            "zone = \"%.200s\": expected a domain name of at most %d characters%s",
            list->zone_text, ZONE_MAX_LENGTH,
            list->key != NULL ? " (with the key in it)" : "");
    } else {
        list->zone = strdup(canonical);
        if (list->zone == NULL)
            list_mistake(b, path, "zone", "out of memory");
        else
            check_dead(b, list, path);
    }
    free(zone);
}
