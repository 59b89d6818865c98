/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/options.h"
#include "config/values.h"

static void print_after(const struct config *config, const struct list *list, FILE *out)
{
    fputs("{", out);
    for (size_t i = 0; i < list->after_count; i++) {
        fputs(i > 0 ? ", " : " ", out);
        value_write_text(config->lists[list->after[i]].name, out);
    }
    fputs(" }", out);
}

static void print_option(const struct config *config, const struct option *o,
                         const void *base, const char *indent, FILE *out)
{
    fprintf(out, "%s%s = ", indent, o->name);
    if (o->kind == KIND_NAMES)
        print_after(config, base, out);
    else
        value_write(o, base, out);
    fputc('\n', out);
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

/* A key that came from a file is named by the file alone: both at once is an error. */
static bool is_key_of_file(const struct option *o, const struct list *list)
{
    return o->kind == KIND_SECRET && list->key_file != NULL;
}

static void print_list(const struct config *config, const struct list *list, FILE *out)
{
    print_title("", list_section.name, list->name, out);
    for (size_t i = 0; i < list_section.option_count; i++)
        if (!is_key_of_file(&list_section.options[i], list))
            print_option(config, &list_section.options[i], list, "  ", out);
    for (size_t i = 0; i < list->rule_count; i++) {
        print_title("  ", codes_section.name, list->rules[i].text, out);
        print_options(config, &codes_section, &list->rules[i], "    ", out);
        fputs("  }\n", out);
    }
    fputs("}\n", out);
}

int config_print(const struct config *config, FILE *out)
{
    print_options(config, &file_section, config, "", out);
    for (size_t i = 0; file_section.sections[i] != NULL; i++) {
        const struct section *section = file_section.sections[i];

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
