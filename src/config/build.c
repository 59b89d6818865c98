/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/build.h"

#include "config/values.h"

static void report_value(struct build *b, cfg_t *sec, const struct option *o,
                         unsigned index, const char *text, const char *expected)
{
    struct location location = parse_location(b->parse, sec, o->name, index);

    if (o->kind == KIND_SECRET)
        report_error(b->report, location, "%s: expected %s", o->name, expected);
    else
        report_error(b->report, location, "%s = \"%.200s\": expected %s", o->name, text,
                     expected);
}

static void build_list_option(struct build *b, cfg_t *sec, const struct option *o,
                              void *base)
{
    cfg_opt_t *opt = cfg_getopt(sec, o->name);
    char expected[EXPECTED_SIZE];

    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        const char *text = cfg_opt_getnstr(opt, i);

        /* NULL: the file ends where a value is due, which is reported */
        if (text != NULL && value_read(o, text, base, expected) != 0)
            report_value(b, sec, o, i, text, expected);
    }
}

static void build_option(struct build *b, cfg_t *sec, const struct option *o, void *base)
{
    const char *text = cfg_getstr(sec, o->name);
    char expected[EXPECTED_SIZE], ignored[EXPECTED_SIZE];

    if (text == NULL) /* not set, and the default depends on others; or as above */
        return;
    if (value_read(o, text, base, expected) == 0)
        return;
    report_value(b, sec, o, 0, text, expected);
    if (o->value != NULL)
        value_read(o, o->value, base, ignored);
}

void build_options(struct build *b, cfg_t *sec, const struct section *section, void *base)
{
    for (size_t i = 0; i < section->option_count; i++) {
        const struct option *o = &section->options[i];

        if (kind_is_list(o->kind))
            build_list_option(b, sec, o, base);
        else
            build_option(b, sec, o, base);
    }
}
