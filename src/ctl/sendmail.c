/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/sendmail.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "ctl/finding.h"

#define CONF "/etc/mail/sendmail.cf"
#define ADVICE_LINE                                                                      \
    "INPUT_MAIL_FILTER(`rblmilter', `S=inet:8891@127.0.0.1, T=C:5s;S:10s;R:30s;E:5m') "  \
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
static bool asks(const char *line, const char *name)
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

/* The names stand before the filters that they name, so the file is read twice. */
static bool read_conf(FILE *in, const char *core, struct filter *filter)
{
    char *line = NULL;
    size_t size = 0;
    bool asked = false;

    while (getline(&line, &size, in) > 0)
        if (line[0] == 'X')
            read_filter(line, core, filter);
    rewind(in);
    while (filter->name[0] != '\0' && !asked && getline(&line, &size, in) > 0)
        asked = asks(line, filter->name);
    free(line);
    return asked;
}

static void say_action(json_t *findings, char action)
{
    static const char leave_out[] =
        "leave F= out, unless no mail is better than mail that is not judged";

    if (action == '\0')
        finding_add(findings, "ok",
                    "while the daemon is away, sendmail lets mail pass (no F=)", "");
    else if (action == 'R')
        finding_add(findings, "error",
                    "while the daemon is away, sendmail refuses mail permanently (F=R)",
                    leave_out);
    else
        finding_add(findings, "warning",
                    action == 'T'
                        ? "while the daemon is away, sendmail defers mail (F=T)"
                        : "while the daemon is away, sendmail takes no mail (F=)",
                    leave_out);
}

void sendmail_findings(const char *socket, json_t *findings)
{
    FILE *in = fopen(CONF, "re");
    struct filter filter = {0};
    char core[256] = "";
    bool asked;

    if (in == NULL)
        return;
    socket_core(socket, core);
    asked = read_conf(in, core, &filter);
    fclose(in);
    if (filter.name[0] == '\0')
        finding_add(findings, "warning",
                    "sendmail does not ask this milter: no filter in " CONF
                    " has its socket",
                    ADVICE_LINE);
    else if (!asked)
        finding_add(findings, "warning",
                    "sendmail does not ask this milter: it is in " CONF
                    ", but not among the InputMailFilters",
                    ADVICE_LINE);
    else
        say_action(findings, filter.action);
}
