/* SPDX-License-Identifier: BSD-2-Clause */
/* List sections. */

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/domain.h"
#include "base/ipaddr.h"
#include "base/reply_template.h"
#include "config/build.h"
#include "config/file.h"
#include "config/values.h"
#include "known/zones.h"

#define ALPHANUMERIC     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_MAX_LENGTH  64
#define NAME_CHARACTERS  ALPHANUMERIC "-_."
#define CODES_ERROR_SIZE 512
#define KEY_VARIABLE     "%{key}"
#define KEY_SHOWN        "***"
#define KEY_MIN          20 /* no zone of these providers has so long a label */
/* An IPv6 address's nibbles, or a hash, precede it (RFC 5782, 2.4). */
#define ZONE_MAX_LENGTH 180

static unsigned bit(enum check check)
{
    return 1u << check;
}

/* FILE:LINE of a section's weight, or of the section. */
static char *where_is_weight(struct build *b, cfg_t *sec)
{
    struct location at = parse_location(b->parse, sec, "weight", 0);
    char *where;

    if (asprintf(&where, "%s:%d", at.file, at.line) < 0) {
        option_error(b, sec, NULL, "out of memory");
        return NULL;
    }
    return where;
}

static void build_rule(struct build *b, cfg_t *sec, const struct list *list,
                       struct code_rule *rule)
{
    char error[CODES_ERROR_SIZE];

    rule->weight = list->weight;
    rule->text = strdup(cfg_title(sec));
    if (rule->text == NULL) {
        option_error(b, sec, NULL, "out of memory");
        return;
    }
    if (codes_parse(rule->text, &rule->codes, error, sizeof error) != 0)
        option_error(b, sec, NULL, "codes %s", error);
    build_options(b, sec, &codes_section, rule);
    if (cfg_size(sec, "weight") > 0)
        rule->where = where_is_weight(b, sec);
}

/* A list that is off may still wait for its key. */
static void read_key(struct build *b, struct list *list, cfg_t *sec)
{
    char *path = parse_relative(b->parse, list->key_file);

    if (path != NULL && (list->mode != LIST_OFF || access(path, F_OK) == 0))
        list->key =
            file_read_key(path, b->report, parse_location(b->parse, sec, "key-file", 0));
    free(path);
}

static void drop_if_empty(char **text)
{
    if (*text != NULL && **text == '\0') {
        free(*text);
        *text = NULL;
    }
}

static void build_key(struct build *b, struct list *list, cfg_t *sec)
{
    drop_if_empty(&list->key);
    drop_if_empty(&list->key_file);
    if (list->key != NULL && list->key_file != NULL)
        option_error(b, sec, "key-file",
                     "list \"%s\" has both key and key-file, expected one of them",
                     list->name);
    else if (list->key_file != NULL && !b->parse->closed)
        read_key(b, list, sec);
    if (!b->parse->closed || (list->key == NULL && list->key_file == NULL))
        return;
    /* keys are masked in this text, and key files not to be read */
    free(list->key);
    list->key = strdup("key");
    if (list->key == NULL)
        option_error(b, sec, "key", "out of memory");
}

/* zone_text with text in place of each %{key}. NULL: no memory. */
static char *replace_key(const char *zone_text, const char *text)
{
    char *out = strdup(""), *longer;
    const char *at;

    do {
        at = strstr(zone_text, KEY_VARIABLE);
        if (out == NULL ||
            asprintf(&longer, "%s%.*s%s", out, at != NULL ? (int)(at - zone_text) : -1,
                     zone_text, at != NULL ? text : "") < 0)
            longer = NULL;
        free(out);
        out = longer;
        if (at != NULL)
            zone_text = at + strlen(KEY_VARIABLE);
    } while (out != NULL && at != NULL);
    return out;
}

/* Whether zone and key fit together. */
static bool check_key(struct build *b, const struct list *list, cfg_t *sec)
{
    bool uses_key = strstr(list->zone_text, KEY_VARIABLE) != NULL;

    if (list->zone_text[0] == '\0') {
        option_error(b, sec, "zone",
                     "list \"%s\" has no zone, expected zone = \"NAME\", the name that "
                     "the list is queried under",
                     list->name);
        return false;
    }
    if (uses_key && list->key == NULL && list->key_file == NULL &&
        list->mode != LIST_OFF) {
        option_error(b, sec, "zone",
                     "zone = \"%s\": expected key or key-file in list \"%s\", too",
                     list->zone_text, list->name);
        return false;
    }
    if (!uses_key && (list->key != NULL || list->key_file != NULL))
        option_error(b, sec, list->key_file != NULL ? "key-file" : "key",
                     "list \"%s\" has a key, expected %s in its zone", list->name,
                     KEY_VARIABLE);
    return true;
}

