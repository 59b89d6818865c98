/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/build.h"
#include "config/options.h"
#include "config/values.h"

/* The list of public suffixes, which organizational needs. */
static void build_suffixes(struct build *b)
{
    bool wanted = false;

    for (size_t i = 0; i < b->config->list_count; i++)
        wanted = wanted || b->config->lists[i].organizational;
    if (!wanted)
        return;
    b->config->suffixes = suffix_list_new();
    if (b->config->suffixes == NULL)
        report_error(b->report, (struct location){b->parse->path, 0},
                     "organizational = true: expected the public suffix list, of "
                     "Debian's package publicsuffix");
}

/* text NULL: what the file has. Returns NULL if there was an error, which is reported. */
static struct config *load(const char *path, const char *text, struct report *report)
{
    struct config *config = calloc(1, sizeof *config);
    struct parse parse;
    struct build b = {&parse, report, config};

    if (config == NULL || (config->path = strdup(path)) == NULL) {
        report_error(report, (struct location){path, 0}, "out of memory");
        free(config);
        return NULL;
    }
    atomic_init(&config->refs, 1);
    parse_file(&parse, path, text, report);
    if (parse.cfg != NULL) {
        build_options(&b, parse.cfg, &file_section, config);
        for (size_t i = 0; file_section.sections[i] != NULL; i++)
            if (!file_section.sections[i]->titled)
                build_options(&b, cfg_getsec(parse.cfg, file_section.sections[i]->name),
                              file_section.sections[i], config);
        build_lists(&b);
        build_rules(&b);
    }
    if (parse.complete) { /* else what seems to be missing may only come later */
        complete_lists(&b);
        build_suffixes(&b);
        check_config(&b);
    }
    parse_free(&parse);
    if (report->errors > 0) {
        config_unref(config);
        config = NULL;
    }
    return config;
}

struct config *config_load(const char *path, config_report *report, void *context)
{
    return config_of_text(path, NULL, report, context);
}

struct config *config_of_text(const char *name, const char *text, config_report *report,
                              void *context)
{
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    struct report r = {report, context, 0};
    struct config *config;

    pthread_mutex_lock(&one_at_a_time);
    config = load(name, text, &r);
    pthread_mutex_unlock(&one_at_a_time);
    return config;
}

struct config *config_ref(struct config *config)
{
    atomic_fetch_add(&config->refs, 1);
    return config;
}

static void free_options(const struct section *section, struct config *config)
{
    for (size_t i = 0; i < section->option_count; i++)
        value_free(&section->options[i], config);
}

void config_unref(struct config *config)
{
    if (config == NULL || atomic_fetch_sub(&config->refs, 1) > 1)
        return;
    free_options(&file_section, config);
    for (size_t i = 0; file_section.sections[i] != NULL; i++)
        if (!file_section.sections[i]->titled)
            free_options(file_section.sections[i], config);
    for (size_t i = 0; i < config->list_count; i++)
        list_clear(&config->lists[i]);
    free(config->lists);
    for (size_t i = 0; i < config->rule_count; i++)
        rule_clear(&config->rules[i]);
    free(config->rules);
    exempt_addresses_free(config->automatic.trap_addresses,
                          config->automatic.trap_address_count);
    suffix_list_free(config->suffixes);
    free(config->path);
    free(config);
}

bool exempt_addresses_have(const struct exempt_address *list, size_t count,
                           const struct mail_address *address)
{
    for (size_t i = 0; i < count; i++) {
        const struct exempt_address *e = &list[i];

        if (e->local != NULL && strcasecmp(e->local, address->local) != 0)
            continue;
        if (e->domain != NULL && strcmp(e->domain, address->domain) != 0)
            continue;
        return true;
    }
    return false;
}

static void print_option(const struct config *config, const struct option *o,
                         const void *base, const char *indent, FILE *out)
{
    const struct list *list = base;

    fprintf(out, "%s%s = ", indent, o->name);
    if (o->kind != KIND_NAMES) {
        value_write(o, base, out);
        fputc('\n', out);
        return;
    }
    fputs("{", out);
    for (size_t i = 0; i < list->after_count; i++) {
        fputs(i > 0 ? ", " : " ", out);
        value_write_text(config->lists[list->after[i]].name, out);
    }
    fputs(" }\n", out);
}

static void print_options(const struct config *config, const struct section *section,
                          const void *base, const char *indent, FILE *out)
{
    for (size_t i = 0; i < section->option_count; i++)
        print_option(config, &section->options[i], base, indent, out);
}

static void print_title(const char *indent, const char *name, const char *title,
                        FILE *out)
{
    fprintf(out, "%s%s ", indent, name);
    value_write_text(title, out);
    fputs(" {\n", out);
}

static void print_list(const struct config *config, const struct list *list, FILE *out)
{
    print_title("", list_section.name, list->name, out);
    for (size_t i = 0; i < list_section.option_count; i++)
        /* a key that came from a file is named by the file alone: both at once is an error */
        if (list_section.options[i].kind != KIND_SECRET || list->key_file == NULL)
            print_option(config, &list_section.options[i], list, "  ", out);
    for (size_t i = 0; i < list->code_count; i++) {
        print_title("  ", codes_section.name, list->codes[i].text, out);
        print_options(config, &codes_section, &list->codes[i], "    ", out);
        fputs("  }\n", out);
    }
    fputs("}\n", out);
}

int config_print(const struct config *config, FILE *out)
{
    print_options(config, &file_section, config, "", out);
    for (size_t i = 0; file_section.sections[i] != NULL; i++) {
        const struct section *section = file_section.sections[i];

        if (section == &rule_section) {
            for (size_t k = 0; k < config->rule_count; k++) {
                print_title("", rule_section.name, config->rules[k].name, out);
                print_options(config, &rule_section, &config->rules[k], "  ", out);
                fputs("}\n", out);
            }
            continue;
        }
        if (section->titled) {
            for (size_t k = 0; k < config->list_count; k++)
                print_list(config, &config->lists[k], out);
            continue;
        }
        fprintf(out, "%s {\n", section->name);
        print_options(config, section, config, "  ", out);
        fputs("}\n", out);
    }
    return fflush(out) != 0 || ferror(out) ? -1 : 0;
}

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

static void build_option(struct build *b, cfg_t *sec, const struct option *o, void *base)
{
    cfg_opt_t *opt = cfg_getopt(sec, o->name);
    unsigned count = kind_is_list(o->kind) ? cfg_opt_size(opt) : 1;
    char expected[EXPECTED_SIZE];

    for (unsigned i = 0; i < count; i++) {
        const char *text = cfg_opt_getnstr(opt, i);

        /* NULL: not set, and the default depends on others; or the file ends where a value
         * is due, which is reported */
        if (text == NULL || value_read(o, text, base, expected) == 0)
            continue;
        report_value(b, sec, o, i, text, expected);
        if (!kind_is_list(o->kind) && o->value != NULL)
            value_read(o, o->value, base, expected);
    }
}

void build_options(struct build *b, cfg_t *sec, const struct section *section, void *base)
{
    for (size_t i = 0; i < section->option_count; i++)
        build_option(b, sec, &section->options[i], base);
}
