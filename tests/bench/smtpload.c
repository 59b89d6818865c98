/* SPDX-License-Identifier: BSD-2-Clause */
/* A load of SMTP sessions on Postfix, each for a client of its own (XCLIENT), many at
 * once. Reports rate, replies to RCPT and latencies as one JSON line. */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "buf.h"
#include "endpoint.h"
#include "range.h"
#include "samples.h"
#include "tally.h"
#include "tool.h"

static const char usage[] =
    "usage: smtpload [options] inet:port@host\n"
    "  --sessions N      in all (1000)\n"
    "  --concurrent N    of them at once (1)\n"
    "  --clients A[,N]   addresses from A on, N different ones (all different)\n"
    "  --sender TEXT     %n becomes the session's number (user%n@d%n.sender.test)\n"
    "  --recipient TEXT  (user@bench.test)\n"
    "  --last STEP       rcpt or end (end): the client leaves then\n"
    "  --body BYTES      a message (1000)\n";

enum { EVENTS_MAX = 256, RETRY_MS = 1 };

/* The step whose reply is awaited. */
enum step {
    STEP_GREETING,
    STEP_EHLO,
    STEP_XCLIENT,
    STEP_EHLO_AGAIN,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_END, /* of the message */
    STEP_QUIT
};

struct session {
    int fd; /* -1: free, or still to be connected */
    bool active, sending;
    enum step step;
    unsigned number;
    struct buf in, out;
    int64_t begun_ns, rcpt_ns;
};

struct load {
    struct endpoint endpoint;
    struct range clients;
    const char *sender, *recipient;
    unsigned sessions, concurrent, body_bytes;
    enum step last;
    struct session *slots;
    unsigned begun, ended, errors, unconnected;
    struct tally tally;
    int epoll_fd;
};

static bool session_connect(struct load *load, struct session *session)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};

    session->fd = endpoint_connect(&load->endpoint);
    if (session->fd < 0)
        return false;
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, session->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
    session->sending = false;
    return true;
}

static void session_begin(struct load *load, struct session *session)
{
    session->number = load->begun++;
    session->step = STEP_GREETING;
    session->active = true;
    session->begun_ns = now_ns();
    buf_clear(&session->in);
    buf_clear(&session->out);
    if (!session_connect(load, session))
        load->unconnected++;
}

static void session_end(struct load *load, struct session *session, bool failed)
{
    close(session->fd);
    session->fd = -1;
    session->active = false;
    load->ended++;
    if (failed)
        load->errors++;
    else
        samples_add(&load->tally.session, session->begun_ns, now_ns());
    if (load->begun < load->sessions)
        session_begin(load, session);
}

static void write_xclient(const struct load *load, struct session *session)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address =
        range_address(&load->clients, range_number(&load->clients, session->number));

    inet_ntop(AF_INET, &address, text, sizeof text);
    buf_printf(&session->out, "XCLIENT NAME=[UNAVAILABLE] ADDR=%s\r\n", text);
}

static void write_mail(const struct load *load, struct session *session)
{
    struct buf sender = {0};

    buf_add_pattern(&sender, load->sender, session->number);
    buf_printf(&session->out, "MAIL FROM:<%s>\r\n", buf_bytes(&sender));
    buf_free(&sender);
}

static void write_message(const struct load *load, struct session *session)
{
    static const char line[] = "What a message says, line by line.\r\n";

    buf_printf(&session->out,
               "From: a@sender.test\r\nTo: %s\r\nSubject: bench\r\n"
               "Date: Tue, 24 Nov 2026 06:00:00 +0000\r\nMessage-ID: <%u@sender.test>\r\n"
               "X-One: a header of the usual length, as most are\r\n\r\n",
               load->recipient, session->number);
    for (unsigned sent = 0; sent < load->body_bytes; sent += sizeof line - 1)
        buf_add(&session->out, line, sizeof line - 1);
    buf_printf(&session->out, ".\r\n");
}

/* Goes to a step: says its command. */
static void session_go_to(struct load *load, struct session *session, enum step step)
{
    struct buf *out = &session->out;

    session->step = step;
    switch (step) {
    case STEP_GREETING:
        break;
    case STEP_EHLO:
    case STEP_EHLO_AGAIN:
        buf_printf(out, "EHLO mail%u.client.test\r\n", session->number);
        break;
    case STEP_XCLIENT:
        write_xclient(load, session);
        break;
    case STEP_MAIL:
        write_mail(load, session);
        break;
    case STEP_RCPT:
        buf_printf(out, "RCPT TO:<%s>\r\n", load->recipient);
        session->rcpt_ns = now_ns();
        break;
    case STEP_DATA:
        buf_printf(out, "DATA\r\n");
        break;
    case STEP_END:
        write_message(load, session);
        break;
    case STEP_QUIT:
        buf_printf(out, "QUIT\r\n");
        break;
    }
}

