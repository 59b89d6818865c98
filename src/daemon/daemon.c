/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/commands.h"
#include "daemon/process.h"
#include "milter/milter.h"

static struct resolver_settings resolver_settings_of(const struct config *config)
{
    return (struct resolver_settings){
        .timeout_ms = config->resolver.timeout_ms,
        .attempts = config->resolver.attempts,
        .deadline_ms = config->resolver.deadline_ms,
        .cache_size = config->resolver.cache_size,
        .min_ttl_s = config->resolver.min_ttl_s,
        .max_ttl_s = config->resolver.max_ttl_s,
        .negative_ttl_s = config->resolver.negative_ttl_s,
        .stale_ttl_s = config->resolver.stale_ttl_s,
        .max_queries = config->resolver.max_queries,
    };
}

static bool has_farm(const struct config *config)
{
    return config->farm.database != NULL && config->farm.database[0] != '\0';
}

/* What is stripped of a sender before it is looked up. */
static unsigned strip_of(const struct config *config)
{
    return (config->blocklist.strip_tags ? BLOCKLIST_STRIP_TAGS : 0) |
           (config->blocklist.strip_verp ? BLOCKLIST_STRIP_VERP : 0);
}

static int open_blocklist(struct daemon *daemon, const struct config *config)
{
    static const enum blocklist_on_damage actions[] = {
        [ON_DAMAGE_STOP] = BLOCKLIST_DAMAGE_STOP,
        [ON_DAMAGE_RESTORE] = BLOCKLIST_DAMAGE_RESTORE,
        [ON_DAMAGE_EMPTY] = BLOCKLIST_DAMAGE_EMPTY};
    struct blocklist_options options = {
        .database = config->blocklist.database,
        .on_damage = actions[config->blocklist.on_damage],
        .backups = config->blocklist.backups,
        .strip = strip_of(config),
        .farm = has_farm(config),
        .keep_local = (const char *const *)config->farm.keep_local,
        .keep_local_count = config->farm.keep_local_count,
    };
    char error[BLOCKLIST_OPEN_ERROR_SIZE];

    daemon->blocklist = blocklist_open(&options, error);
    if (daemon->blocklist == NULL)
        log_error("blocklist: %s", error);
    return daemon->blocklist != NULL ? 0 : -1;
}

static struct journal_settings journal_settings_of(const struct config *config)
{
    return (struct journal_settings){
        .directory = config->journal.directory,
        .refused_s = config->journal.refused_s,
        .accepted_s = config->journal.accepted_s,
        .max_size = config->journal.max_size,
        .min_free = config->journal.min_free,
        .local_parts = config->journal.local_parts,
        .node = (unsigned)config->journal.node,
    };
}

/* The policy of a configuration, whose decisions the journal keeps. NULL: no memory. */
static struct policy *new_policy(struct daemon *daemon, struct config *config)
{
    struct policy *policy =
        policy_new(config, daemon->resolver, daemon->prober, daemon->blocklist);

    if (policy != NULL)
        policy->rules = daemon->rules;
    if (policy != NULL && policy_keep_journal(policy, daemon->journal) != 0) {
        policy_unref(policy);
        return NULL;
    }
    return policy;
}

static int open_control(struct daemon *daemon, const struct config *config,
                        const struct user *user)
{
    struct control_settings settings = {
        .socket = config->control.socket, .uid = user->uid, .gid = user->gid};
    char error[512];

    daemon->control = control_new(&settings, error, sizeof error);
    if (daemon->control == NULL)
        log_error("control: %s", error);
    return daemon->control != NULL ? 0 : -1;
}

/* The prober, and the rules, which need what it knows of who is in use. Both keep their
 * state in the blocklist's folder. */
static int new_health_and_rules(struct daemon *daemon, struct config *config)
{
    const char *database = config->blocklist.database, *slash = strrchr(database, '/');
    int length = slash != NULL ? (int)(slash - database) + 1 : 0;
    struct rules_options options = {.blocklist = daemon->blocklist,
                                    .suffixes = daemon->suffixes,
                                    .config = config,
                                    .decisions = rules_evidence,
                                    .context = daemon,
                                    .is_in_use = command_is_in_use};
    char *folder;

    if (asprintf(&folder, "%.*s", length, database) >= 0) {
        options.folder = folder;
        daemon->prober = prober_new(folder);
        options.in_use_context =
            daemon->prober != NULL ? prober_witnesses(daemon->prober) : NULL;
        daemon->rules = daemon->prober != NULL ? rules_new(&options) : NULL;
        free(folder);
    }
    return daemon->rules != NULL ? 0 : -1;
}