static void check_dead(struct build *b, const struct list *list, cfg_t *sec)
{
    const struct dead_zone *dead = dead_zone_find(list->zone);

    if (dead == NULL)
        return;
    if (dead->action == DEAD_ZONE_REFUSE)
        option_error(b, sec, "zone",
                     "zone = \"%s\": %s is dead (%s), expected a list in use",
                     list->zone_text, dead->name, dead->died);
    else
        option_warning(b, sec, "zone", "zone = \"%s\": %s is dead (%s): remove it",
                       list->zone_text, dead->name, dead->died);
}

/* A key that is part of the zone, as Spamhaus's DQS and Abusix have it. */
static bool is_zone_key(const char *zone)
{
    static const char *const providers[] = {".dq.spamhaus.net", ".mail.abusix.zone"};
    size_t key = strcspn(zone, "."), length = strlen(zone);

    while (length > 0 && zone[length - 1] == '.')
        length--;
    for (size_t i = 0; i < sizeof providers / sizeof providers[0]; i++) {
        size_t tail = strlen(providers[i]);

        if (length > key + tail &&
            strncasecmp(zone + length - tail, providers[i], tail) == 0)
            return key >= KEY_MIN && strspn(zone, ALPHANUMERIC) == key;
    }
    return false;
}

/* Takes such a key out of the zone, so that it is masked wherever the zone is shown. */
static void take_key_out(struct build *b, struct list *list, cfg_t *sec)
{
    size_t length = strcspn(list->zone_text, ".");
    char *key, *text;

    if (list->key != NULL || list->key_file != NULL || !is_zone_key(list->zone_text))
        return;
    key = strndup(list->zone_text, length);
    if (key == NULL ||
        asprintf(&text, "%s%s", KEY_VARIABLE, list->zone_text + length) < 0) {
        free(key);
        option_error(b, sec, "zone", "out of memory");
        return;
    }
    option_warning(b, sec, "zone",
                   "zone = \"%s%s\" has its key in it, in a file that others may read: "
                   "expected zone = \"%s\" and key-file = \"/PATH\"",
                   KEY_SHOWN, list->zone_text + length, text);
    free(list->zone_text);
    list->zone_text = text;
    list->key = key;
}

/* A zone as postscreen_dnsbl_sites has it, ZONE=CODES*WEIGHT, in our words. */
static bool refuse_postscreen(struct build *b, const struct list *list, cfg_t *sec)
{
    const char *text = list->zone_text;
    size_t zone = strcspn(text, "=*");
    const char *codes = text[zone] == '=' ? text + zone + 1 : "";
    const char *weight = strrchr(text + zone, '*');
    int codes_length = (int)strlen(codes);

    /* a star can stand for an octet of the codes, too */
    if (weight != NULL &&
        (weight[1] == '\0' || strspn(weight + 1, "-0123456789") != strlen(weight + 1)))
        weight = NULL;
    if (zone == 0 || text[zone] == '\0')
        return false;
    if (weight != NULL && *codes != '\0')
        codes_length = (int)(weight - codes);
    option_error(
        b, sec, "zone",
        "zone = \"%.200s\" is postscreen's form: expected zone = \"%.*s\"%s%s%s%.*s%s",
        text, (int)zone, text, weight != NULL ? ", weight = " : "",
        weight != NULL ? weight + 1 : "", *codes != '\0' ? ", codes \"" : "",
        *codes != '\0' ? codes_length : 0, codes, *codes != '\0' ? "\" { }" : "");
    return true;
}

