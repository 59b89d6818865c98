#include "config/parse.h"

#include <stdlib.h>
#include <string.h>

#include "config/file.h"

#define FILE_MAX      (16u << 20)
#define INCLUDE_DEPTH 10

/* libconfuse hands no pointer of ours to its error function. */
static _Thread_local struct parse *current;

static void free_schema(cfg_opt_t *opts)
{
    for (size_t i = 0; opts != NULL && opts[i].name != NULL; i++) {
        free(opts[i].def.parsed);
        free_schema(opts[i].subopts);
    }
    free(opts);
}

/* Every value is a text to libconfuse: its numbers would end the parse at the first
 * mistake, and take 010 for eight. */
static int option_schema(const struct option *o, cfg_opt_t *out)
{
    char *list = NULL;

    if (!kind_is_list(o->kind)) {
        *out = (cfg_opt_t)CFG_STR(o->name, o->value, CFGF_NONE);
        return 0;
    }
    if (asprintf(&list, "{%s}", o->value) < 0)
        return -1;
    *out = (cfg_opt_t)CFG_STR_LIST(o->name, list, CFGF_NONE);
    return 0;
}

static int include_file(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv);

static cfg_opt_t *make_schema(const struct section *section)
{
    size_t count = section->option_count, used = 0;
    cfg_opt_t *opts;

    for (size_t i = 0; section->sections != NULL && section->sections[i] != NULL; i++)
        count++;
    opts = calloc(count + 2, sizeof *opts); /* include, and an end of zeros */
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
    if (section->name == NULL)
        opts[used++] = (cfg_opt_t)CFG_FUNC("include", include_file);
    return opts;
failed:
    free_schema(opts);
    return NULL;
}

/* The file's name comes from our own books: in a section that may stand only once,
 * libconfuse has none. */
static void tell_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[1024];

    vsnprintf(text, sizeof text, format, args);
    report_mistake(current->report,
                   (struct place){current->file, cfg != NULL ? cfg->line : 0}, "%s",
                   text);
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

/* Keeps the name, as places point to it. */
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

/* Lets libconfuse read text, as if it stood in the place of the include. Its own
 * include() would keep one of ten levels for ever after a mistake, and end the process
 * if the file is a folder. */
static int parse_text(struct parse *p, char *text)
{
    FILE *stream = fmemopen(text, strlen(text), "r");
    int rc;

    if (stream == NULL)
        return -1;
    rc = cfg_parse_fp(p->cfg, stream);
    fclose(stream);
    return rc == CFG_SUCCESS ? 0 : -1;
}

/* from: what a file that cannot be read is told of: itself, or its include. */
static int read_file(struct parse *p, const char *path, struct place from)
{
    char error[FILE_ERROR_SIZE];
    const char *outer = p->file;
    unsigned before = p->report->mistakes;
    int line = p->cfg->line, rc = -1;
    char *text = file_text(path, FILE_MAX, NULL, error);

    if (text == NULL) {
        if (from.line > 0)
            report_mistake(p->report, from, "include(\"%s\"): %s", path, error);
        else
            report_mistake(p->report, from, "%s", error);
        goto out;
    }
    p->file = keep_name(p, path);
    if (p->file == NULL || outline_read(p->outline, p->report, p->file, text) != 0) {
        report_mistake(p->report, from, "out of memory");
        goto out;
    }
    rc = text[0] != '\0' ? parse_text(p, text) : 0;
    if (rc != 0 && p->report->mistakes == before)
        report_mistake(p->report, from, "cannot be parsed");
out:
    p->file = outer;
    p->cfg->line = line;
    free(text);
    return rc;
}

/* include("file"). Never fails for libconfuse, so that it reads on. */
static int include_file(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    struct parse *p = current;
    struct place place = {p->file, cfg->line};
    char *path;

    (void)opt;
    if (argc != 1 || p->depth >= INCLUDE_DEPTH) {
        report_mistake(p->report, place,
                       argc != 1
                           ? "include: expected one file"
                           : "includes nested too deeply, expected at most %d (does a "
                             "file include itself?)",
                       INCLUDE_DEPTH);
        return 0;
    }
    path = parse_relative(p, argv[0]);
    if (path == NULL) {
        report_mistake(p->report, place, "out of memory");
        return 0;
    }
    p->depth++;
    read_file(p, path, place);
    p->depth--;
    free(path);
    return 0;
}

int parse_file(struct parse *p, const char *path, struct report *report)
{
    cfg_opt_t *schema = make_schema(&file_section);
    struct place whole = {path, 0};
    int rc = -1;

    *p = (struct parse){.report = report, .path = path, .file = path};
    p->outline = outline_new();
    p->cfg = schema != NULL ? cfg_init(schema, CFGF_NONE) : NULL;
    if (p->outline == NULL || p->cfg == NULL) {
        report_mistake(report, whole, "out of memory");
        goto out;
    }
    cfg_set_error_function(p->cfg, tell_error);
    current = p;
    rc = read_file(p, path, whole);
    current = NULL;
out:
    free_schema(schema);
    return rc;
}

void parse_free(struct parse *p)
{
    if (p->cfg != NULL)
        cfg_free(p->cfg);
    outline_free(p->outline);
    for (size_t i = 0; i < p->file_count; i++)
        free(p->files[i]);
    free(p->files);
    *p = (struct parse){0};
}

/* Looks for one path in the outline; frees it. */
static bool find(const struct parse *p, char *path, struct place *out)
{
    bool found = path != NULL && outline_find(p->outline, path, out);

    free(path);
    return found;
}

struct place parse_place(const struct parse *p, const char *section, const char *option,
                         unsigned index)
{
    struct place place = {p->path, 0};
    char number[16], *path;

    if (option != NULL) {
        path = outline_join(section, option);
        snprintf(number, sizeof number, "%u", index);
        if (path != NULL && (find(p, outline_join(path, number), &place) ||
                             outline_find(p->outline, path, &place))) {
            free(path);
            return place;
        }
        free(path);
    }
    if (section != NULL)
        outline_find(p->outline, section, &place);
    return place;
}

const char *config_library_version(void)
{
    return confuse_version;
}
