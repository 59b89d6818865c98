/* SPDX-License-Identifier: BSD-2-Clause */
/* A load of milter sessions: plays the MTA, as Postfix 3.7 does it, for many clients at
 * once, and reports rate, verdicts and latencies as one JSON line. */

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "endpoint.h"
#include "mta.h"
#include "range.h"
#include "samples.h"
#include "tally.h"
#include "tool.h"

static const char usage[] =
    "usage: load [options] SOCKET         inet:port@host or unix:/path\n"
    "  --sessions N      connections in all (1000)\n"
    "  --concurrent N    of them at once (1)\n"
    "  --messages N      on each connection (1)\n"
    "  --last STEP       connect, helo, mail, rcpt or eom (eom): the client leaves then\n"
    "  --hold            it stays instead, until standard input ends\n"
    "  --clients A[,N]   addresses from A on, N different ones (all different)\n"
    "  --clients-b A[,N] every other session is of these, reported under \"b\"\n"
    "  --sender TEXT     %n becomes the sender's number (user%n@d%n.sender.test)\n"
    "  --senders N       different ones (1; 0: all different)\n"
    "  --headers N       a message (8)\n"
    "  --body BYTES      a message (1000)\n";

enum { EVENTS_MAX = 256, RETRY_MS = 1 };

/* What is told of one group of clients. */
struct group {
    struct range clients;
    unsigned begun, ended;
    struct tally tally;
};

struct session {
    struct mta mta;
    int fd; /* -1: free, or still to be connected */
    bool active, sending;
    struct group *group;
    int64_t begun_ns, message_ns, rcpt_ns;
};

struct load {
    struct mta_settings mta;
    struct endpoint endpoint;
    const char *sender;
    unsigned senders, sessions, concurrent;
    struct group groups[2];
    unsigned group_count;
    struct session *slots;
    unsigned begun, ended, errors, held, unconnected;
    int epoll_fd;
};

static void watch(struct load *load, struct session *session, bool sending)
{
    struct epoll_event event = {.events = sending ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                .data.ptr = session};

    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, session->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
    session->sending = sending;
}

/* Connects a session that is begun. Postfix, too, tries again when the queue is full. */
static bool session_connect(struct load *load, struct session *session)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = session};

    session->fd = endpoint_connect(&load->endpoint);
    if (session->fd < 0)
        return false;
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, session->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
    session->sending = true;
    return true;
}

static void session_begin(struct load *load, struct session *session)
{
    unsigned number = load->begun++;
    struct group *group = &load->groups[number % load->group_count];
    unsigned client = range_number(&group->clients, group->begun++);
    struct buf sender = {0};

    buf_add_pattern(&sender, load->sender,
                    load->senders > 0 ? number % load->senders : number);
    mta_begin(&session->mta, &load->mta, range_address(&group->clients, client), client,
              buf_bytes(&sender));
    buf_free(&sender);
    session->group = group;
    session->active = true;
    session->begun_ns = session->message_ns = now_ns();
    if (!session_connect(load, session))
        load->unconnected++;
}

static void session_end(struct load *load, struct session *session, bool failed)
{
    struct group *group = session->group;

    close(session->fd);
    session->fd = -1;
    session->active = false;
    group->ended++;
    load->ended++;
    if (failed)
        load->errors++;
    else
        samples_add(&group->tally.session, session->begun_ns, now_ns());
    tally_reply(&group->tally, session->mta.reply);
    mta_end(&session->mta);
    if (load->begun < load->sessions)
        session_begin(load, session);
}

/* Takes the times that an answer ends. */
static void session_measure(struct session *session, enum step answered)
{
    struct group *group = session->group;
    struct mta *mta = &session->mta;
    int64_t now = now_ns();

    if (answered == STEP_RCPT) {
        samples_add(&group->tally.rcpt, session->rcpt_ns, now);
        samples_add(&group->tally.verdict, session->message_ns, now);
    }
    if (mta->step == STEP_RCPT)
        session->rcpt_ns = now;
    if (mta->step == STEP_MAIL || mta->step == STEP_DONE) {
        if (answered >= STEP_MAIL)
            group->tally.outcomes[mta->outcome]++;
        if (mta->message > 0)
            session->message_ns = now;
    }
}

/* Says what is to be said. Returns false when the session ended. */
static bool session_talk(struct load *load, struct session *session)
{
    struct mta *mta = &session->mta;
    int left = buf_send(&mta->out, session->fd);

    if (left < 0) {
        session_end(load, session, true);
        return false;
    }
    if (left == 0 && mta->step == STEP_DONE && !load->mta.hold) {
        session_end(load, session, false);
        return false;
    }
    if ((left > 0) != session->sending)
        watch(load, session, left > 0);
    return true;
}

static void session_hear(struct load *load, struct session *session)
{
    struct mta *mta = &session->mta;
    enum step answered;
    ssize_t got = buf_receive(&mta->in, session->fd);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        session_end(load, session, true);
        return;
    }
    while (mta->step != STEP_DONE && mta_answer(mta, &answered)) {
        mta_go_on(mta);
        session_measure(session, answered);
    }
    if (mta->step == STEP_DONE && load->mta.hold)
        load->held++;
    session_talk(load, session);
}

