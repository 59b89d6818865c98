/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/parse.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/file.h"

#define FILE_MAX      (16u << 20)
#define INCLUDE_DEPTH 10
/* A function that is called behind the last line of each file: inside of a section there
 * is none of that name. libconfuse itself takes a file that ends there. */
#define END "end-of-file"

/* Where a value is, and where its section begins. */
struct mark {
    const cfg_t *section;
    const cfg_opt_t *option;
    unsigned index;
    const char *file;
    int line, section_line;
};

/* libconfuse hands no pointer of ours to its callbacks. */
static struct parse *current;

/* The section around a section: codes are in the list that is being read. libconfuse
 * leaves its line where the inner one began. */
static cfg_t *parent_of(const struct parse *p, const cfg_t *section)
{
    if (strcmp(section->name, codes_section.name) != 0)
        return p->cfg;
    return cfg_getnsec(p->cfg, list_section.name,
                       cfg_size(p->cfg, list_section.name) - 1);
}

/* Notes where a value is; without memory its location will be the file. */
static void add_mark(struct parse *p, cfg_t *section, const cfg_opt_t *option)
{
    if (p->mark_count == p->mark_room) {
        size_t room = p->mark_room > 0 ? 2 * p->mark_room : 256;
        struct mark *grown = realloc(p->marks, room * sizeof *grown);

        if (grown == NULL)
            return;
        p->marks = grown;
        p->mark_room = room;
    }
    p->marks[p->mark_count++] = (struct mark){
        .section = section,
        .option = option,
        .index = option->nvalues - 1,
        .file = p->file,
        .line = section->line,
        .section_line = section != p->cfg ? parent_of(p, section)->line : 0,
    };
}

/* libconfuse's callback for each value, and for each default that it parses: when the
 * section begins. */
static int take_value(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
    struct parse *p = current;

    *(const char **)result = value;
    if (p->cfg == NULL) /* the defaults, in cfg_init */
        return 0;
    if (strcmp(value, END) == 0) {
        report_error(p->report, (struct location){p->file, section->line},
                     "the file ends inside of a statement, expected a value");
        return -1;
    }
    add_mark(p, section, option);
    return 0;
}

static void report_unknown_name(struct parse *p, const cfg_t *section,
                                struct location here, const char *name)
{
    const struct section *rows = section_section(&file_section, section->name);
    char shown[80], expected[1024];
    size_t used = 0;

    if (section == p->cfg) {
        rows = &file_section;
        snprintf(shown, sizeof shown, "the file");
    } else if (section->title != NULL) {
        snprintf(shown, sizeof shown, "%s \"%.60s\"", section->name, section->title);
    } else {
        snprintf(shown, sizeof shown, "section %s", section->name);
    }
    if (rows == NULL) /* within a list, not in the file */
        rows = &codes_section;
    if (strcmp(name, END) == 0) {
        report_error(
            p->report, here,
            "the file ends inside of %s, which begins in line %d, expected \"}\"", shown,
            parent_of(p, section)->line);
        return;
    }
    expected[0] = '\0';
    for (size_t i = 0; i < rows->option_count && used < sizeof expected; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s",
                                 used > 0 ? ", " : "", rows->options[i].name);
    for (size_t i = 0;
         rows->sections != NULL && rows->sections[i] != NULL && used < sizeof expected;
         i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s",
                                 used > 0 ? ", " : "", rows->sections[i]->name);
    report_error(p->report, here, "unknown name \"%.60s\" in %s, expected one of: %s%s",
                 name, shown, expected, section == p->cfg ? ", include" : "");
}

static void report_duplicate(struct parse *p, cfg_t *section, struct location here,
                             const char *title)
{
    const char *name = section != p->cfg ? codes_section.name
                       : cfg_gettsec(section, list_section.name, title) != NULL
                           ? list_section.name
                           : rule_section.name;
    struct location earlier =
        parse_location(p, cfg_gettsec(section, name, title), NULL, 0);

    report_error(p->report, here,
                 "%s \"%.60s\" exists already in %s:%d, expected another title", name,
                 title, earlier.file, earlier.line);
}

