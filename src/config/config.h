/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

/* The conf file, read and checked: one immutable struct, counted by reference.
 * rblmilter.conf(5) is the reference of the options. Whoever holds a reference may read
 * all of it from any thread; nothing in it ever changes. */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/domain.h"
#include "base/ipaddr.h"
#include "base/log.h"
#include "base/reply_template.h"
#include "config/codes.h"

/* What a list is queried for, in the order in which a session has it. */
enum check {
    CHECK_CLIENT,
    CHECK_CLIENT_NAME,
    CHECK_HELO,
    CHECK_SENDER_DOMAIN,
    CHECK_SENDER,
    /* of the headers; the journal keeps these numbers: new ones go to the end */
    CHECK_FROM_DOMAIN,
    CHECK_FROM,
    CHECK_REPLY_TO_DOMAIN,
    CHECK_REPLY_TO
};
#define CHECK_COUNT 9

/* Where the verdict is due. */
enum stage { STAGE_CONNECT, STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_EOM };

enum on_error { ON_ERROR_ACCEPT, ON_ERROR_TEMPFAIL };
enum list_mode { LIST_ENFORCE, LIST_MONITOR, LIST_OFF };
enum list_when { WHEN_ANY, WHEN_NULL_SENDER };
enum on_limit { ON_LIMIT_OFF, ON_LIMIT_CACHE_ONLY };
enum on_damage { ON_DAMAGE_STOP, ON_DAMAGE_RESTORE, ON_DAMAGE_EMPTY };
enum shown_local_parts { LOCAL_PARTS_ALL, LOCAL_PARTS_WRITE };
enum hash_kind { HASH_NONE, HASH_SHA1, HASH_SHA256, HASH_MD5 };

/* What a rule counts by. */
enum rule_by {
    RULE_BY_LOGIN,
    RULE_BY_SENDER,
    RULE_BY_CLIENT,
    RULE_BY_NETWORK,
    RULE_BY_SENDER_DOMAIN
};
#define RULE_BY_COUNT 5

/* What is counted. */
enum rule_count {
    COUNT_MESSAGES,   /* accepted as a whole */
    COUNT_RECIPIENTS, /* accepted */
    COUNT_OUTSIDE,    /* of them, those elsewhere */
    COUNT_DISTINCT,   /* different recipients */
    COUNT_UNKNOWN,    /* recipients that do not exist */
    COUNT_RELAYING,   /* recipients that the MTA does not relay to */
    COUNT_TRAPS,      /* recipients that nobody should write to */
    COUNT_REFUSED,    /* messages that the DNS lists refused or deferred */
    COUNT_NETWORKS,   /* different networks of clients */
    COUNT_SENDERS,    /* different senders */
    COUNT_BOUNCES,    /* reported by other programs, as the following */
    COUNT_COMPLAINTS,
    COUNT_AUTH_FAILURES,
    COUNT_LIST_MAIL, /* recipients of mailing lists: they do not count as recipients */
    COUNT_STRANGERS, /* never written to before, from a network never used before */
    /* of no rule's own: */
    COUNT_TRIED,   /* recipients, accepted or not */
    COUNT_DOMAINS, /* different sender domains */
};
#define RULE_COUNT_NAMED 15 /* that a rule may name */
#define RULE_COUNT_COUNT 17

enum rule_match { RULE_MATCH_ANY, RULE_MATCH_ALL };
enum rule_mode { RULE_OFF, RULE_PROPOSE, RULE_ENFORCE };
enum rule_action { RULE_TEMPFAIL, RULE_BLOCK };
#define RULE_STEPS_S (90 * 86400) /* the 1st, 2nd, 3rd time within so long */

/* "500 recipients in 1h" */
struct rule_limit {
    int number;
    enum rule_count count;
    int span_s;
};

/* What a rule lists. */
#define RULE_LISTS_LOGIN  1u
#define RULE_LISTS_SENDER 2u
#define RULE_LISTS_CLIENT 4u