/* What needs no rights of root: the database, the resolver, the first policy. Nothing is
 * queried yet. */
static int start_parts(struct daemon *daemon, struct config *config)
{
    struct resolver_settings settings = resolver_settings_of(config);
    struct journal_settings journal = journal_settings_of(config);
    struct policy *policy;

    if (open_blocklist(daemon, config) != 0)
        return -1;
    daemon->journal = journal_new(&journal);
    if (daemon->journal == NULL) {
        log_error("the journal cannot be started: %s", strerror(errno));
        return -1;
    }
    daemon->suffixes = suffix_list_new();
    daemon->resolver = resolver_new(&settings);
    if (new_health_and_rules(daemon, config) != 0 || daemon->resolver == NULL) {
        log_error("the resolver cannot be started: %s", strerror(errno));
        return -1;
    }
    policy = new_policy(daemon, config);
    if (policy == NULL || policy_slot_init(&daemon->slot, policy) != 0 ||
        (daemon->slot.recent = recent_new()) == NULL) {
        log_error("out of memory");
        return -1;
    }
    return 0;
}

static int open_milter(void *config)
{
    return milter_open(config);
}

/* What hears strangers: not before root is given up permanently. */
static int start_dns(struct daemon *daemon)
{
    if (prober_start(daemon->prober, daemon->resolver) != 0) {
        log_error("the prober cannot be started: %s", strerror(errno));
        return -1;
    }
    if (rules_start(daemon->rules) != 0) {
        log_error("the rules cannot be started: %s", strerror(errno));
        return -1;
    }
    daemon->commands = daemon_commands(daemon);
    if (control_start(daemon->control, &daemon->commands) != 0) {
        log_error("control: cannot start: %s", strerror(errno));
        return -1;
    }
    return 0;
}

/* --- the farm, and what it carries between the rules of the hosts --- */

static json_t *report_counts(void *context)
{
    return rules_report_counts(((struct daemon *)context)->rules);
}

static void hear_counts(void *context, const char *own_node, unsigned hosts,
                        const struct farm_count *rows, size_t count)
{
    rules_hear_counts(((struct daemon *)context)->rules, own_node, hosts, rows, count);
}

static json_t *report_findings(void *context, size_t limit)
{
    return rules_report_findings(((struct daemon *)context)->rules, limit);
}

static void reported_findings(void *context, const json_t *rows)
{
    rules_reported_findings(((struct daemon *)context)->rules, rows);
}

static void hear_finding(void *context, const char *own_node, const json_t *row)
{
    rules_hear_finding(((struct daemon *)context)->rules, own_node, row);
}

static int forget_reported(void *context)
{
    return rules_forget_reported(((struct daemon *)context)->rules);
}

static int start_farm(struct daemon *daemon, const struct config *config)
{
    struct farm_options options = {
        .blocklist = daemon->blocklist,
        .database = config->farm.database,
        .node = config->farm.node,
        .keep_local = (const char *const *)config->farm.keep_local,
        .keep_local_count = config->farm.keep_local_count,
        .number = config->journal.node,
        .alone = command_alone,
        .report_counts = report_counts,
        .hear_counts = hear_counts,
        .report_findings = report_findings,
        .reported_findings = reported_findings,
        .hear_finding = hear_finding,
        .forget_reported = forget_reported,
        .context = daemon,
    };
    char error[FARM_ERROR_SIZE];

    if (!has_farm(config))
        return 0;
    daemon->farm = farm_new(&options, error);
    if (daemon->farm == NULL)
        log_error("farm: %s", error);
    return daemon->farm != NULL ? 0 : -1;
}

/* --- start, stop, reload --- */

int daemon_start(struct daemon *daemon, struct config *config)
{
    struct user user;
    int rc;

    pthread_mutex_init(&daemon->reload_lock, NULL);
    pthread_mutex_init(&daemon->budget.lock, NULL);
    daemon->started_at = time(NULL);
    if (user_find(config->user, &user) != 0 || open_control(daemon, config, &user) != 0 ||
        milter_prepare(config, &daemon->slot) != 0 || user_enter(&user) != 0)
        return -1;
    rc = start_parts(daemon, config);
    /* rblctl's first: whoever can reach the milter's can reach that one, too */
    if (rc == 0 && control_listen(daemon->control) != 0) {
        log_error("control: cannot listen: %s", strerror(errno));
        rc = -1;
    }
    if (rc == 0)
        rc = user_run_as_root(&user, open_milter, config);
    if (user_become(&user) != 0 || rc != 0)
        return -1;
    if (start_farm(daemon, config) != 0)
        return -1;
    return start_dns(daemon);
}

