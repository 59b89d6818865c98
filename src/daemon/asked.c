/* What rblctl asks of the daemon's core: status, stats, dnsbl, reload, flush-cache. */

#include "config.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#include "blocklist/admin.h"
#include "daemon/check.h"
#include "daemon/daemon.h"
#include "milter/milter.h"

static void append_message(void *context, const char *text)
{
    json_array_append_new(context, json_string(text));
}

static int asked_reload(void *context, json_t *messages)
{
    return daemon_reload(context, append_message, messages);
}

static void asked_flush_cache(void *context)
{
    struct daemon *daemon = context;

    resolver_flush_cache(daemon->resolver);
}

static json_t *asked_status(void *context)
{
    struct daemon *daemon = context;
    struct policy *policy = policy_slot_get(&daemon->slot);
    struct milter_stats milter_now;
    struct resolver_stats resolver_now;
    json_t *out;

    milter_stats(&milter_now);
    resolver_stats(daemon->resolver, &resolver_now);
    out =
        json_pack("{s:s, s:I, s:s, s:s, s:i, s:{s:I, s:I}, s:{s:I, s:I, s:I}}", "version",
                  PACKAGE_VERSION, "started", (json_int_t)daemon->started_at,
                  "configuration", daemon->path, "socket", policy->config->milter.socket,
                  "lists", (int)policy->lists.count, "sessions", "open",
                  (json_int_t)milter_now.open, "waiting", (json_int_t)milter_now.waiting,
                  "resolver", "open", (json_int_t)resolver_now.open, "cached answers",
                  (json_int_t)resolver_now.cache_count, "cache bytes",
                  (json_int_t)resolver_now.cache_bytes);
    policy_unref(policy);
    return out;
}

static json_t *asked_stats(void *context)
{
    struct daemon *daemon = context;
    struct milter_stats m;
    struct resolver_stats r;
    json_t *statuses = json_object();

    milter_stats(&m);
    resolver_stats(daemon->resolver, &r);
    for (int s = 0; s < DNS_STATUS_COUNT; s++)
        json_object_set_new(statuses, dns_status_name((enum dns_status)s),
                            json_integer((json_int_t)r.by_status[s]));
    return json_pack(
        "{s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I, s:I}, "
        "s:o}",
        "milter", "sessions", (json_int_t)m.connections, "messages",
        (json_int_t)m.messages, "accepted", (json_int_t)m.verdicts[VERDICT_ACCEPT],
        "tagged", (json_int_t)m.verdicts[VERDICT_TAG], "deferred",
        (json_int_t)m.verdicts[VERDICT_TEMPFAIL], "refused",
        (json_int_t)m.verdicts[VERDICT_REJECT], "by the blocklist",
        (json_int_t)m.blocklisted, "not judged", (json_int_t)m.turned_away, "resolver",
        "asked", (json_int_t)r.asked, "joined", (json_int_t)r.joined, "from the cache",
        (json_int_t)r.cached, "stale", (json_int_t)r.stale, "not asked",
        (json_int_t)r.not_asked, "answers", statuses);
}

static json_t *dnsbl_row(const struct dnsbl *dnsbl)
{
    static const char *const modes[] = {"enforce", "monitor", "off"};
    struct dnsbl_counters *c = dnsbl->counters;
    json_int_t failed = 0;

    failed += (json_int_t)atomic_load(&c->by_state[LISTING_ERROR]);
    failed += (json_int_t)atomic_load(&c->by_state[LISTING_FOREIGN]);
    failed += (json_int_t)atomic_load(&c->by_state[LISTING_FAILED]);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "list", dnsbl->list->name,
                     "zone", dnsbl->list->zone_shown, "mode", modes[dnsbl->list->mode],
                     "queries", (json_int_t)atomic_load(&c->questions), "cached",
                     (json_int_t)atomic_load(&c->cached), "hits",
                     (json_int_t)atomic_load(&c->by_state[LISTING_LISTED]), "errors",
                     failed);
}

static json_t *asked_dnsbl(void *context)
{
    struct daemon *daemon = context;
    struct policy *policy = policy_slot_get(&daemon->slot);
    json_t *rows = json_array();

    for (size_t i = 0; i < policy->lists.count; i++)
        json_array_append_new(rows, dnsbl_row(&policy->lists.items[i]));
    policy_unref(policy);
    return rows;
}

struct control_daemon daemon_control(struct daemon *daemon)
{
    return (struct control_daemon){
        .context = daemon,
        .blocklist = daemon->blocklist,
        .reload = asked_reload,
        .status = asked_status,
        .stats = asked_stats,
        .dnsbl = asked_dnsbl,
        .check = check_message,
        .flush_cache = asked_flush_cache,
    };
}
