/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's main: options, start, stop, nothing else. */

#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sql.h"
#include "daemon/daemon.h"
#include "daemon/process.h"
#include "milter/milter.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif
#ifdef WITH_COVERAGE
#include <gcov.h>
#endif

#define DEFAULT_CONFIG SYSCONFDIR "/rblmilter/rblmilter.conf"

struct options {
    const char *config, *pidfile;
    bool detach, test, version;
};

static void usage(FILE *out)
{
    fprintf(out,
            "usage: rblmilter [-c FILE] [-d] [-p PIDFILE]   run\n"
            "       rblmilter -t [-c FILE]                  check the conf file, print "
            "what is in force\n"
            "       rblmilter -V                            versions\n"
            "FILE is " DEFAULT_CONFIG " unless given; see rblmilter(8)\n");
}

static int parse_options(int argc, char **argv, struct options *out)
{
    int c;

    *out = (struct options){.config = DEFAULT_CONFIG};
    while ((c = getopt(argc, argv, "c:dp:tVh")) != -1) {
        switch (c) {
        case 'c':
            out->config = optarg;
            break;
        case 'd':
            out->detach = true;
            break;
        case 'p':
            out->pidfile = optarg;
            break;
        case 't':
            out->test = true;
            break;
        case 'V':
            out->version = true;
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            return -1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "rblmilter: \"%s\": no arguments are taken\n", argv[optind]);
        usage(stderr);
        return -1;
    }
    return 0;
}

static void report_to_stderr(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "%s\n", text);
}

static int check_config(const char *path)
{
    struct config *config = config_load(path, report_to_stderr, NULL);
    int rc;

    if (config == NULL)
        return 1;
    rc = config_print(config, stdout);
    if (fflush(stdout) != 0)
        rc = -1;
    if (rc != 0)
        fprintf(stderr, "rblmilter: the settings cannot be written: %s\n",
                strerror(errno));
    config_unref(config);
    return rc == 0 ? 0 : 1;
}

#define MILTER_ENDED 0x7f /* no signal has this number */

static void *run_milter(void *context)
{
    int *result = context;

    signals_block(); /* libmilter's threads begin as this one is */
    *result = milter_run();
    signals_put(MILTER_ENDED);
    return NULL;
}

#define STUCK_MS          10000 /* beyond the deadline: then a callback hangs */
#define WATCHDOG_AGAIN_MS 500   /* they may go on */

/* Feeds systemd's watchdog, but not while callbacks hang: then mail does, too, and only a
 * restart helps. Returns how long to wait until the next time, ms. */
static int64_t feed_watchdog(struct daemon *daemon, int64_t interval_ms)
{
    /* the longest so far, as sessions keep the configuration that they began with */
    static int64_t deadline_ms;
    static bool was_stuck;
    struct policy *policy = policy_slot_get(&daemon->slot);
    bool stuck;

    if (deadline_ms < policy->config->resolver.deadline_ms)
        deadline_ms = policy->config->resolver.deadline_ms;
    policy_unref(policy);
    stuck = milter_is_stuck(deadline_ms + STUCK_MS);
    if (stuck && !was_stuck)
        log_error("milter: callbacks hang: the watchdog is not fed until one returns");
    was_stuck = stuck;
    if (stuck)
        return WATCHDOG_AGAIN_MS;
    notify("WATCHDOG=1");
    return interval_ms;
}

/* Waits for signals until one says stop. Returns whether the milter still runs. */
static bool serve(struct daemon *daemon)
{
    int64_t watchdog_ms = notify_watchdog_ms();
    int64_t wait_ms = watchdog_ms > 0 ? watchdog_ms : 3600 * 1000;

    for (;;) {
        int signal = signals_wait(wait_ms);

        if (watchdog_ms > 0)
            wait_ms = feed_watchdog(daemon, watchdog_ms);
        switch (signal) {
        case SIGUSR1:
            notify("RELOADING=1");
            daemon_reload(daemon, daemon_log_report, NULL);
            notify("READY=1");
            break;
        case MILTER_ENDED:
            return false;
        case SIGTERM:
        case SIGINT:
        case SIGHUP:
            return true;
        }
    }
}

