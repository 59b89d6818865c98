/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

int user_find(const char *name, struct user *out)
{
    struct passwd *pw;

    *out = (struct user){.uid = geteuid(), .gid = getegid()};
    if (name[0] == '\0' || out->uid != 0)
        return 0;
    pw = getpwnam(name);
    if (pw == NULL || !text_copy(name, out->name, sizeof out->name)) {
        log_error("user = \"%s\": no such user; make one, or set user = \"\" to stay who "
                  "starts it",
                  name);
        return -1;
    }
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    out->change = pw->pw_uid != 0;
    return 0;
}

static int fail(const struct user *user)
{
    log_error("cannot become user %s: %s", user->name, strerror(errno));
    return -1;
}

int user_enter(const struct user *user)
{
    if (!user->change)
        return 0;
    if (initgroups(user->name, user->gid) != 0 ||
        setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, 0) != 0)
        return fail(user);
    return 0;
}

/* The C library's setresuid changes all threads, the kernel's only the one that calls. */
static int set_own_euid(uid_t uid)
{
#ifdef SYS_setresuid32
    return (int)syscall(SYS_setresuid32, (uid_t)-1, uid, (uid_t)-1);
#else
    return (int)syscall(SYS_setresuid, (uid_t)-1, uid, (uid_t)-1);
#endif
}

int user_run_as_root(const struct user *user, int (*function)(void *context),
                     void *context)
{
    int rc;

    if (!user->change)
        return function(context);
    if (set_own_euid(0) != 0) {
        log_error("cannot be root again for the sockets: %s", strerror(errno));
        return -1;
    }
    rc = function(context);
    return set_own_euid(user->uid) == 0 ? rc : fail(user);
}

int user_become(const struct user *user)
{
    if (!user->change)
        return 0;
    if (setresuid(user->uid, user->uid, user->uid) != 0)
        return fail(user);
    if (setuid(0) == 0) {
        log_error("user %s could become root again", user->name);
        return -1;
    }
    return 0;
}