static void build_zone(struct build *b, struct list *list, cfg_t *sec)
{
    char *zone = NULL, canonical[DOMAIN_SIZE];

    build_key(b, list, sec);
    if (refuse_postscreen(b, list, sec))
        return;
    take_key_out(b, list, sec);
    if (!check_key(b, list, sec))
        return;
    /* off and without its key, it is never queried, but has a name to show */
    zone = replace_key(list->zone_text, list->key != NULL ? list->key : "key");
    list->zone_shown = replace_key(list->zone_text, KEY_SHOWN);
    if (zone == NULL || list->zone_shown == NULL) {
        option_error(b, sec, "zone", "out of memory");
    } else if (domain_canonical(zone, canonical) != 0 || domain_is_numeric(canonical) ||
               strlen(canonical) > ZONE_MAX_LENGTH) {
        option_error(
            b, sec, "zone",
            "zone = \"%.200s\": expected a domain name of at most %d characters%s",
            list->zone_text, ZONE_MAX_LENGTH,
            list->key != NULL ? " (with the key in it)" : "");
    } else if ((list->zone = strdup(canonical)) == NULL) {
        option_error(b, sec, "zone", "out of memory");
    } else {
        check_dead(b, list, sec);
    }
    free(zone);
}

/* The checks of whole addresses, and of headers. */
#define ADDRESSES (bit(CHECK_SENDER) | bit(CHECK_FROM) | bit(CHECK_REPLY_TO))
#define HEADERS                                                                          \
    (bit(CHECK_FROM_DOMAIN) | bit(CHECK_FROM) | bit(CHECK_REPLY_TO_DOMAIN) |             \
     bit(CHECK_REPLY_TO))

static void check_checks(struct build *b, cfg_t *sec, const struct list *list)
{
    if (list->checks == 0)
        option_error(
            b, sec, "check",
            "check = {}: expected at least one of client, client-name, helo, "
            "sender-domain, sender, from-domain, from, reply-to-domain, reply-to");
    if (list->hash != HASH_NONE &&
        ((list->checks & ADDRESSES) == 0 || (list->checks & ~ADDRESSES) != 0))
        option_error(b, sec, "hash",
                     "hash is of addresses, expected check = { \"sender\" }, from or "
                     "reply-to with it and nothing else");
    if (list->hash == HASH_NONE && (list->checks & ADDRESSES) != 0)
        option_error(b, sec, "check",
                     "check = { \"%s\" }: expected hash = \"sha1\", \"sha256\" or "
                     "\"md5\" with it, no list takes addresses as they are",
                     list->checks & bit(CHECK_SENDER) ? "sender"
                     : list->checks & bit(CHECK_FROM) ? "from"
                                                      : "reply-to");
}

/* Each list has a point of addresses and one of names by RFC 5782, section 5; one of hashes
 * has none. */
static void build_test(struct build *b, cfg_t *sec, const struct list *list,
                       const char *option, const char *of_addresses, const char *of_names,
                       char **field)
{
    struct ipaddr ip;
    char domain[DOMAIN_SIZE];

    if (*field == NULL)
        *field = strdup(list->checks & bit(CHECK_CLIENT) ? of_addresses
                        : list->checks & ADDRESSES       ? ""
                                                         : of_names);
    if (*field == NULL) {
        option_error(b, sec, option, "out of memory");
        return;
    }
    if (**field != '\0' && ipaddr_parse(*field, &ip) != 0 &&
        strchr(*field, '@') == NULL && domain_canonical(*field, domain) != 0)
        option_error(b, sec, option,
                     "%s = \"%.80s\": expected an IP address, a domain name, or \"\" for "
                     "no test",
                     option, *field);
}

/* The values of one list section. Returns 0, or -1: out of memory. */
static int build_list(struct build *b, cfg_t *sec, struct list *list)
{
    unsigned count = cfg_size(sec, codes_section.name);
    const char *name = cfg_title(sec);
    size_t length = strlen(name);

    list->name = strdup(name);
    if (list->name == NULL)
        return -1;
    /* titles appear in log lines and replies */
    if (length == 0 || length > NAME_MAX_LENGTH ||
        strspn(name, NAME_CHARACTERS) != length)
        option_error(
            b, sec, NULL,
            "list \"%.80s\": expected a title of 1 to %d letters, digits, \"-\", "
            "\"_\" and \".\"",
            name, NAME_MAX_LENGTH);
    build_options(b, sec, &list_section, list);
    list->where = where_is_weight(b, sec);
    list->codes = calloc(count > 0 ? count : 1, sizeof *list->codes);
    if (list->codes == NULL)
        option_error(b, sec, NULL, "out of memory");
    for (unsigned i = 0; list->codes != NULL && i < count; i++)
        build_rule(b, cfg_getnsec(sec, codes_section.name, i), list,
                   &list->codes[list->code_count++]);
    return 0;
}