/* A reply in full: its code's first digit and the last line. */
static void session_take_reply(struct load *load, struct session *session, char digit,
                               const char *line)
{
    bool good = digit == '2' || digit == '3';

    if (session->step == STEP_RCPT) {
        int64_t now = now_ns();
        samples_add(&load->tally.rcpt, session->rcpt_ns, now);
        samples_add(&load->tally.verdict, session->begun_ns, now);
        load->tally.outcomes[good           ? OUTCOME_CONTINUE
                             : digit == '4' ? OUTCOME_TEMPFAIL
                                            : OUTCOME_REJECT]++;
        if (!good)
            tally_reply(&load->tally, line);
    } else if (!good) {
        die("step %d of session %u: %s", session->step, session->number, line);
    }
    if (session->step >= load->last || !good)
        session_go_to(load, session, STEP_QUIT);
    else
        session_go_to(load, session, session->step + 1);
}

/* Takes a line of a reply; those with "-" behind the code are not its last. */
static void session_take_line(struct load *load, struct session *session, char *line)
{
    if (strlen(line) < 3 || line[0] < '2' || line[0] > '5')
        die("not a reply: %s", line);
    if (line[3] != '-')
        session_take_reply(load, session, line[0], line);
}

/* Says what is to be said. Returns false when the session ended. */
static bool session_talk(struct load *load, struct session *session)
{
    int left = buf_send(&session->out, session->fd);

    if (left < 0) {
        session_end(load, session, true);
        return false;
    }
    if ((left > 0) != session->sending) {
        struct epoll_event event = {.events = left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                    .data.ptr = session};
        epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, session->fd, &event);
        session->sending = left > 0;
    }
    return true;
}

static void session_hear(struct load *load, struct session *session)
{
    struct buf *in = &session->in;
    ssize_t got = buf_receive(in, session->fd);
    char *end;

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        session_end(load, session, true);
        return;
    }
    while (buf_length(in) > 0 &&
           (end = memchr(buf_bytes(in), '\n', buf_length(in))) != NULL) {
        *end = '\0';
        if (end > buf_bytes(in) && end[-1] == '\r')
            end[-1] = '\0';
        if (session->step == STEP_QUIT) { /* its reply ends the session */
            session_end(load, session, false);
            return;
        }
        session_take_line(load, session, buf_bytes(in));
        buf_take(in, (size_t)(end + 1 - buf_bytes(in)));
    }
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

    for (unsigned i = 0; i < load->concurrent; i++)
        session_begin(load, &load->slots[i]);
    while (load->ended < load->sessions) {
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

static void options_parse(struct load *load, int argc, char **argv)
{
    static const struct option options[] = {{"sessions", required_argument, NULL, 's'},
                                            {"concurrent", required_argument, NULL, 'c'},
                                            {"clients", required_argument, NULL, 'a'},
                                            {"sender", required_argument, NULL, 'S'},
                                            {"recipient", required_argument, NULL, 'R'},
                                            {"last", required_argument, NULL, 'l'},
                                            {"body", required_argument, NULL, 'B'},
                                            {0}};
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        const char *name = options[index].name;
        switch (option) {
        case 's':
            load->sessions = number_parse(name, optarg);
            break;
        case 'c':
            load->concurrent = number_parse(name, optarg);
            break;
        case 'B':
            load->body_bytes = number_parse(name, optarg);
            break;
        case 'a':
            range_parse(&load->clients, optarg);
            break;
        case 'S':
            load->sender = optarg;
            break;
        case 'R':
            load->recipient = optarg;
            break;
        case 'l':
            load->last = strcmp(optarg, "rcpt") == 0 ? STEP_RCPT : STEP_END;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        exit(2);
    }
    endpoint_parse(&load->endpoint, argv[optind]);
}

int main(int argc, char **argv)
{
    static struct load load = {.sender = "user%n@d%n.sender.test",
                               .recipient = "user@bench.test",
                               .sessions = 1000,
                               .concurrent = 1,
                               .body_bytes = 1000,
                               .last = STEP_END};

    range_parse(&load.clients, "20.0.0.1");
    options_parse(&load, argc, argv);
    files_raise_limit();
    if (load.concurrent > load.sessions)
        load.concurrent = load.sessions;
    load.slots = calloc(load.concurrent, sizeof *load.slots);
    load.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (load.slots == NULL || load.epoll_fd < 0)
        die("cannot start: %s", strerror(errno));
    int64_t begun = now_ns();
    load_run(&load);
    double seconds = (double)(now_ns() - begun) / 1e9;
    printf("{\"sessions\":%u,\"errors\":%u,\"seconds\":%.6f,\"rate\":%.1f,"
           "\"load_cpu_s\":%.3f,",
           load.sessions, load.errors, seconds, load.sessions / seconds, cpu_seconds());
    tally_print(&load.tally, stdout);
    puts("}");
    return load.errors == 0 ? 0 : 1;
}
