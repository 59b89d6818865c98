#include <stdlib.h>
#include <string.h>

#include "base/domain.h"
#include "base/ipaddr.h"
#include "base/template.h"
#include "config/build.h"
#include "config/values.h"

#define NAME_MAX_LENGTH 64
#define NAME_CHARACTERS                                                                  \
    "abcdefghijklmnopqrstuvwxyz"                                                         \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
#define CODES_ERROR_SIZE 512

static unsigned bit(enum check check)
{
    return 1u << check;
}

/* Titles stand in log lines and replies. */
static void check_name_of(struct build *b, const char *name, const char *path)
{
    size_t length = strlen(name);

    if (length == 0 || length > NAME_MAX_LENGTH ||
        strspn(name, NAME_CHARACTERS) != length)
        list_mistake(
            b, path, NULL,
            "list \"%.80s\": expected a title of 1 to %d letters, digits, \"-\", "
            "\"_\" and \".\"",
            name, NAME_MAX_LENGTH);
}

static void build_rule(struct build *b, cfg_t *sec, const char *list_path,
                       const struct list *list, struct code_rule *rule)
{
    char *parent = outline_join(list_path, codes_section.name);
    char *path = parent != NULL ? outline_join(parent, cfg_title(sec)) : NULL;
    char error[CODES_ERROR_SIZE];

    rule->weight = list->weight;
    rule->text = strdup(cfg_title(sec));
    if (path == NULL || rule->text == NULL) {
        list_mistake(b, list_path, NULL, "out of memory");
        goto out;
    }
    if (codes_parse(rule->text, &rule->codes, error, sizeof error) != 0)
        list_mistake(b, path, NULL, "codes %s", error);
    build_options(b, sec, &codes_section, path, rule);
out:
    free(path);
    free(parent);
}

static void build_rules(struct build *b, cfg_t *sec, const char *path, struct list *list)
{
    unsigned count = cfg_size(sec, codes_section.name);

    list->rules = calloc(count > 0 ? count : 1, sizeof *list->rules);
    if (list->rules == NULL) {
        list_mistake(b, path, NULL, "out of memory");
        return;
    }
    for (unsigned i = 0; i < count; i++)
        build_rule(b, cfg_getnsec(sec, codes_section.name, i), path, list,
                   &list->rules[list->rule_count++]);
}

static void check_checks(struct build *b, const char *path, const struct list *list)
{
    if (list->checks == 0)
        list_mistake(b, path, "check",
                     "check = {}: expected at least one of client, client-name, helo, "
                     "sender-domain, sender");
    if (list->hash != HASH_NONE && list->checks != bit(CHECK_SENDER))
        list_mistake(b, path, "hash",
                     "hash is of sender addresses, expected check = { \"sender\" } with "
                     "it and nothing else");
    if (list->hash == HASH_NONE && (list->checks & bit(CHECK_SENDER)) != 0)
        list_mistake(b, path, "check",
                     "check = { \"sender\" }: expected hash = \"sha1\", \"sha256\" or "
                     "\"md5\" with it, no list takes addresses as they are");
}

/* The points that each list has by RFC 5782, section 5; one of hashes has none. */
static const char *default_test(const struct list *list, const char *of_addresses,
                                const char *of_names)
{
    if (list->checks & bit(CHECK_CLIENT))
        return of_addresses;
    return list->checks & bit(CHECK_SENDER) ? "" : of_names;
}

static void build_test(struct build *b, const char *path, const char *option,
                       const char *standard, char **field)
{
    struct ipaddr ip;
    char domain[DOMAIN_SIZE];

    if (*field == NULL)
        *field = strdup(standard);
    if (*field == NULL) {
        list_mistake(b, path, option, "out of memory");
        return;
    }
    if (**field != '\0' && ipaddr_parse(*field, &ip) != 0 &&
        strchr(*field, '@') == NULL && domain_canonical(*field, domain) != 0)
        list_mistake(b, path, option,
                     "%s = \"%.80s\": expected an IP address, a domain name, or \"\" for "
                     "no test",
                     option, *field);
}

