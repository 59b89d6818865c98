/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

/* Every section and option of the conf file, as rows: name, default, kind, bounds, and
 * the field that it fills. libconfuse's schema, the checks, the struct and what "-t"
 * prints are all made from them. Inside of config/ only. */

#include <stdbool.h>
#include <stddef.h>

/* Of traps; where it does not exist, there are none. */
#define DEFAULT_TRAPS "/etc/rblmilter/traps"

/* How the value is written; value_read.c and value_write.c have the code of each. */
enum kind {
    KIND_TEXT,     /* char * */
    KIND_SECRET,   /* char *, never shown */
    KIND_PATH,     /* char *: absolute */
    KIND_SOCKET,   /* char *: of a milter */
    KIND_NUMBER,   /* int, min to max */
    KIND_SPAN_MS,  /* int, min to max, milliseconds */
    KIND_SPAN_S,   /* int, min to max, whole seconds */
    KIND_SIZE,     /* int64_t: octets, "10G"; "0" */
    KIND_BOOL,     /* bool */
    KIND_CHOICE,   /* an enum; choices are its names in order */
    KIND_SHARE,    /* int, per mille: "20", "0.3" per cent */
    KIND_MODE,     /* mode_t, octal */
    KIND_TEMPLATE, /* struct reply_template *; min characters; choices are the variables
                    */
    KIND_OWN_TEMPLATE, /* the same, but NULL for "": another one is used */
    /* lists, one value after another: */
    KIND_CHOICES,    /* unsigned: a bit for each of choices */
    KIND_SERVERS,    /* char *: joined by commas, NULL without one */
    KIND_NETWORKS,   /* struct network *, and a count */
    KIND_ADDRESSES,  /* struct exempt_address *, and a count */
    KIND_TEXTS,      /* char **, and a count */
    KIND_DOMAINS,    /* the same, canonical */
    KIND_LIMITS,     /* struct rule_limit *, and a count: "500 recipients in 1h" */
    KIND_STEPS,      /* int *, and a count: an enum each, choices are its names */
    KIND_STEP_SPANS, /* int *, and a count: whole seconds, or 0 for "forever" */
    KIND_NAMES       /* list titles; resolved when all lists are known */
};

struct option {
    const char *name;
    /* the default as the file would write it; of a list, what is between the braces.
     * NULL: depends on other options */
    const char *value;
    enum kind kind;
    size_t field; /* offset in the section's struct */
    size_t count; /* offset of the count that belongs to the field */
    long min, max;
    const char *const *choices;
};

struct section {
    const char *name; /* NULL: the file itself */
    bool titled;
    const struct option *options;
    size_t option_count;
    const struct section *const *sections; /* NULL-terminated; NULL: none */
};

/* The file itself, with all sections in it. The fields of "list", "codes" and "rule" are
 * struct list's, struct code_rule's and struct rule's; all others are struct config's. */
extern const struct section file_section;
extern const struct section list_section;
extern const struct section codes_section;
extern const struct section rule_section;

bool kind_is_list(enum kind kind);

/* What rules may name, NULL at the end; the spans are those that are counted. */
extern const char *const rule_count_names[];
extern const int rule_spans_s[];
extern const size_t rule_span_count;

/* NULL if the section has no such subsection. */
const struct section *section_section(const struct section *section, const char *name);

#endif
