/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor: prints what the daemon found (daemon/doctor.c), with what the MTA's own settings
 * say. The daemon cannot see those: they are read here, with the rights of whoever runs
 * rblctl, Postfix's from postconf(1), or else sendmail's from sendmail.cf. Beside a Postfix,
 * what is left of a sendmail does not count. */

#include "ctl/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "ctl/output.h"

static void add_finding(json_t *findings, const char *level, const char *what,
                        const char *advice)
{
    json_array_append_new(findings, json_pack("{s:s, s:s, s:s}", "level", level, "what",
                                              what, "advice", advice));
}

/* --- Postfix --- */

/* master.cf's own values are shown by -P as "smtp/inet/smtpd_milters = …". */
#define POSTCONF                                                                         \
    "PATH=\"$PATH:/usr/sbin\"; export PATH; { postconf -x smtpd_milters "                \
    "non_smtpd_milters milter_default_action; postconf -Px; } 2>/dev/null"
#define ADVICE_MILTERS                                                                   \
    "smtpd_milters = { inet:127.0.0.1:8895, connect_timeout=5s, default_action=accept }" \
    " (docs/postfix.md)"

/* What of the configuration is about us. */
struct seen {
    bool any;              /* Postfix is there */
    bool smtpd, non_smtpd; /* we are among these milters */
    char action[32];       /* what is done while we are away */
    char own_action[32];   /* of our own entry; "" none */
};

/* What of the socket is in Postfix's text, too: ":PORT" of inet:PORT@HOST; of a path
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
static void read_postconf_line(struct seen *seen, const char *line, const char *needle)
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
        read_postconf_line(seen, line, needle);
    free(line);
    return pclose(in) != -1 && seen->any;
}

static void say_postfix_action(json_t *findings, const struct seen *seen)
{
    const char *action = seen->own_action[0] != '\0' ? seen->own_action : seen->action;
    char what[160];

    snprintf(what, sizeof what,
             "while the daemon is away, Postfix does this to mail: %s (%s)", action,
             seen->own_action[0] != '\0' ? "default_action" : "milter_default_action");
    if (strcmp(action, "accept") == 0)
        add_finding(findings, "ok", what, "");
    else
        add_finding(
            findings, strcmp(action, "reject") == 0 ? "error" : "warning", what,
            "set default_action=accept for this milter, unless no mail is better than "
            "mail that is not judged: " ADVICE_MILTERS);
}

/* Returns whether there is a Postfix; else it adds no finding. */
static bool postfix_findings(const char *socket, json_t *findings)
{
    struct seen seen = {0};
    char needle[256];

    if (!needle_of(socket, needle, sizeof needle) || !read_postconf(needle, &seen))
        return seen.any;
    if (!seen.smtpd)
        add_finding(findings, "warning",
                    "Postfix does not use this milter: it is not among its smtpd_milters",
                    ADVICE_MILTERS);
    else
        say_postfix_action(findings, &seen);
    if (seen.non_smtpd)
        add_finding(findings, "warning",
                    "this milter is among Postfix's non_smtpd_milters: refused mail of "
                    "the host's own would stay in the queue",
                    "take it out of non_smtpd_milters");
    return true;
}

/* --- sendmail --- */

#define CONF "/etc/mail/sendmail.cf"
#define ADVICE_LINE                                                                      \
    "INPUT_MAIL_FILTER(`rblmilter', `S=inet:8895@127.0.0.1, T=C:5s;S:10s;R:30s;E:5m') "  \
    "(docs/sendmail.md)"

/* Our line of sendmail.cf: Xname, S=socket, F=action, T=times. */
struct filter {
    char name[256]; /* "" : there is none */
    char action;    /* F=; '\0' without */
};

/* What two ways of writing one socket have in common: its path, or its port. */
static void socket_core(const char *socket, char out[static 256])
{
    const char *colon = strchr(socket, ':');
    bool inet = strncasecmp(socket, "inet", 4) == 0 && colon != NULL;

    if (!text_copy(colon != NULL ? colon + 1 : socket, out, 256))
        return;
    if (inet)
        out[strcspn(out, "@")] = '\0';
}

/* Copies text up to one of the characters in end; "" where it does not fit. */
static void copy_word(const char *text, const char *end, char out[static 256])
{
    size_t length = strcspn(text, end);

    if (length >= 256)
        length = 0;
    memcpy(out, text, length);
    out[length] = '\0';
}

/* The value of KEY= in "Xname, S=…, F=…"; "" without. */
static void read_equate(const char *line, const char *key, char out[static 256])
{
    out[0] = '\0';
    for (const char *at = strchr(line, ','); at != NULL; at = strchr(at, ',')) {
        at += 1 + strspn(at + 1, " \t");
        if (strncmp(at, key, strlen(key)) == 0)
            copy_word(at + strlen(key), ", \t\n", out);
    }
}

