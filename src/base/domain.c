#include "base/domain.h"

#include <idn2.h>
#include <libpsl.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static bool is_label_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Checks a lower-case name label by label (RFC 1035, 2.3.4; "_" is seen in the wild). */
static bool labels_are_valid(const char *name)
{
    size_t label = 0;

    for (const char *p = name;; p++) {
        if (*p == '.' || *p == '\0') {
            if (label == 0 || label > 63)
                return false;
            label = 0;
            if (*p == '\0')
                return true;
        } else if (is_label_character(*p)) {
            label++;
        } else {
            return false;
        }
    }
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* U-labels to A-labels. Returns false if IDNA2008 does not allow the name. */
static bool to_ascii(const char *text, char *out, size_t size)
{
    char *ascii = NULL;
    bool ok = idn2_to_ascii_8z(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) ==
                  IDN2_OK &&
              text_lower(ascii, out, size);

    idn2_free(ascii);
    return ok;
}

int domain_canonical(const char *text, char out[static DOMAIN_SIZE])
{
    char name[DOMAIN_SIZE + 1]; /* with the dot at the end */
    size_t length;
    bool ok = is_ascii(text) ? text_lower(text, name, sizeof name)
                             : to_ascii(text, name, sizeof name);

    out[0] = '\0';
    if (!ok)
        return -1;
    length = strlen(name);
    if (length > 0 && name[length - 1] == '.')
        name[length - 1] = '\0';
    if (!labels_are_valid(name) || !text_copy(name, out, DOMAIN_SIZE))
        return -1;
    return 0;
}

bool domain_is_numeric(const char *domain)
{
    const char *last = strrchr(domain, '.');

    last = last != NULL ? last + 1 : domain;
    return *last != '\0' && last[strspn(last, "0123456789")] == '\0';
}

const char *domain_parent(const char *domain)
{
    const char *dot = strchr(domain, '.');

    return dot != NULL ? dot + 1 : NULL;
}

bool domain_is_below(const char *domain, const char *parent)
{
    size_t length = strlen(domain), tail = strlen(parent);

    if (tail == 0 || length < tail || strcmp(domain + length - tail, parent) != 0)
        return false;
    return length == tail || domain[length - tail - 1] == '.';
}

/* The "@" between local part and domain: the last one outside quotes. */
static const char *find_at(const char *text)
{
    const char *at = NULL;
    bool quoted = false;

    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (*p == '@' && !quoted)
            at = p;
    }
    return at;
}

/* Copies a local part without its quotes and backslashes: "a b" and a\ b are one. */
static bool unquote(const char *in, size_t length, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        if (in[i] == '"')
            continue;
        if (in[i] == '\\' && i + 1 < length)
            i++;
        if (used + 1 >= size)
            return false;
        out[used++] = in[i];
    }
    out[used] = '\0';
    return true;
}

/* Skips a source route, "@a,@b:" (RFC 5321, appendix C). */
static const char *skip_route(const char *text)
{
    const char *colon;

    if (*text != '@')
        return text;
    colon = strchr(text, ':');
    return colon != NULL ? colon + 1 : text;
}

int mail_address_parse(const char *text, struct mail_address *out)
{
    char copy[ADDRESS_SIZE * 2];
    size_t length;
    const char *start, *at;

    memset(out, 0, sizeof *out);
    if (*text == '<')
        text++;
    if (!text_copy(text, copy, sizeof copy))
        return -1;
    length = strlen(copy);
    if (length > 0 && copy[length - 1] == '>')
        copy[length - 1] = '\0';
    start = skip_route(copy);
    at = find_at(start);
    length = at != NULL ? (size_t)(at - start) : strlen(start);
    if (!unquote(start, length, out->local, sizeof out->local)) {
        memset(out, 0, sizeof *out);
        return -1;
    }
    if (at == NULL)
        return 0;
    if (at[1] == '[')
        out->literal = true;
    else if (domain_canonical(at + 1, out->domain) != 0)
        out->domain[0] = '\0';
    return 0;
}

bool mail_address_is_null(const struct mail_address *a)
{
    return a->local[0] == '\0' && a->domain[0] == '\0' && !a->literal;
}

struct suffix_list *suffix_list_new(void)
{
    /* libpsl's own type, opaque here so that no other folder needs the library */
    return (struct suffix_list *)psl_latest(NULL);
}

void suffix_list_free(struct suffix_list *list)
{
    psl_free((psl_ctx_t *)list);
}

const char *suffix_list_registered(const struct suffix_list *list, const char *domain)
{
    return psl_registrable_domain((const psl_ctx_t *)list, domain);
}