/* What libconfuse's message does not say; its beginning, and what was expected. */
static const struct {
    const char *message, *expected;
} syntax_errors[] = {
    {"unexpected token", "NAME = VALUE, NAME = { VALUE, VALUE } or NAME { ... }"},
    {"missing equal sign", "NAME = VALUE"},
    {"attempt to append", "\"=\""},
    {"missing opening brace", "\"{\""},
    {"missing title", "a title in quotes"},
    {"unexpected closing brace", "a section that it could end"},
    {"missing parenthesis", "include(\"FILE\")"},
    {"syntax error in call", "include(\"FILE\")"},
    {"bad escape sequence", "\"\\\\\" for a backslash"},
};

/* libconfuse's error callback. A section that may occur only once has no file name in
 * libconfuse, so that it comes from our own books. */
static void take_error(cfg_t *section, const char *format, va_list args)
{
    static const char unknown[] = "no such option", duplicate[] = "found duplicate title";
    struct parse *p = current;
    struct location here = {p->file, section->line};
    const char *expected = "";
    char text[1024];

    if (strncmp(format, unknown, strlen(unknown)) == 0) {
        report_unknown_name(p, section, here, va_arg(args, const char *));
        return;
    }
    if (strncmp(format, duplicate, strlen(duplicate)) == 0) {
        report_duplicate(p, section, here, va_arg(args, const char *));
        return;
    }
    vsnprintf(text, sizeof text, format, args);
    if (strstr(text, END) != NULL) {
        report_error(p->report, here, "the file ends inside of a statement, expected %s",
                     "\"}\", or what else it lacks");
        return;
    }
    for (size_t i = 0; i < sizeof syntax_errors / sizeof syntax_errors[0]; i++)
        if (strncmp(text, syntax_errors[i].message, strlen(syntax_errors[i].message)) ==
            0)
            expected = syntax_errors[i].expected;
    report_error(p->report, here, "%s%s%s", text, *expected != '\0' ? ", expected " : "",
                 expected);
}

static void free_schema(cfg_opt_t *opts)
{
    for (size_t i = 0; opts != NULL && opts[i].name != NULL; i++) {
        free(opts[i].def.parsed);
        free_schema(opts[i].subopts);
    }
    free(opts);
}

/* Every value is a text to libconfuse: its numbers would end the parse at the first
 * error, and take 010 for eight. Defaults of lists, and the empty ones, are parsed. */
static int option_schema(const struct option *o, cfg_opt_t *out)
{
    bool list = kind_is_list(o->kind);

    if (list)
        *out = (cfg_opt_t)CFG_STR_LIST_CB(o->name, NULL, CFGF_NONE, take_value);
    else
        *out = (cfg_opt_t)CFG_STR_CB(o->name, o->value, CFGF_NONE, take_value);
    if (!list && (o->value == NULL || o->value[0] != '\0'))
        return 0;
    if (asprintf(&out->def.parsed, list ? "{%s}" : "\"%s\"", o->value) < 0) {
        out->def.parsed = NULL;
        return -1;
    }
    return 0;
}

static int include_file(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv);
static int reach_end(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv);

static cfg_opt_t *make_schema(const struct section *section)
{
    size_t count = section->option_count, used = 0;
    cfg_opt_t *opts;

    for (size_t i = 0; section->sections != NULL && section->sections[i] != NULL; i++)
        count++;
    opts = calloc(count + 3, sizeof *opts); /* two functions, and an end of zeros */
    if (opts == NULL)
        return NULL;
    for (size_t i = 0; i < section->option_count; i++)
        if (option_schema(&section->options[i], &opts[used++]) != 0)
            goto failed;
    for (size_t i = 0; section->sections != NULL && section->sections[i] != NULL; i++) {
        const struct section *sub = section->sections[i];
        int flags = sub->titled ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0;
        cfg_opt_t *subopts = make_schema(sub);

        if (subopts == NULL)
            goto failed;
        opts[used++] = (cfg_opt_t)CFG_SEC(sub->name, subopts, flags);
    }
    if (section->name == NULL) {
        opts[used++] = (cfg_opt_t)CFG_FUNC("include", include_file);
        opts[used++] = (cfg_opt_t)CFG_FUNC(END, reach_end);
    }
    return opts;
failed:
    free_schema(opts);
    return NULL;
}

