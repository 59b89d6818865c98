#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

/* From libconfuse's texts to struct config. Every mistake is told; what was mistaken
 * keeps its default, so that the other checks can go on. Inside of config/ only. */

#include "config/config.h"
#include "config/parse.h"

struct build {
    struct parse *parse;
    struct report *report;
    struct config *config;
};

/* Fills the fields of base from the options of one section; path is its outline's. */
void build_options(struct build *build, cfg_t *sec, const struct section *section,
                   const char *path, void *base);

/* list_build.c: all list sections, with what one says of another. */
void build_lists(struct build *build);
void list_clear(struct list *list); /* frees what it owns */

/* list_zone.c: the key, and the zone with the key in it; path is the list's. */
void build_zone(struct build *build, struct list *list, const char *path);

/* check.c: warnings about what a postmaster would regret. */
void check_config(struct build *build);

/* Tells a mistake or a warning about an option of a list. */
#define list_mistake(build, path, option, ...)                                           \
    report_mistake((build)->report, parse_place((build)->parse, path, option, 0),        \
                   __VA_ARGS__)
#define list_warning(build, path, option, ...)                                           \
    report_warning((build)->report, parse_place((build)->parse, path, option, 0),        \
                   __VA_ARGS__)

#endif
