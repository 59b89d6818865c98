/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/domain.h"

#include <ctype.h>
#include <libpsl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/idna.h"
#include "base/text.h"

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
        } else if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' ||
                   *p == '_') {
            label++;
        } else {
            return false;
        }
    }
}

int domain_canonical(const char *text, char out[static DOMAIN_SIZE])
{
    char name[DOMAIN_SIZE + 1]; /* with the dot at the end */
    size_t length;
    bool ok = text_is_ascii(text) ? text_lower(text, name, sizeof name)
                                  : idna_to_ascii(text, name, sizeof name);

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

/* What may be in quotes only (RFC 5322, 3.2.3), the "@" but for. */
static const bool only_quoted[UCHAR_MAX + 1] = {
    ['('] = true, [')'] = true, ['<'] = true,  ['>'] = true,  [','] = true,  [';'] = true,
    [':'] = true, [' '] = true, ['\t'] = true, ['\r'] = true, ['\n'] = true,
};

enum local_part { LOCAL_PART_READ, LOCAL_PART_TOO_LONG, LOCAL_PART_STRANGE };

/* Copies a local part without its quotes and backslashes: "a b" and a\ b are one. What has
 * to be in quotes and is not, is strange: an MTA that takes it takes it for a comment, or
 * for two addresses. */
static enum local_part unquote(const char *in, size_t length,
                               char out[static LOCAL_PART_SIZE])
{
    bool quoted = false;
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < length; i++) {
        if (in[i] == '"') {
            quoted = !quoted;
            continue;
        }
        if (in[i] == '\\' && i + 1 < length)
            i++;
        else if (!quoted && only_quoted[(unsigned char)in[i]])
            return LOCAL_PART_STRANGE;
        if (used + 1 < LOCAL_PART_SIZE)
            out[used] = in[i];
        used++;
    }
    if (used >= LOCAL_PART_SIZE) {
        out[0] = '\0';
        return LOCAL_PART_TOO_LONG;
    }
    out[used] = '\0';
    return LOCAL_PART_READ;
}

/* Without the ">" at the end. */
static size_t bare_length(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && text[length - 1] == '>' ? length - 1 : length;
}

static bool read_domain(const char *text, size_t length, struct mail_address *out)
{
    char domain[4 * DOMAIN_SIZE]; /* room for UTF-8 */

    if (length > 0 && text[0] == '[') {
        out->literal = true;
        return true;
    }
    if (length >= sizeof domain)
        return false;
    memcpy(domain, text, length);
    domain[length] = '\0';
    return domain_canonical(domain, out->domain) == 0;
}

int mail_address_parse(const char *text, struct mail_address *out)
{
    const char *start, *at;
    enum local_part read;
    size_t length;
    bool has_domain;

    memset(out, 0, sizeof *out);
    if (*text == '<')
        text++;
    /* without a source route, "@a,@b:" (RFC 5321, appendix C) */
    start = *text == '@' ? strchr(text, ':') : NULL;
    start = start != NULL ? start + 1 : text;
    at = find_at(start);
    length = at != NULL ? (size_t)(at - start) : bare_length(start);
    read = unquote(start, length, out->local);
    has_domain = at != NULL && read_domain(at + 1, bare_length(at + 1), out);
    /* a strange one must not be read at all; nor may one be taken for the null sender */
    if (read == LOCAL_PART_STRANGE ||
        (!has_domain && out->local[0] == '\0' && (at != NULL || length > 0))) {
        memset(out, 0, sizeof *out);
        return -1;
    }
    return 0;
}

bool mail_address_is_null(const struct mail_address *a)
{
    return a->local[0] == '\0' && a->domain[0] == '\0' && !a->literal;
}

bool mail_address_is_role(const struct mail_address *a)
{
    static const char *const roles[] = {"postmaster", "abuse", "mailer-daemon"};

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcasecmp(a->local, roles[i]) == 0)
            return true;
    return false;
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

bool suffix_list_has(const struct suffix_list *list, const char *domain)
{
    return psl_is_public_suffix2((const psl_ctx_t *)list, domain,
                                 PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) == 1;
}

const char *suffix_list_registered(const struct suffix_list *list, const char *domain)
{
    return psl_registrable_domain((const psl_ctx_t *)list, domain);
}