static int reach_end(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    (void)cfg;
    (void)opt;
    (void)argc;
    (void)argv;
    current->at_end = true;
    return 0;
}

char *parse_relative(const struct parse *p, const char *path)
{
    const char *slash = strrchr(p->path, '/');
    char *joined;

    if (path[0] == '/' || slash == NULL)
        return strdup(path);
    if (asprintf(&joined, "%.*s/%s", (int)(slash - p->path), p->path, path) < 0)
        return NULL;
    return joined;
}

/* Keeps the name, as locations point to it. */
static const char *keep_name(struct parse *p, const char *name)
{
    char **grown = realloc(p->files, (p->file_count + 1) * sizeof *grown);
    char *copy = grown != NULL ? strdup(name) : NULL;

    if (grown != NULL)
        p->files = grown;
    if (copy != NULL)
        p->files[p->file_count++] = copy;
    return copy;
}

/* Lets libconfuse read the text of a file. Its own include() would keep one of ten levels
 * permanently after an error, and end the process if the file is a directory. Returns 0, or
 * -1 after a syntax error, which is reported. (libconfuse 3.3 leaks some octets at one in
 * the arguments of include.) */
static int parse_text(struct parse *p, const char *text)
{
    unsigned before = p->report->errors;
    char *with_end = NULL;
    FILE *stream = NULL;
    int length = asprintf(&with_end, "%s %s()", text, END), rc = -1;

    if (length < 0) {
        with_end = NULL;
        goto out;
    }
    stream = fmemopen(with_end, (size_t)length, "r");
    if (stream == NULL)
        goto out;
    p->at_end = false;
    rc = cfg_parse_fp(p->cfg, stream) == CFG_SUCCESS && p->at_end ? 0 : -1;
    if (rc != 0 && p->report->errors == before) /* an empty name: not a word about it */
        report_error(p->report, (struct location){p->file, p->cfg->line},
                     "cannot be parsed, expected NAME = VALUE");
out:
    if (stream == NULL)
        report_error(p->report, (struct location){p->file, 0}, "out of memory");
    else
        fclose(stream);
    free(with_end);
    return rc;
}

/* Reads the text of a file, and frees it; its comments become blank. Returns 0, or -1: an
 * error, which is reported, ends the parse. */
static int read_text(struct parse *p, const char *path, char *text,
                     struct location include)
{
    const char *outer = p->file, *missing;
    int outer_line = p->cfg->line, line, rc;

    p->file = keep_name(p, path);
    line = comments_blank(text, &missing);
    if (p->file == NULL) {
        report_error(p->report, include, "out of memory");
        rc = -1;
    } else if (line > 0) {
        report_error(p->report, (struct location){p->file, line},
                     "the %s that begins in line %d has no end, expected %s",
                     *missing == '*' ? "comment" : "text", line, missing);
        rc = -1;
    } else {
        rc = parse_text(p, text);
    }
    p->file = outer;
    p->cfg->line = outer_line;
    free(text);
    return rc;
}

/* include: where the file is included; of the main file, the file itself. Returns 0, also
 * if the file cannot be read, which is reported, or -1: a syntax error ends the parse. */
static int read_file(struct parse *p, const char *path, struct location include)
{
    char error[FILE_ERROR_SIZE];
    char *text = file_text(path, FILE_MAX, NULL, error);

    if (text != NULL)
        return read_text(p, path, text, include);
    if (include.line > 0)
        report_error(p->report, include, "include(\"%s\"): %s", path, error);
    else
        report_error(p->report, include, "%s", error);
    return 0;
}

