/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/postfix.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/finding.h"

/* master.cf's own values are told by -P as "smtp/inet/smtpd_milters = …". */
#define POSTCONF                                                                         \
    "PATH=\"$PATH:/usr/sbin\"; export PATH; { postconf -x smtpd_milters "                \
    "non_smtpd_milters milter_default_action; postconf -Px; } 2>/dev/null"
#define ADVICE_MILTERS                                                                   \
    "smtpd_milters = { inet:127.0.0.1:8891, connect_timeout=5s, default_action=accept }" \
    " (docs/postfix.md)"

/* What of the configuration is about us. */
struct seen {
    bool any;              /* Postfix is there */
    bool smtpd, non_smtpd; /* we are among these milters */
    char action[32];       /* what is done while we are away */
    char own_action[32];   /* of our own entry; "" none */
};

/* What of the socket stands in Postfix's text, too: ":PORT" of inet:PORT@HOST; of a path
 * the last two names, as a chrooted smtpd has it from its queue directory on. */
static bool needle_of(const char *socket, char *out, size_t size)
{
    const char *at = strchr(socket, '@'), *colon = strchr(socket, ':');
    const char *end = socket + strlen(socket);
    int slashes = 0, n;

    if (strncmp(socket, "inet", 4) == 0 && colon != NULL) {
        n = snprintf(out, size, "%.*s", (int)((at != NULL ? at : end) - colon), colon);
        return n > 0 && (size_t)n < size;
    }
    while (end > socket && slashes < 2)
        slashes += *--end == '/';
    return text_copy(slashes == 2 ? end + 1 : end, out, size) && out[0] != '\0';
}

/* Where the milter is named in a list of milters; NULL: it is not. */
static const char *find_milter(const char *milters, const char *needle)
{
    size_t length = strlen(needle);

    for (const char *at = strstr(milters, needle); at != NULL;
         at = strstr(at + 1, needle))
        if (strchr(" ,}\n", at[length]) != NULL) /* also at the end: \0 */
            return at;
    return NULL;
}

/* The default_action within the braces around the milter, if there are any. */
static void read_own_action(const char *milters, const char *milter, char out[static 32])
{
    const char *begin = milter, *end = milter + strcspn(milter, "{}"), *action;

    while (begin > milters && *begin != '{' && *begin != '}')
        begin--;
    action = *begin == '{' && *end == '}' ? strstr(begin, "default_action") : NULL;
    if (action != NULL && action < end)
        sscanf(action, "default_action = %31[a-z]", out);
}

/* One line of postconf: "name = value", "service/type/name = value". */
static void read_line(struct seen *seen, const char *line, const char *needle)
{
    const char *value = strstr(line, " ="), *name, *milter;

    if (value == NULL)
        return;
    name = value;
    while (name > line && name[-1] != '/')
        name--;
    value += 2 + strspn(value + 2, " ");
    seen->any = true;
    milter = find_milter(value, needle);
    if (strncmp(name, "smtpd_milters =", 15) == 0 && milter != NULL) {
        seen->smtpd = true;
        read_own_action(value, milter, seen->own_action);
    } else if (strncmp(name, "non_smtpd_milters =", 19) == 0) {
        seen->non_smtpd |= milter != NULL;
    } else if (strncmp(name, "milter_default_action =", 23) == 0 && name == line) {
        sscanf(value, "%31[a-z]", seen->action);
    }
}

static bool read_postconf(const char *needle, struct seen *seen)
{
    FILE *in = popen(POSTCONF, "re");
    char *line = NULL;
    size_t size = 0;

    if (in == NULL)
        return false;
    while (getline(&line, &size, in) > 0)
        read_line(seen, line, needle);
    free(line);
    return pclose(in) != -1 && seen->any;
}

static void say_action(json_t *findings, const struct seen *seen)
{
    const char *action = seen->own_action[0] != '\0' ? seen->own_action : seen->action;
    char what[160];

    snprintf(what, sizeof what,
             "while the daemon is away, Postfix does this to mail: %s (%s)", action,
             seen->own_action[0] != '\0' ? "default_action" : "milter_default_action");
    if (strcmp(action, "accept") == 0)
        finding_add(findings, "ok", what, "");
    else
        finding_add(
            findings, strcmp(action, "reject") == 0 ? "error" : "warning", what,
            "set default_action=accept for this milter, unless no mail is better than "
            "mail that is not judged: " ADVICE_MILTERS);
}

bool postfix_findings(const char *socket, json_t *findings)
{
    struct seen seen = {0};
    char needle[256];

    if (!needle_of(socket, needle, sizeof needle) || !read_postconf(needle, &seen))
        return seen.any;
    if (!seen.smtpd)
        finding_add(findings, "warning",
                    "Postfix does not ask this milter: it is not among its smtpd_milters",
                    ADVICE_MILTERS);
    else
        say_action(findings, &seen);
    if (seen.non_smtpd)
        finding_add(findings, "warning",
                    "this milter is among Postfix's non_smtpd_milters: refused mail of "
                    "the host's own would stay in the queue",
                    "take it out of non_smtpd_milters");
    return true;
}
