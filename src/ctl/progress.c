/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/progress.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_MS 500
#define EVERY_MS 100
#define BAR      30

void progress_begin(struct progress *progress, FILE *in)
{
    struct stat st;

    *progress = (struct progress){0};
    if (isatty(STDERR_FILENO) != 1)
        return;
    progress->in = in;
    progress->next_ms = clock_ms() + FIRST_MS;
    if (fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode))
        progress->size = st.st_size;
}

void progress_show(struct progress *progress, unsigned long rows)
{
    int64_t now, at;
    int done;

    /* the clock is not asked for each row: there are millions of them */
    if (progress->in == NULL || rows % 256 != 0)
        return;
    now = clock_ms();
    if (now < progress->next_ms)
        return;
    progress->next_ms = now + EVERY_MS;
    progress->shown = true;
    at = ftello(progress->in);
    if (progress->size == 0 || at < 0) {
        fprintf(stderr, "\r%lu rows", rows);
        return;
    }
    done = (int)(at * BAR / progress->size);
    fprintf(stderr, "\r[%.*s%*s] %3d%%  %lu rows", done, "##############################",
            BAR - done, "", (int)(at * 100 / progress->size), rows);
}

void progress_commit(struct progress *progress)
{
    progress_clear(progress);
    if (progress->in == NULL)
        return;
    fputs("\rmaking the change …", stderr);
    progress->shown = true;
}

void progress_clear(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
