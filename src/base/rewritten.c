/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/rewritten.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

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