static void connect_again(struct load *load)
{
    for (unsigned i = 0; i < load->concurrent && load->unconnected > 0; i++) {
        struct session *session = &load->slots[i];
        if (session->active && session->fd < 0 && session_connect(load, session))
            load->unconnected--;
    }
}

static void load_run(struct load *load)
{
    struct epoll_event events[EVENTS_MAX];

    for (unsigned i = 0; i < load->concurrent; i++) {
        load->slots[i].fd = -1;
        session_begin(load, &load->slots[i]);
    }
    while (load->ended < load->sessions && load->held < load->sessions) {
        int timeout = load->unconnected > 0 ? RETRY_MS : -1;
        int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, timeout);
        for (int i = 0; i < count; i++) {
            struct session *session = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) != 0 && !session_talk(load, session))
                continue;
            if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
                session_hear(load, session);
        }
        if (load->unconnected > 0)
            connect_again(load);
    }
}

static void load_print(struct load *load, double seconds)
{
    printf("{\"sessions\":%u,\"errors\":%u,\"seconds\":%.6f,\"rate\":%.1f,"
           "\"load_cpu_s\":%.3f,",
           load->sessions, load->errors, seconds, load->sessions / seconds,
           cpu_seconds());
    tally_print(&load->groups[0].tally, stdout);
    if (load->group_count > 1) {
        printf(",\"b\":{");
        tally_print(&load->groups[1].tally, stdout);
        putchar('}');
    }
    puts("}");
    fflush(stdout);
}

static enum step step_parse(const char *text)
{
    static const struct {
        const char *name;
        enum step step;
    } names[] = {{"connect", STEP_CONNECT},
                 {"helo", STEP_HELO},
                 {"mail", STEP_MAIL},
                 {"rcpt", STEP_RCPT},
                 {"eom", STEP_EOM}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i].name) == 0)
            return names[i].step;
    die("--last %s: expected connect, helo, mail, rcpt or eom", text);
}

static const struct option options[] = {{"sessions", required_argument, NULL, 's'},
                                        {"concurrent", required_argument, NULL, 'c'},
                                        {"messages", required_argument, NULL, 'm'},
                                        {"last", required_argument, NULL, 'l'},
                                        {"hold", no_argument, NULL, 'H'},
                                        {"clients", required_argument, NULL, 'a'},
                                        {"clients-b", required_argument, NULL, 'b'},
                                        {"sender", required_argument, NULL, 'S'},
                                        {"senders", required_argument, NULL, 'n'},
                                        {"headers", required_argument, NULL, 'h'},
                                        {"body", required_argument, NULL, 'B'},
                                        {0}};

/* The number that an option sets, or NULL. */
static unsigned *number_of(struct load *load, int option)
{
    switch (option) {
    case 's':
        return &load->sessions;
    case 'c':
        return &load->concurrent;
    case 'm':
        return &load->mta.messages;
    case 'n':
        return &load->senders;
    case 'h':
        return &load->mta.headers;
    case 'B':
        return &load->mta.body_bytes;
    default:
        return NULL;
    }
}

/* Takes one that is no number. Returns false where there is none of that letter. */
static bool option_take(struct load *load, int option)
{
    switch (option) {
    case 'l':
        load->mta.last = step_parse(optarg);
        return true;
    case 'H':
        load->mta.hold = true;
        return true;
    case 'a':
        range_parse(&load->groups[0].clients, optarg);
        return true;
    case 'b':
        range_parse(&load->groups[1].clients, optarg);
        load->group_count = 2;
        return true;
    case 'S':
        load->sender = optarg;
        return true;
    default:
        return false;
    }
}

static void options_parse(struct load *load, int argc, char **argv)
{
    int option, index = 0;
    bool good = true;

    while (good && (option = getopt_long(argc, argv, "", options, &index)) != -1) {
        unsigned *number = number_of(load, option);

        if (number != NULL)
            *number = number_parse(options[index].name, optarg);
        else
            good = option_take(load, option);
    }
    if (!good || optind + 1 != argc) {
        fputs(usage, stderr);
        exit(2);
    }
    endpoint_parse(&load->endpoint, argv[optind]);
}

int main(int argc, char **argv)
{
    static struct load load = {
        .mta = {.messages = 1, .headers = 8, .body_bytes = 1000, .last = STEP_EOM},
        .sender = "user%n@d%n.sender.test",
        .senders = 1,
        .sessions = 1000,
        .concurrent = 1,
        .group_count = 1};
    char byte;

    range_parse(&load.groups[0].clients, "20.0.0.1");
    options_parse(&load, argc, argv);
    files_raise_limit();
    if (load.mta.hold || load.concurrent > load.sessions)
        load.concurrent = load.sessions;
    load.slots = calloc(load.concurrent, sizeof *load.slots);
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (load.slots == NULL || load.epoll_fd < 0)
        die("cannot start: %s", strerror(errno));
    int64_t begun = now_ns();
    load_run(&load);
    load_print(&load, (double)(now_ns() - begun) / 1e9);
    if (load.mta.hold)
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    return load.errors == 0 ? 0 : 1;
}
