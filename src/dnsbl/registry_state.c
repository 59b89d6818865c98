#include "dnsbl/registry_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

json_t *registry_state_load(const char *path)
{
    json_error_t error;
    json_t *root;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return NULL;
    root = json_load_file(path, 0, &error);
    if (root == NULL)
        log_warning("%s:%d: %s: the lists' states begin anew", path, error.line,
                    error.text);
    return root;
}

/* The history that a surge is measured by; one set aside for it stays so. */
static void read_surge(const json_t *saved, struct dnsbl_record *record)
{
    double share = 0;
    json_int_t history = 0;
    int bad_windows = 0, run = 0, hold = 0;

    if (json_unpack((json_t *)saved, "{s:F, s:I, s:i, s:i, s:b}", "share", &share,
                    "history", &history, "bad-windows", &bad_windows, "run", &run,
                    "surge", &hold) != 0 ||
        !(share >= 0 && share <= 1) || history < 0 || bad_windows < 0 || run < 0)
        return;
    record->surge.share = share;
    record->surge.history = (uint64_t)history;
    if (!hold)
        return;
    record->surge.bad_windows = (uint32_t)bad_windows;
    record->surge.run = (uint32_t)run;
    atomic_store(&record->surge_hold, true);
    atomic_store(&record->health, HEALTH_LYING);
}

void registry_state_read(const json_t *saved, struct dnsbl_record *record)
{
    const json_t *list = json_object_get(saved, record->name);
    const char *health = "", *why = "";
    json_int_t since = 0, day = 0, used = 0;

    if (list == NULL ||
        json_unpack((json_t *)list, "{s:s, s:s, s:I, s:I, s:I}", "health", &health, "why",
                    &why, "since", &since, "quota-day", &day, "quota-used", &used) != 0 ||
        health_parse(health, &record->before) != 0 || used < 0)
        return;
    record->since = (time_t)since;
    snprintf(record->why, sizeof record->why, "%s", why);
    record->quota_day = day;
    record->quota_used = (uint64_t)used;
    read_surge(list, record);
    if (record->before == HEALTH_SUSPENDED)
        atomic_store(&record->health, HEALTH_SUSPENDED);
}

static json_t *state_of(struct dnsbl_record *record)
{
    json_t *state;

    pthread_mutex_lock(&record->lock);
    state =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:I, s:i, s:i, s:b}", "health",
                  health_name(atomic_load(&record->health)), "why", record->why, "since",
                  (json_int_t)record->since, "quota-day", (json_int_t)record->quota_day,
                  "quota-used", (json_int_t)record->quota_used, "share",
                  record->surge.share, "history", (json_int_t)record->surge.history,
                  "bad-windows", (int)record->surge.bad_windows, "run",
                  (int)record->surge.run, "surge", (int)atomic_load(&record->surge_hold));
    pthread_mutex_unlock(&record->lock);
    return state;
}

/* Writes the text and makes sure of it before it takes the old file's place. */
static int write_whole(const char *path, json_t *root)
{
    char temporary[4096];
    int n = snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file;
    int rc = -1;

    if (n < 0 || (size_t)n >= sizeof temporary)
        return -1;
    file = fopen(temporary, "we");
    if (file == NULL)
        return -1;
    if (json_dumpf(root, file, JSON_INDENT(2) | JSON_SORT_KEYS) == 0 &&
        fflush(file) == 0 && fsync(fileno(file)) == 0)
        rc = 0;
    if (fclose(file) != 0)
        rc = -1;
    if (rc == 0)
        rc = rename(temporary, path);
    return rc;
}

void registry_state_write(const char *path, struct dnsbl_record *first)
{
    json_t *root = json_object();

    for (struct dnsbl_record *r = first; r != NULL; r = r->next)
        json_object_set_new(root, r->name, state_of(r));
    if (root == NULL || write_whole(path, root) != 0)
        log_warning("%s: the lists' states cannot be written: %s", path, strerror(errno));
    json_decref(root);
}