/* Answers what is under way, and has all on disk. libmilter's threads run on. */
static void stop(struct daemon *daemon)
{
    struct policy *policy = policy_slot_get(&daemon->slot);
    int64_t deadline_ms = clock_ms() + policy->config->resolver.deadline_ms;
    bool answered;

    policy_unref(policy);
    answered = milter_stop(deadline_ms);
    daemon_stop(daemon);
    if (answered)
        log_notice("stopped");
    else
        log_warning("stopped with callbacks under way");
}

/* Starts the milter, says that we are ready, and stops all in order. */
static int run(struct daemon *daemon, const struct options *options, int ready_fd)
{
    static int result; /* libmilter's thread may outlive this function */
    pthread_t thread;
    bool told_to_stop = false;

    log_notice("rblmilter %s is ready, configured by %s", PACKAGE_VERSION,
               options->config);
    notify("READY=1");
    if (ready_fd >= 0)
        detach_ready(ready_fd);
    /* What comes to the socket until then waits in its queue. */
    if (signals_open() != 0 || pthread_create(&thread, NULL, run_milter, &result) != 0) {
        log_error("the milter's thread cannot be started");
        result = -1;
    } else {
        pthread_detach(thread);
        told_to_stop = serve(daemon);
    }
    notify("STOPPING=1");
    stop(daemon);
    return told_to_stop || result == 0 ? 0 : 1;
}

/* Without exit's handlers: libmilter's threads still run. */
static _Noreturn void end_process(int status)
{
    log_stop();
#ifdef __SANITIZE_ADDRESS__
    __lsan_do_recoverable_leak_check();
#endif
#ifdef WITH_COVERAGE
    __gcov_dump();
#endif
    _exit(status);
}

static int start_and_run(const struct options *options)
{
    /* absolute, as a detached daemon leaves the directory that it was started in */
    char *path = realpath(options->config, NULL);
    struct daemon daemon = {.path = path, .foreground = !options->detach};
    int ready_fd = -1, pid_fd = -1, status = 1;
    struct config *config = config_load(options->config, report_to_stderr, NULL);

    if (config == NULL || path == NULL)
        goto out;
    if (options->detach && (ready_fd = detach()) < 0) {
        fprintf(stderr, "rblmilter: cannot detach: %s\n", strerror(errno));
        goto out;
    }
    log_open(config->log.target, config->log.level, daemon.foreground);
    log_start();
    if (options->pidfile != NULL && (pid_fd = pidfile_lock(options->pidfile)) < 0)
        goto out;
    if (daemon_start(&daemon, config) == 0) {
        status = run(&daemon, options, ready_fd);
        if (pid_fd >= 0)
            pidfile_remove(options->pidfile, pid_fd);
        config_unref(config);
        end_process(status);
    }
    daemon_free(&daemon);
    if (pid_fd >= 0)
        pidfile_remove(options->pidfile, pid_fd);
out:
    log_stop();
    config_unref(config);
    free(path);
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    char libmilter[32];

    if (parse_options(argc, argv, &options) != 0)
        return 2;
    if (options.version) {
        printf("rblmilter %s\nlibmilter %s\nc-ares %s\nlibconfuse %s\nSQLite %s\n",
               PACKAGE_VERSION, milter_library_version(libmilter),
               resolver_library_version(), config_library_version(),
               blocklist_library_version());
        if (farm_is_built_in())
            printf("libpq %s\n", farm_library_version());
        return 0;
    }
    if (options.test)
        return check_config(options.config);
    sql_start();
    signal(SIGPIPE, SIG_IGN);
    signals_block();
    return start_and_run(&options);
}