static void check_error_codes(struct build *b, const char *path, const struct list *list)
{
    for (size_t i = 0; i < list->error_code_count; i++)
        if (list->error_codes[i].base.family != 4)
            list_mistake(b, path, "error-codes",
                         "error-codes: expected IPv4 addresses and networks, such as "
                         "127.255.255.0/24");
}

static void build_list(struct build *b, cfg_t *sec, const char *path, struct list *list)
{
    list->name = strdup(cfg_title(sec));
    if (list->name == NULL) {
        list_mistake(b, path, NULL, "out of memory");
        return;
    }
    check_name_of(b, list->name, path);
    build_options(b, sec, &list_section, path, list);
    build_rules(b, sec, path, list);
    build_zone(b, list, path);
    check_checks(b, path, list);
    check_error_codes(b, path, list);
    build_test(b, path, "test-listed", default_test(list, "127.0.0.2", "test"),
               &list->test_listed);
    build_test(b, path, "test-unlisted", default_test(list, "127.0.0.1", "invalid"),
               &list->test_unlisted);
}

/* The index of the list of that name, or the number of lists. */
static size_t find_list(const struct config *config, const char *name)
{
    size_t i = 0;

    while (i < config->list_count && strcmp(config->lists[i].name, name) != 0)
        i++;
    return i;
}

/* after names other lists, wherever they stand: only when all are known. */
static void build_after(struct build *b, cfg_t *sec, const char *path, struct list *list)
{
    unsigned count = cfg_size(sec, "after");

    if (count == 0)
        return;
    list->after = calloc(count, sizeof *list->after);
    if (list->after == NULL) {
        list_mistake(b, path, NULL, "out of memory");
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        const char *name = cfg_getnstr(sec, "after", i);
        size_t index = find_list(b->config, name);

        if (index == b->config->list_count)
            report_mistake(b->report, parse_place(b->parse, path, "after", i),
                           "after = \"%.80s\": expected the title of a list section",
                           name);
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

static char *list_path(const char *name)
{
    return outline_join(list_section.name, name);
}

static void check_circle(struct build *b, const char *path, size_t index)
{
    /* longer chains than this are not written by people */
    size_t depth = b->config->list_count < 8 ? b->config->list_count : 8;

    if (waits_for(b->config, index, index, depth))
        list_mistake(b, path, "after",
                     "list \"%s\" is to be asked after itself, expected no circle",
                     b->config->lists[index].name);
}

static void for_each_list(struct build *b,
                          void (*visit)(struct build *b, const char *path, size_t index))
{
    for (size_t i = 0; i < b->config->list_count; i++) {
        char *path = list_path(b->config->lists[i].name);

        if (path != NULL)
            visit(b, path, i);
        free(path);
    }
}

static void visit_after(struct build *b, const char *path, size_t index)
{
    build_after(b, cfg_getnsec(b->parse->cfg, list_section.name, (unsigned)index), path,
                &b->config->lists[index]);
}

void build_lists(struct build *b)
{
    unsigned count = cfg_size(b->parse->cfg, list_section.name);

    b->config->lists = calloc(count > 0 ? count : 1, sizeof *b->config->lists);
    for (unsigned i = 0; b->config->lists != NULL && i < count; i++) {
        cfg_t *sec = cfg_getnsec(b->parse->cfg, list_section.name, i);
        struct list *list = &b->config->lists[i];
        char *path = list_path(cfg_title(sec));

        if (path != NULL)
            build_list(b, sec, path, list);
        free(path);
        if (path == NULL || list->name == NULL)
            break;
        b->config->list_count++;
    }
    if (b->config->list_count < count)
        report_mistake(b->report, (struct place){b->parse->path, 0}, "out of memory");
    for_each_list(b, visit_after);
    for_each_list(b, check_circle);
}

void list_clear(struct list *list)
{
    for (size_t i = 0; i < list_section.option_count; i++)
        value_free(&list_section.options[i], list);
    for (size_t i = 0; i < list->rule_count; i++) {
        for (size_t k = 0; k < codes_section.option_count; k++)
            value_free(&codes_section.options[k], &list->rules[i]);
        codes_free(&list->rules[i].codes);
        free(list->rules[i].text);
    }
    free(list->rules);
    free(list->name);
    free(list->zone);
    free(list->zone_shown);
}