void daemon_stop(struct daemon *daemon)
{
    atomic_store(&daemon->stopping, true);
    farm_stop(daemon->farm); /* first: commands may wait for it */
    if (daemon->control != NULL && !control_stop(daemon->control))
        log_warning("control: stopped with commands under way");
    prober_stop(daemon->prober);
    rules_stop(daemon->rules);
    blocklist_stop(daemon->blocklist);
    journal_stop(daemon->journal);
}

void daemon_free(struct daemon *daemon)
{
    daemon_stop(daemon);
    control_free(daemon->control);
    farm_free(daemon->farm);
    recent_free(daemon->slot.recent);
    if (daemon->slot.policy != NULL)
        policy_slot_clear(&daemon->slot);
    resolver_free(daemon->resolver);
    rules_free(daemon->rules);
    prober_free(daemon->prober);
    blocklist_close(daemon->blocklist);
    journal_free(daemon->journal);
    suffix_list_free(daemon->suffixes);
    pthread_mutex_destroy(&daemon->reload_lock);
    pthread_mutex_destroy(&daemon->budget.lock);
}

void daemon_log_report(void *context, const char *text)
{
    (void)context;
    log_error("%s", text);
}

static bool texts_differ(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

static bool farm_differs(const struct config *old, const struct config *new)
{
    bool differs = texts_differ(old->farm.database, new->farm.database) ||
                   texts_differ(old->farm.node, new->farm.node) ||
                   old->farm.keep_local_count != new->farm.keep_local_count;

    for (size_t i = 0; !differs && i < new->farm.keep_local_count; i++)
        differs = texts_differ(old->farm.keep_local[i], new->farm.keep_local[i]);
    return differs;
}

/* What can only be changed by a restart: reported, so that nobody waits for it. */
static void report_unchangeable(const struct config *old, const struct config *new,
                                config_report *report, void *context)
{
    const struct {
        const char *name;
        bool differs;
    } settings[] = {
        {"milter: socket", texts_differ(old->milter.socket, new->milter.socket)},
        {"control: socket", texts_differ(old->control.socket, new->control.socket)},
        {"blocklist: database",
         texts_differ(old->blocklist.database, new->blocklist.database)},
        {"journal: directory",
         texts_differ(old->journal.directory, new->journal.directory)},
        {"farm", farm_differs(old, new)},
        {"user", texts_differ(old->user, new->user)},
    };
    char text[256];

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (settings[i].differs) {
            snprintf(text, sizeof text,
                     "%s: changed, but takes effect only with a restart",
                     settings[i].name);
            report(context, text);
        }
}

/* Puts a checked configuration in force. */
static int apply(struct daemon *daemon, struct config *config, config_report *report,
                 void *context)
{
    struct resolver_settings settings = resolver_settings_of(config);
    struct journal_settings journal = journal_settings_of(config);
    struct policy *old = policy_slot_get(&daemon->slot);
    struct policy *policy = new_policy(daemon, config);

    if (policy == NULL) {
        report(context, "out of memory");
        policy_unref(old);
        return -1;
    }
    report_unchangeable(old->config, config, report, context);
    policy_unref(old);
    resolver_configure(daemon->resolver, &settings);
    journal_configure(daemon->journal, &journal);
    if (daemon->farm != NULL)
        farm_renumber(daemon->farm, config->journal.node);
    blocklist_configure(daemon->blocklist, config->blocklist.backups, strip_of(config));
    log_open(config->log.target, config->log.level, daemon->foreground);
    policy_slot_set(&daemon->slot, policy);
    rules_configure(daemon->rules, config);
    prober_forget_others(daemon->prober, config);
    return 0;
}

int daemon_reload(struct daemon *daemon, config_report *report, void *context)
{
    struct config *config;
    int rc = -1;

    pthread_mutex_lock(&daemon->reload_lock);
    config = config_load(daemon->path, report, context);
    if (config != NULL)
        rc = apply(daemon, config, report, context);
    config_unref(config);
    pthread_mutex_unlock(&daemon->reload_lock);
    if (rc == 0)
        log_notice("reloaded %s", daemon->path);
    else
        log_error("reload of %s failed: the old configuration stays in force",
                  daemon->path);
    return rc;
}
