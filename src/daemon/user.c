#include "daemon/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
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

int user_become(const struct user *user)
{
    if (!user->change)
        return 0;
    if (initgroups(user->name, user->gid) != 0 ||
        setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0) {
        log_error("cannot become user %s: %s", user->name, strerror(errno));
        return -1;
    }
    if (setuid(0) == 0) {
        log_error("user %s could become root again", user->name);
        return -1;
    }
    return 0;
}