static void read_filter(const char *line, const char *core, struct filter *out)
{
    char socket[256], its[256], action[256];

    read_equate(line, "S=", socket);
    socket_core(socket, its);
    if (its[0] == '\0' || strcmp(its, core) != 0)
        return;
    read_equate(line, "F=", action);
    copy_word(line + 1, ", \t\n", out->name);
    out->action = action[0];
}

/* Whether the line is one of InputMailFilters, of all ports or of one, and names ours. */
static bool names_filter(const char *line, const char *name)
{
    const char *list = strstr(line, "InputMailFilters=");
    size_t length = strlen(name);

    if (list == NULL || strncmp(line, "O ", 2) != 0)
        return false;
    list += strcspn(list, "=") + 1;
    while (*list != '\0') {
        size_t n = strcspn(list, ",; \t\n");

        if (n == length && strncmp(list, name, n) == 0)
            return true;
        list += n + strspn(list + n, ",; \t\n");
    }
    return false;
}

/* The names precede the filters that they name, so the file is read twice. */
static bool read_conf(FILE *in, const char *core, struct filter *filter)
{
    char *line = NULL;
    size_t size = 0;
    bool named = false;

    while (getline(&line, &size, in) > 0)
        if (line[0] == 'X')
            read_filter(line, core, filter);
    rewind(in);
    while (filter->name[0] != '\0' && !named && getline(&line, &size, in) > 0)
        named = names_filter(line, filter->name);
    free(line);
    return named;
}

static void say_sendmail_action(json_t *findings, char action)
{
    static const char leave_out[] =
        "leave F= out, unless no mail is better than mail that is not judged";

    if (action == '\0')
        add_finding(findings, "ok",
                    "while the daemon is away, sendmail lets mail pass (no F=)", "");
    else if (action == 'R')
        add_finding(findings, "error",
                    "while the daemon is away, sendmail refuses mail permanently (F=R)",
                    leave_out);
    else
        add_finding(findings, "warning",
                    action == 'T'
                        ? "while the daemon is away, sendmail defers mail (F=T)"
                        : "while the daemon is away, sendmail takes no mail (F=)",
                    leave_out);
}

/* Adds none where there is no sendmail.cf, or none that we may read. */
static void sendmail_findings(const char *socket, json_t *findings)
{
    FILE *in = fopen(CONF, "re");
    struct filter filter = {0};
    char core[256] = "";
    bool named;

    if (in == NULL)
        return;
    socket_core(socket, core);
    named = read_conf(in, core, &filter);
    fclose(in);
    if (filter.name[0] == '\0')
        add_finding(findings, "warning",
                    "sendmail does not use this milter: no filter in " CONF
                    " has its socket",
                    ADVICE_LINE);
    else if (!named)
        add_finding(findings, "warning",
                    "sendmail does not use this milter: it is in " CONF
                    ", but not among the InputMailFilters",
                    ADVICE_LINE);
    else
        say_sendmail_action(findings, filter.action);
}

/* --- doctor --- */

static const struct column finding_columns[] = {
    {"level", "LEVEL", COLUMN_TEXT},
    {"what", "WHAT", COLUMN_TEXT},
    {"advice", "WHAT TO DO", COLUMN_TEXT},
};

static const struct coloring level_coloring = {"level", "ok", "", "warning"};

/* Adds what the MTA's configuration says of the milter's socket, which the daemon knows.
 */
static enum outcome add_mta(struct ctl *ctl, json_t *findings)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send_page(ctl, ctl_request("status"), &outcome);
    const char *socket = text_of(json_object_get(answer, "status"), "socket");

    if (socket[0] != '\0' && !postfix_findings(socket, findings))
        sendmail_findings(socket, findings);
    json_decref(answer);
    return outcome;
}

enum outcome ctl_doctor(struct ctl *ctl, const struct arguments *arguments)
{
    enum outcome outcome = OUTCOME_DONE;
    json_t *answer = ctl_send(ctl, ctl_request("doctor"), &outcome);
    json_t *findings = json_object_get(answer, "findings"), *finding;
    size_t i;

    (void)arguments;
    if (answer == NULL)
        return outcome;
    json_object_del(answer, "ok");
    outcome = add_mta(ctl, findings);
    if (outcome != OUTCOME_DONE)
        goto out;
    json_array_foreach (findings, i, finding)
        if (strcmp(text_of(finding, "level"), "ok") != 0)
            outcome = OUTCOME_NO;
    if (ctl->json)
        shown_json(answer, ctl->terminal);
    else if (table_of(COLUMNS(finding_columns), NULL, &level_coloring, ctl->terminal,
                      findings) != 0)
        outcome = OUTCOME_REFUSED;
out:
    json_decref(answer);
    return outcome;
}
