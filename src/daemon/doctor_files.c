/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/doctor_parts.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "blocklist/admin.h"
#include "milter/endpoint.h"

#define OTHERS_MAY_DO_ANYTHING (S_IROTH | S_IWOTH | S_IXOTH)

/* Looks at a file that must be there. Returns whether it is. */
static bool look_at(struct doctor *doctor, const char *path, struct stat *st)
{
    if (stat(path, st) == 0)
        return true;
    doctor_say(doctor, LEVEL_ERROR,
               "find out who removed it, or the right to connect; a restart creates the "
               "sockets again",
               "%s: %s", path, strerror(errno));
    return false;
}

static void look_at_conf(struct doctor *doctor)
{
    const char *path = doctor->daemon->path;
    struct stat st;

    if (!look_at(doctor, path, &st))
        return;
    if ((st.st_mode & S_IWOTH) != 0)
        doctor_say(doctor, LEVEL_ERROR, "chmod o-w, and read it through",
                   "%s can be written by everybody", path);
}

/* A list's key must not be read by everybody, wherever it stands. */
static void look_at_key(struct doctor *doctor, const struct list *list)
{
    const char *path = list->key_file != NULL ? list->key_file : doctor->daemon->path;
    struct stat st;

    if (list->key == NULL || stat(path, &st) != 0) /* read at the start: no matter now */
        return;
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0)
        doctor_say(doctor, LEVEL_WARNING,
                   "chown root:rblmilter and chmod 640 the file; a key in the conf file "
                   "is better put into a file of its own (key-file)",
                   "%s: everybody can read the key of list %s", path, list->name);
}

static void look_at_control(struct doctor *doctor)
{
    const char *path = doctor->policy->config->control.socket;
    struct stat st;

    if (look_at(doctor, path, &st) && (st.st_mode & OTHERS_MAY_DO_ANYTHING) != 0)
        doctor_say(doctor, LEVEL_WARNING, "chmod 660, and look who changed it",
                   "%s: users outside of the daemon's group can connect", path);
}

static void look_at_database(struct doctor *doctor)
{
    struct blocklist_status status;
    char folder[PATH_MAX];
    struct stat st;

    blocklist_status(doctor->daemon->blocklist, &status);
    if (stat(status.database, &st) != 0)
        return; /* the blocklist's own state says: doctor_state.c */
    if (st.st_uid != geteuid())
        doctor_say(doctor, LEVEL_ERROR,
                   "chown it, with the files beside it, to that user",
                   "%s belongs to uid %u, the daemon runs as uid %u", status.database,
                   (unsigned)st.st_uid, (unsigned)geteuid());
    if ((st.st_mode & OTHERS_MAY_DO_ANYTHING) != 0)
        doctor_say(doctor, LEVEL_WARNING, "chmod 600",
                   "%s: everybody can read who is listed", status.database);
    if (text_copy(status.database, folder, sizeof folder) &&
        access(dirname(folder), W_OK) != 0)
        doctor_say(doctor, LEVEL_ERROR, "give the folder to the daemon's user",
                   "%s: the daemon cannot write there: %s", folder, strerror(errno));
}

/* Whether others than the daemon's own user and group may pass the folder and connect. */
static void look_at_unix_socket(struct doctor *doctor, const char *path)
{
    const struct config *config = doctor->policy->config;
    char folder[PATH_MAX];
    struct stat st, above;

    if (!look_at(doctor, path, &st))
        return;
    if ((st.st_mode & S_IWOTH) == 0 && config->milter.socket_group[0] == '\0')
        doctor_say(doctor, LEVEL_WARNING,
                   "set milter { socket-group = \"postfix\" socket-mode = \"0660\" }",
                   "%s: only the daemon's own user and group can connect", path);
    if (text_copy(path, folder, sizeof folder) && stat(dirname(folder), &above) == 0 &&
        (above.st_mode & S_IXOTH) == 0 &&
        !(above.st_gid == st.st_gid && (above.st_mode & S_IXGRP) != 0))
        doctor_say(doctor, LEVEL_WARNING, "chmod o+x the folder, or give it that group",
                   "%s: the MTA may not pass this folder to the milter socket", folder);
}

static void look_at_milter(struct doctor *doctor)
{
    const char *socket = doctor->policy->config->milter.socket;
    const char *path = endpoint_path(socket);
    struct endpoint endpoint;

    if (path != NULL)
        look_at_unix_socket(doctor, path);
    if (endpoint_parse(socket, &endpoint) != 0 || !endpoint_knock(&endpoint))
        doctor_say(doctor, LEVEL_ERROR,
                   "restart the daemon (a reload does not move the socket)",
                   "nobody can connect to %s", socket);
}

void doctor_files(struct doctor *doctor)
{
    const struct config *config = doctor->policy->config;
    size_t before = doctor_wrong(doctor);

    look_at_conf(doctor);
    for (size_t i = 0; i < config->list_count; i++)
        look_at_key(doctor, &config->lists[i]);
    look_at_control(doctor);
    look_at_database(doctor);
    look_at_milter(doctor);
    if (doctor_wrong(doctor) == before)
        doctor_say(doctor, LEVEL_OK, "", "files and sockets have the rights they need");
}