/* include("file"). Returns 0, or -1 to end the parse. */
static int include_file(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    struct parse *p = current;
    struct location here = {p->file, cfg->line};
    char *path;
    int rc;

    (void)opt;
    if (argc != 1) {
        report_error(p->report, here, "include: expected include(\"FILE\")");
        return -1;
    }
    if (p->closed) {
        report_error(p->report, here, "include: expected a file without includes");
        return -1;
    }
    if (p->depth >= INCLUDE_DEPTH) {
        report_error(p->report, here,
                     "includes nested too deeply, expected at most %d (does a file "
                     "include itself?)",
                     INCLUDE_DEPTH);
        return -1;
    }
    path = parse_relative(p, argv[0]);
    if (path == NULL) {
        report_error(p->report, here, "out of memory");
        return -1;
    }
    p->depth++;
    rc = read_file(p, path, here);
    p->depth--;
    free(path);
    return rc;
}

/* Whether libconfuse would put a variable of the environment in: "${" whose "$" no
 * backslash takes the meaning from. */
static bool has_variable(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        else if (p[0] == '$' && p[1] == '{')
            return true;
    }
    return false;
}

static int read_memory(struct parse *p, const char *text)
{
    struct location whole = {p->path, 0};
    char *copy = NULL;

    if (has_variable(text))
        report_error(p->report, whole, "expected a text without ${NAME}");
    else if ((copy = strdup(text)) == NULL)
        report_error(p->report, whole, "out of memory");
    return copy != NULL ? read_text(p, p->path, copy, whole) : -1;
}

void parse_file(struct parse *p, const char *path, const char *text,
                struct report *report)
{
    cfg_opt_t *schema = make_schema(&file_section);
    struct location whole = {path, 0};

    *p = (struct parse){
        .report = report, .path = path, .file = path, .closed = text != NULL};
    current = p;
    p->cfg = schema != NULL ? cfg_init(schema, CFGF_NONE) : NULL;
    if (p->cfg == NULL) {
        report_error(report, whole, "out of memory");
    } else {
        cfg_set_error_function(p->cfg, take_error);
        p->complete =
            (text != NULL ? read_memory(p, text) : read_file(p, path, whole)) == 0;
    }
    current = NULL;
    free_schema(schema);
}

void parse_free(struct parse *p)
{
    if (p->cfg != NULL)
        cfg_free(p->cfg);
    for (size_t i = 0; i < p->file_count; i++)
        free(p->files[i]);
    free(p->files);
    free(p->marks);
    *p = (struct parse){0};
}

struct location parse_location(const struct parse *p, cfg_t *section, const char *option,
                               unsigned index)
{
    const cfg_opt_t *opt = option != NULL ? cfg_getopt(section, option) : NULL;

    for (size_t i = p->mark_count; opt != NULL && i-- > 0;)
        if (p->marks[i].option == opt && p->marks[i].index == index)
            return (struct location){p->marks[i].file, p->marks[i].line};
    for (size_t i = p->mark_count; i-- > 0;)
        if (p->marks[i].section == section)
            return (struct location){p->marks[i].file, p->marks[i].section_line};
    return (struct location){p->path, 0};
}

const char *config_library_version(void)
{
    return confuse_version;
}

#define REPORT_SIZE 2048

static void report_line(struct report *r, struct location location, const char *kind,
                        const char *format, va_list args)
{
    char text[REPORT_SIZE], raw[REPORT_SIZE + 256], line[REPORT_SIZE + 512];

    vsnprintf(text, sizeof text, format, args);
    if (location.line > 0)
        snprintf(raw, sizeof raw, "%s:%d: %s%s", location.file, location.line, kind,
                 text);
    else
        snprintf(raw, sizeof raw, "%s: %s%s", location.file, kind, text);
    text_clean(raw, line, sizeof line); /* one line, whatever the file held */
    r->report(r->context, line);
}

void report_error(struct report *r, struct location location, const char *format, ...)
{
    va_list args;

    r->errors++;
    va_start(args, format);
    report_line(r, location, "", format, args);
    va_end(args);
}

void report_warning(struct report *r, struct location location, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    report_line(r, location, "warning: ", format, args);
    va_end(args);
}
