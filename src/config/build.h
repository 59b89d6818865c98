/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

/* From libconfuse's texts to struct config. Every error is reported; a wrong value is
 * replaced by its default, so that the other checks can go on. Inside of config/ only. */

#include "config/config.h"
#include "config/parse.h"

struct build {
    struct parse *parse;
    struct report *report;
    struct config *config;
};

/* config.c: fills the fields of base from the options of one section. */
void build_options(struct build *build, cfg_t *sec, const struct section *section,
                   void *base);

/* list.c: the values of all list sections, and then, if the files were read to their end,
 * what depends on several of them. */
void build_lists(struct build *build);
void complete_lists(struct build *build);
void list_clear(struct list *list); /* frees what it owns */

/* rule.c: the rule sections, and the traps of the automatic section. */
void build_rules(struct build *build);
void rule_clear(struct rule *rule); /* frees what it owns */

/* check.c: warnings about what a postmaster would regret. */
void check_config(struct build *build);

/* Reports an error or a warning about an option of a section. */
#define option_error(build, sec, option, ...)                                            \
    report_error((build)->report, parse_location((build)->parse, sec, option, 0),        \
                 __VA_ARGS__)
#define option_warning(build, sec, option, ...)                                          \
    report_warning((build)->report, parse_location((build)->parse, sec, option, 0),      \
                   __VA_ARGS__)

#endif
