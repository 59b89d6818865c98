#include "config/build.h"

#include "config/values.h"

static void tell(struct build *b, const struct option *o, const char *path,
                 unsigned index, const char *text, const char *expected)
{
    struct place place = parse_place(b->parse, path, o->name, index);

    if (o->kind == KIND_SECRET)
        report_mistake(b->report, place, "%s: expected %s", o->name, expected);
    else
        report_mistake(b->report, place, "%s = \"%.200s\": expected %s", o->name, text,
                       expected);
}

static void build_list_option(struct build *b, cfg_opt_t *opt, const struct option *o,
                              const char *path, void *base)
{
    char expected[EXPECTED_SIZE];

    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        const char *text = cfg_opt_getnstr(opt, i);

        if (value_read(o, text, base, expected) != 0)
            tell(b, o, path, i, text, expected);
    }
}

static void build_option(struct build *b, cfg_opt_t *opt, const struct option *o,
                         const char *path, void *base)
{
    const char *text = cfg_opt_getnstr(opt, 0);
    char expected[EXPECTED_SIZE], ignored[EXPECTED_SIZE];

    if (text == NULL) /* not set, and the default depends on others */
        return;
    if (value_read(o, text, base, expected) == 0)
        return;
    tell(b, o, path, 0, text, expected);
    if (o->value != NULL)
        value_read(o, o->value, base, ignored);
}

void build_options(struct build *b, cfg_t *sec, const struct section *section,
                   const char *path, void *base)
{
    for (size_t i = 0; i < section->option_count; i++) {
        const struct option *o = &section->options[i];
        cfg_opt_t *opt = cfg_getopt(sec, o->name);

        if (kind_is_list(o->kind))
            build_list_option(b, opt, o, path, base);
        else
            build_option(b, opt, o, path, base);
    }
}