/* A rule section. */
struct rule {
    char *name;
    enum rule_by by;
    struct rule_limit *over;
    size_t over_count;
    enum rule_match match;
    int share;           /* per mille of the key's recipients; 0: no share */
    int first_seen_s;    /* only keys first seen less than so long ago; 0: all */
    int none_accepted_s; /* only keys of which nothing was accepted for so long; 0: all */
    unsigned lists;      /* RULE_LISTS_… */
    int *actions;        /* enum rule_action, of the 1st, 2nd, 3rd time … */
    size_t action_count;
    int *for_s; /* how long each holds; 0: forever */
    size_t for_count;
    enum rule_mode mode;
};

/* The variables of reply templates, for reply_template_expand's values. */
enum reply_variable {
    REPLY_CLASS,  /* "Client host", "Sender domain" … */
    REPLY_WHAT,   /* the subject's text */
    REPLY_LIST,   /* the list's title */
    REPLY_REASON, /* the TXT record, or the entry's reason */
    REPLY_CODE,   /* 127.0.0.2 */
    REPLY_LABEL,  /* of the codes section */
    REPLY_CLIENT, /* the client's address */
    REPLY_HELO,
    REPLY_SENDER,
    REPLY_KEY,   /* of a blocklist entry */
    REPLY_SINCE, /* of a blocklist entry: 2026-11-24 */
    REPLY_ID,    /* of the decision, "" without a journal */
    REPLY_URL,   /* reply.url, expanded, its own values percent-encoded */
    REPLY_VARIABLE_COUNT
};
extern const char *const reply_variable_names[REPLY_VARIABLE_COUNT + 1];

/* A codes section: what some answers of a list mean. */
struct code_rule {
    char *text; /* its title */
    struct codes codes;
    char *label; /* "" without one */
    int weight;
    char *where; /* FILE:LINE of the weight; NULL: it has none of its own */
};

/* A list section. */
struct list {
    char *name;
    char *zone;       /* with the key in it: what is queried */
    char *zone_shown; /* with "***" in its place: for logs and replies */
    char *zone_text;  /* as the file writes it, with %{key} */
    char *key;        /* NULL without one; to be cut out of any text shown, whatever its
                         case: zone has it in lower case */
    char *key_file;   /* where the key came from; NULL if not from a file */
    unsigned checks;  /* 1u << CHECK_… */
    bool ipv6;
    int weight;
    char *where;             /* FILE:LINE of the weight, or of the section */
    struct code_rule *codes; /* its codes sections */
    size_t code_count;
    struct network *error_codes;
    size_t error_code_count;
    enum list_when when;
    enum list_mode mode;
    char *servers; /* "127.0.0.1:5300,[::1]:53"; NULL: the resolver section's */
    size_t *after; /* indexes into lists */
    size_t after_count;
    int daily_limit; /* queries; 0 none */
    enum on_limit on_limit;
    bool organizational;
    enum hash_kind hash;
    char *test_listed, *test_unlisted; /* "" none */
    bool test_reserved; /* reserved addresses may bear witness that it lists the world */
    struct reply_template *reply; /* NULL: the reply section's */
};

/* An exempt sender or recipient: a local part, an address, or a domain. */
struct exempt_address {
    char *local;  /* NULL: any; compared without regard to case */
    char *domain; /* NULL: any; canonical, matched exactly */
};

/* Whether an address is one of them. */
bool exempt_addresses_have(const struct exempt_address *list, size_t count,
                           const struct mail_address *address);