#define LAYERS_MAX     4
#define BATV_TAG_CHARS 10
#define VERP_MARKS     "+-"

/* K, three digits of a day and six of a hash (draft-levine-smtp-batv). */
static bool is_batv_tag(const char *text, size_t length)
{
    if (length != BATV_TAG_CHARS)
        return false;
    for (size_t i = 0; i < length; i++)
        if (i < 4 ? !isdigit((unsigned char)text[i]) : !isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

/* Copies a part of a local part. Returns false where it is empty or too long. */
static bool copy_part(const char *text, size_t length, char out[static LOCAL_PART_SIZE])
{
    if (length == 0 || length >= LOCAL_PART_SIZE)
        return false;
    memmove(out, text, length);
    out[length] = '\0';
    return true;
}

/* "prvs=TAG=anna"; and "prvs=anna=TAG", "prvs=anna/TAG", which older drafts had. */
static bool open_batv(const char *local, struct mail_address *out)
{
    const char *start, *mark;

    if (strncasecmp(local, "btv1==", 6) == 0) {
        mark = strstr(local + 6, "==");
        return mark != NULL && copy_part(mark + 2, strlen(mark + 2), out->local);
    }
    if (strncasecmp(local, "prvs=", 5) != 0)
        return false;
    start = local + 5;
    mark = strchr(start, '=');
    if (mark != NULL && is_batv_tag(start, (size_t)(mark - start)))
        return copy_part(mark + 1, strlen(mark + 1), out->local);
    mark = strrchr(start, '=');
    if (mark == NULL)
        mark = strrchr(start, '/');
    return mark != NULL && is_batv_tag(mark + 1, strlen(mark + 1)) &&
           copy_part(start, (size_t)(mark - start), out->local);
}

/* "HASH=TT=a.example=anna" */
static bool open_srs_body(const char *body, struct mail_address *out)
{
    char name[DOMAIN_SIZE], domain[DOMAIN_SIZE];
    const char *end;
    size_t length;

    for (int i = 0; i < 2; i++) {
        body = strchr(body, '=');
        if (body == NULL)
            return false;
        body++;
    }
    end = strchr(body, '=');
    length = end != NULL ? (size_t)(end - body) : sizeof name;
    if (length >= sizeof name)
        return false;
    memcpy(name, body, length);
    name[length] = '\0';
    if (domain_canonical(name, domain) != 0 || strchr(domain, '.') == NULL ||
        !copy_part(end + 1, strlen(end + 1), out->local))
        return false;
    return text_copy(domain, out->domain, sizeof out->domain);
}

static bool is_srs_mark(char c)
{
    return c == '=' || c == '+' || c == '-';
}

/* SRS1 has the first forwarder's name, and behind a second "=" the body of its SRS0. */
static bool open_srs(const char *local, struct mail_address *out)
{
    const char *body;

    if (strncasecmp(local, "SRS0", 4) == 0 && is_srs_mark(local[4]))
        return open_srs_body(local + 5, out);
    if (strncasecmp(local, "SRS1", 4) == 0 && is_srs_mark(local[4])) {
        body = strchr(local + 5, '=');
        body = body != NULL ? strchr(body + 1, '=') : NULL;
        return body != NULL && is_srs_mark(body[1]) && open_srs_body(body + 2, out);
    }
    body = strcasestr(local, "+SRS=");
    return body != NULL && open_srs_body(body + 5, out);
}

bool rewritten_inside(const struct mail_address *address, struct mail_address *out)
{
    struct mail_address inside = *address, next;
    int layers = 0;

    for (; layers < LAYERS_MAX; layers++) {
        next = inside;
        if (!open_batv(inside.local, &next) && !open_srs(inside.local, &next))
            break;
        inside = next;
    }
    if (layers == 0)
        return false;
    *out = inside;
    return true;
}

bool rewritten_without_recipient(const char *local, int n,
                                 char out[static LOCAL_PART_SIZE])
{
    const char *equals = strrchr(local, '=');

    if (equals == NULL || strchr(equals, '.') == NULL)
        return false;
    for (const char *p = equals; p > local + 1;) {
        p--;
        if (strchr(VERP_MARKS, *p) != NULL && n-- == 0)
            return copy_part(local, (size_t)(p - local), out);
    }
    return false;
}