static void complete_list(struct build *b, cfg_t *sec, struct list *list)
{
    build_zone(b, list, sec);
    check_checks(b, sec, list);
    for (size_t i = 0; i < list->error_code_count; i++)
        if (list->error_codes[i].base.family != 4)
            option_error(b, sec, "error-codes",
                         "error-codes: expected IPv4 addresses and networks, such as "
                         "127.255.255.0/24");
    build_test(b, sec, list, "test-listed", "127.0.0.2", "test", &list->test_listed);
    build_test(b, sec, list, "test-unlisted", "127.0.0.1", "invalid",
               &list->test_unlisted);
}

/* after names other lists, wherever they are: only when all are known. */
static void build_after(struct build *b, cfg_t *sec, struct list *list)
{
    unsigned count = cfg_size(sec, "after");

    if (count == 0)
        return;
    if ((list->checks & HEADERS) != 0)
        option_error(b, sec, "after",
                     "list \"%s\" checks headers, which come after all else: expected no "
                     "after with it",
                     list->name);
    list->after = calloc(count, sizeof *list->after);
    if (list->after == NULL) {
        option_error(b, sec, NULL, "out of memory");
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        const char *name = cfg_getnstr(sec, "after", i);
        size_t index = 0;

        while (index < b->config->list_count &&
               strcmp(b->config->lists[index].name, name) != 0)
            index++;
        if (index == b->config->list_count)
            report_error(b->report, parse_location(b->parse, sec, "after", i),
                         "after = \"%.80s\": expected the title of a list section", name);
        else
            list->after[list->after_count++] = index;
    }
}

/* Whether list waits, directly or not, for target. depth bounds what is looked at: a
 * chain is no longer than there are lists. */
static bool waits_for(const struct config *config, size_t list, size_t target,
                      size_t depth)
{
    const struct list *l = &config->lists[list];

    for (size_t i = 0; depth > 0 && i < l->after_count; i++)
        if (l->after[i] == target || waits_for(config, l->after[i], target, depth - 1))
            return true;
    return false;
}

void build_lists(struct build *b)
{
    unsigned count = cfg_size(b->parse->cfg, list_section.name);

    b->config->lists = calloc(count > 0 ? count : 1, sizeof *b->config->lists);
    for (unsigned i = 0; b->config->lists != NULL && i < count; i++) {
        cfg_t *sec = cfg_getnsec(b->parse->cfg, list_section.name, i);

        if (build_list(b, sec, &b->config->lists[i]) != 0)
            break;
        b->config->list_count++;
    }
    if (b->config->list_count < count)
        report_error(b->report, (struct location){b->parse->path, 0}, "out of memory");
}

static cfg_t *section_of(struct build *b, size_t index)
{
    return cfg_getnsec(b->parse->cfg, list_section.name, (unsigned)index);
}

void complete_lists(struct build *b)
{
    struct list *lists = b->config->lists;
    size_t count = b->config->list_count;

    for (size_t i = 0; i < count; i++)
        complete_list(b, section_of(b, i), &lists[i]);
    for (size_t i = 0; i < count; i++)
        build_after(b, section_of(b, i), &lists[i]);
    /* longer chains than of eight are not written by people */
    for (size_t i = 0; i < count; i++)
        if (waits_for(b->config, i, i, count < 8 ? count : 8))
            option_error(b, section_of(b, i), "after",
                         "list \"%s\" is queried after itself, expected no circle",
                         lists[i].name);
}

void list_clear(struct list *list)
{
    for (size_t i = 0; i < list_section.option_count; i++)
        value_free(&list_section.options[i], list);
    for (size_t i = 0; i < list->code_count; i++) {
        for (size_t k = 0; k < codes_section.option_count; k++)
            value_free(&codes_section.options[k], &list->codes[i]);
        codes_free(&list->codes[i].codes);
        free(list->codes[i].text);
        free(list->codes[i].where);
    }
    free(list->codes);
    free(list->name);
    free(list->where);
    free(list->zone);
    free(list->zone_shown);
}