struct config {
    atomic_uint refs;
    char *path; /* of the main file */
    char *user; /* "" stays what it is */
    struct {
        char *socket; /* as libmilter takes it: inet:port@host, unix:/path */
        mode_t socket_mode;
        char *socket_group; /* "" none */
        enum stage reject_at;
        enum on_error on_error;
    } milter;
    struct {
        char *servers; /* "127.0.0.1:5300,[::1]:53"; NULL: /etc/resolv.conf */
        int timeout_ms, attempts, deadline_ms;
        int cache_size;
        int min_ttl_s, max_ttl_s, negative_ttl_s, stale_ttl_s;
        int max_queries;
    } resolver;
    struct {
        int interval_s;
        int surge;
    } health;
    struct list *lists;
    size_t list_count;
    struct {
        int reject, tempfail, tag; /* thresholds; 0 off */
    } verdict;
    struct {
        struct reply_template *list;
        struct reply_template *by_check[CHECK_COUNT]; /* NULL: list's */
        struct reply_template *blocklist,
            *blocklist_client;      /* entries of clients and hosts */
        struct reply_template *url; /* may use all but REPLY_URL */
        bool id;                    /* the decision's ends each refusal */
    } reply;
    struct {
        char *database;
        enum on_damage on_damage;
        int backups; /* days */
        bool strip_tags, strip_verp;
        bool header_from; /* From: is looked up like the sender */
    } blocklist;
    struct {
        char *directory;
        int refused_s;              /* 0: no journal */
        int accepted_s;             /* 0: accepted mail is not kept */
        int64_t max_size, min_free; /* octets; 0 no bound */
        bool local_parts;
        int node;
    } journal;
    struct {
        enum rule_mode mode; /* the most that a rule may do */
        char **own_domains;
        size_t own_domain_count;
        int max_per_hour, max_per_day; /* entries of all rules */
        int max_keys;
        char **traps;
        size_t trap_count;
        struct exempt_address *trap_addresses; /* that traps name, read from files too */
        size_t trap_address_count;
    } automatic;
    struct rule *rules;
    size_t rule_count;
    struct {
        enum log_target target;
        enum log_level level;
    } log;
    struct {
        struct network *networks;
        size_t network_count;
        bool authenticated;
        struct exempt_address *recipients;
        size_t recipient_count;
        struct exempt_address *senders;
        size_t sender_count;
    } exempt;
    struct {
        char *database;    /* a libpq connection string; NULL or "": this host is alone */
        char *node;        /* "": the host's name */
        char **keep_local; /* sources that are not shared */
        size_t keep_local_count;
    } farm;
    struct {
        char *socket;
        enum shown_local_parts local_parts; /* who sees them in decisions */
    } control;
    struct suffix_list *suffixes; /* NULL unless a list is organizational */
};

/* Gets each error, "rblmilter.conf:12: timeout = …: expected …", and each warning. text
 * is one line without its end, borrowed. */
typedef void config_report(void *context, const char *text);

/* Reads and checks the file with all that it includes. All wrong values are reported, and
 * of errors of syntax and unknown names the first, which ends the reading; if there was
 * any error, returns NULL. The caller owns a reference. Any thread; one call at a time
 * reads, the others wait. */
struct config *config_load(const char *path, config_report *report, void *context);

/* The same of a text that config_print wrote, in memory; name stands for it in messages. It
 * may be a stranger's: files that it includes are errors, as are variables of the
 * environment, and no key file is read. A list that has a key has "key" in its place, so
 * that nothing can be queried by it: good for judging what was answered. */
struct config *config_of_text(const char *name, const char *text, config_report *report,
                              void *context);

struct config *config_ref(struct config *config);
void config_unref(struct config *config); /* the last one frees; NULL is fine */

/* Writes all settings in force as a conf file that would read back the same; keys are
 * shown as "***". Returns 0, or -1 when writing failed. */
int config_print(const struct config *config, FILE *out);

/* The libconfuse version in use. */
const char *config_library_version(void);

/* Names as the conf file writes them. */
const char *check_name(enum check check);

/* The stage at which what the check is about is known. */
enum stage check_stage(enum check check);

const char *stage_name(enum stage stage);
const char *rule_by_name(enum rule_by by);
const char *rule_count_name(enum rule_count count); /* also of those no rule names */
const char *rule_mode_name(enum rule_mode mode);

/* Writes "500 recipients in 1h". */
#define RULE_LIMIT_SIZE 80
void rule_limit_text(const struct rule_limit *limit, char out[static RULE_LIMIT_SIZE]);
const char *list_mode_name(enum list_mode mode);

#endif
