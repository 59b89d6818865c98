/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta.h"

#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* What Postfix 3.7 offers (src/milter/milter8.c), beside all events. */
enum { OFFERED_VERSION = 6, OFFERED_ACTIONS = 0x1ff, OFFERED_PROTOCOL = 0x1fffff };
enum { SYMLIST_STAGES = 7, PACKET_MAX = 65536 };

static void write_connect(struct mta *mta);
static void write_helo(struct mta *mta);
static void write_mail(struct mta *mta);
static void write_rcpt(struct mta *mta);
static void write_header(struct mta *mta);
static void write_body(struct mta *mta);

/* How a step is said. not_sent and no_reply: the flags by which a filter does without. */
static const struct step_row {
    char command;
    int symbols; /* index of its macros, -1 none */
    uint32_t not_sent, no_reply;
    void (*write)(struct mta *mta); /* NULL: no data */
    const char *postfix_symbols;    /* main.cf's default */
} rows[] = {
    [STEP_CONNECT] = {SMFIC_CONNECT, SMFIM_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN,
                      write_connect, "j {daemon_name} {daemon_addr} v _"},
    [STEP_HELO] = {SMFIC_HELO, SMFIM_HELO, SMFIP_NOHELO, SMFIP_NR_HELO, write_helo, ""},
    [STEP_MAIL] = {SMFIC_MAIL, SMFIM_ENVFROM, SMFIP_NOMAIL, SMFIP_NR_MAIL, write_mail,
                   "i {mail_addr} {mail_host} {mail_mailer}"},
    [STEP_RCPT] = {SMFIC_RCPT, SMFIM_ENVRCPT, SMFIP_NORCPT, SMFIP_NR_RCPT, write_rcpt,
                   "i {rcpt_addr} {rcpt_host} {rcpt_mailer}"},
    [STEP_DATA] = {SMFIC_DATA, SMFIM_DATA, SMFIP_NODATA, SMFIP_NR_DATA, NULL, "i"},
    [STEP_HEADER] = {SMFIC_HEADER, -1, SMFIP_NOHDRS, SMFIP_NR_HDR, write_header, ""},
    [STEP_EOH] = {SMFIC_EOH, SMFIM_EOH, SMFIP_NOEOH, SMFIP_NR_EOH, NULL, "i"},
    [STEP_BODY] = {SMFIC_BODY, -1, SMFIP_NOBODY, SMFIP_NR_BODY, write_body, ""},
    [STEP_EOM] = {SMFIC_BODYEOB, SMFIM_EOM, 0, 0, NULL, "i"},
};

static size_t packet_begin(struct buf *out, char command)
{
    size_t offset = buf_length(out);

    buf_add_u32(out, 0); /* the length, filled in by packet_end */
    buf_add(out, &command, 1);
    return offset;
}

static void packet_end(struct buf *out, size_t offset)
{
    uint32_t length = htonl((uint32_t)(buf_length(out) - offset - 4));

    memcpy(buf_bytes(out) + offset, &length, sizeof length);
}

/* A macro's value, or false where Postfix has none. */
static bool macro_value(const struct mta *mta, const char *name, char *out, size_t size)
{
    char address[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &mta->client, address, sizeof address);
    if (strcmp(name, "j") == 0)
        snprintf(out, size, "mx.bench.test");
    else if (strcmp(name, "{daemon_name}") == 0)
        snprintf(out, size, "mx.bench.test");
    else if (strcmp(name, "{daemon_addr}") == 0)
        snprintf(out, size, "127.0.0.1");
    else if (strcmp(name, "{daemon_port}") == 0)
        snprintf(out, size, "25");
    else if (strcmp(name, "v") == 0)
        snprintf(out, size, "Postfix 3.7.11");
    else if (strcmp(name, "_") == 0)
        snprintf(out, size, "unknown [%s]", address);
    else if (strcmp(name, "{client_addr}") == 0)
        snprintf(out, size, "%s", address);
    else if (strcmp(name, "{client_port}") == 0)
        snprintf(out, size, "40000");
    else if (strcmp(name, "{client_name}") == 0 || strcmp(name, "{client_ptr}") == 0)
        snprintf(out, size, "unknown");
    else if (strcmp(name, "{client_connections}") == 0)
        snprintf(out, size, "0");
    else if (strcmp(name, "{mail_addr}") == 0)
        snprintf(out, size, "%s", mta->sender);
    else if (strcmp(name, "{mail_mailer}") == 0 || strcmp(name, "{rcpt_mailer}") == 0)
        snprintf(out, size, "smtp");
    else if (strcmp(name, "{mail_host}") == 0)
        snprintf(out, size, "%s", mta->sender);
    else if (strcmp(name, "{rcpt_addr}") == 0)
        snprintf(out, size, "user@bench.test");
    else if (strcmp(name, "{rcpt_host}") == 0)
        snprintf(out, size, "bench.test");
    else if (strcmp(name, "i") == 0 && mta->step > STEP_RCPT)
        snprintf(out, size, "4F1C2A%06X", mta->client_number & 0xffffff);
    else
        return false;
    return true;
}

static void write_macros(struct mta *mta, const struct step_row *row)
{
    const char *list = mta->symbols[row->symbols];
    char name[64], value[1024];

    if (list == NULL)
        list = row->postfix_symbols;
    size_t packet = packet_begin(&mta->out, SMFIC_MACRO);
    buf_add(&mta->out, &row->command, 1);
    while (*(list += strspn(list, " ,")) != '\0') {
        size_t length = strcspn(list, " ,");
        if (snprintf(name, sizeof name, "%.*s", (int)length, list) < (int)sizeof name &&
            macro_value(mta, name, value, sizeof value)) {
            buf_add_text(&mta->out, name);
            buf_add_text(&mta->out, value);
        }
        list += length;
    }
    packet_end(&mta->out, packet);
}

static void write_connect(struct mta *mta)
{
    char address[INET_ADDRSTRLEN];
    uint16_t port = htons(40000);

    inet_ntop(AF_INET, &mta->client, address, sizeof address);
    buf_printf(&mta->out, "[%s]", address); /* the name is not known */
    buf_add(&mta->out,
            "\0"
            "4",
            2);
    buf_add(&mta->out, &port, sizeof port);
    buf_add_text(&mta->out, address);
}

static void write_helo(struct mta *mta)
{
    buf_printf(&mta->out, "mail%u.client.test", mta->client_number);
    buf_add(&mta->out, "", 1);
}

static void write_mail(struct mta *mta)
{
    buf_printf(&mta->out, "<%s>", mta->sender);
    buf_add(&mta->out, "", 1);
    buf_add_text(&mta->out, "SIZE=1500");
}

static void write_rcpt(struct mta *mta)
{
    buf_add_text(&mta->out, "<user@bench.test>");
}

static void write_header(struct mta *mta)
{
    buf_printf(&mta->out, "X-Header-%u", mta->header);
    buf_add(&mta->out, "", 1);
    buf_add_text(&mta->out, " a value of about the usual length, as most headers have");
}

static void write_body(struct mta *mta)
{
    for (unsigned left = mta->settings->body_bytes; left > 0;) {
        static const char line[] =
            "What a message says, line by line, in sixty-four bytes"
            " a line.\r\n";
        unsigned count = left < sizeof line - 1 ? left : (unsigned)sizeof line - 1;
        buf_add(&mta->out, line, count);
        left -= count;
    }
}

void mta_begin(struct mta *mta, const struct mta_settings *settings,
               struct in_addr client, unsigned client_number, const char *sender)
{
    *mta = (struct mta){.settings = settings,
                        .out = mta->out,
                        .in = mta->in,
                        .client = client,
                        .client_number = client_number,
                        .sender = strdup(sender)};
    if (mta->sender == NULL)
        die("out of memory");
    buf_clear(&mta->out);
    buf_clear(&mta->in);
    size_t packet = packet_begin(&mta->out, SMFIC_OPTNEG);
    buf_add_u32(&mta->out, OFFERED_VERSION);
    buf_add_u32(&mta->out, OFFERED_ACTIONS);
    buf_add_u32(&mta->out, OFFERED_PROTOCOL);
    packet_end(&mta->out, packet);
}

static void write_empty(struct mta *mta, char command)
{
    packet_end(&mta->out, packet_begin(&mta->out, command));
}

/* The message is over, or given up; another may follow. */
static void next_message(struct mta *mta)
{
    if (++mta->message >= mta->settings->messages) {
        mta->step = STEP_DONE;
        return;
    }
    if (mta->in_message)
        write_empty(mta, SMFIC_ABORT);
    mta->step = STEP_MAIL;
}

static void step_next(struct mta *mta)
{
    const struct mta_settings *settings = mta->settings;

    if (mta->step == STEP_HEADER && ++mta->header < settings->headers)
        return;
    if (mta->step == STEP_EOM)
        mta->in_message = false;
    if (mta->step < settings->last)
        mta->step++;
    else if (settings->last < STEP_MAIL)
        mta->step = STEP_DONE;
    else
        next_message(mta);
    if (mta->step == STEP_MAIL) {
        mta->in_message = true;
        mta->outcome = OUTCOME_CONTINUE;
        mta->header = 0;
    }
}

static void write_quit(struct mta *mta)
{
    if (mta->in_message) /* what Postfix says at QUIT, too */
        write_empty(mta, SMFIC_ABORT);
    write_empty(mta, SMFIC_QUIT);
}

void mta_go_on(struct mta *mta)
{
    while (mta->step != STEP_DONE) {
        const struct step_row *row = &rows[mta->step];
        if ((mta->protocol & row->not_sent) == 0) {
            if (row->symbols >= 0)
                write_macros(mta, row);
            size_t packet = packet_begin(&mta->out, row->command);
            if (row->write != NULL)
                row->write(mta);
            packet_end(&mta->out, packet);
            if ((mta->protocol & row->no_reply) == 0)
                return;
        }
        step_next(mta);
    }
    if (!mta->settings->hold)
        write_quit(mta);
}

/* The filter's side of the negotiation: version, actions, protocol, and the macros that
 * it wants, each a stage and a text. */
static void take_negotiation(struct mta *mta, const char *data, size_t length)
{
    const char *end = data + length;
    uint32_t words[3];

    if (length < sizeof words)
        die("the filter's negotiation is cut short");
    memcpy(words, data, sizeof words);
    mta->protocol = ntohl(words[2]);
    for (data += sizeof words; data + 4 < end;) {
        uint32_t stage;
        memcpy(&stage, data, sizeof stage);
        stage = ntohl(stage);
        data += 4;
        size_t count = strnlen(data, (size_t)(end - data));
        if (stage >= SYMLIST_STAGES || data + count == end)
            die("the filter's macro list cannot be read");
        free(mta->symbols[stage]);
        mta->symbols[stage] = strdup(data);
        if (mta->symbols[stage] == NULL)
            die("out of memory");
        data += count + 1;
    }
}

/* A refusal or an early acceptance: the client leaves after it. Postfix would let it try
 * another recipient; ours never does. */
static void leave(struct mta *mta, enum outcome outcome)
{
    mta->outcome = outcome;
    mta->step = STEP_DONE;
}

/* Returns whether the packet ends the step under way. */
static bool take_packet(struct mta *mta, char command, const char *data, size_t length)
{
    switch (command) {
    case SMFIC_OPTNEG:
        take_negotiation(mta, data, length);
        mta->step = STEP_CONNECT;
        return true;
    case SMFIR_SKIP:
    case SMFIR_CONTINUE:
        step_next(mta);
        return true;
    case SMFIR_ACCEPT:
    case SMFIR_DISCARD:
        leave(mta, OUTCOME_ACCEPT);
        return true;
    case SMFIR_REPLYCODE:
        free(mta->reply);
        mta->reply = strndup(data, length);
        leave(mta, data[0] == '4' ? OUTCOME_TEMPFAIL : OUTCOME_REJECT);
        return true;
    case SMFIR_REJECT:
        leave(mta, OUTCOME_REJECT);
        return true;
    case SMFIR_TEMPFAIL:
        leave(mta, OUTCOME_TEMPFAIL);
        return true;
    case SMFIR_PROGRESS:
    case SMFIR_ADDHEADER:
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
        return false;
    }
    die("the filter answers step %d with '%c', which is not expected", mta->step,
        command);
}

int mta_answer(struct mta *mta, enum step *answered)
{
    uint32_t length;
    bool ends_step = false;

    while (!ends_step) {
        size_t have = buf_length(&mta->in);
        if (have < sizeof length)
            return 0;
        memcpy(&length, buf_bytes(&mta->in), sizeof length);
        length = ntohl(length);
        if (length == 0 || length > PACKET_MAX)
            die("the filter sent a packet of %u bytes", length);
        if (have < sizeof length + length)
            return 0;
        const char *packet = buf_bytes(&mta->in) + sizeof length;
        *answered = mta->step;
        ends_step = take_packet(mta, packet[0], packet + 1, length - 1);
        buf_take(&mta->in, sizeof length + length);
    }
    return 1;
}

void mta_end(struct mta *mta)
{
    for (size_t i = 0; i < SYMLIST_STAGES; i++)
        free(mta->symbols[i]);
    free(mta->sender);
    free(mta->reply);
    memset(mta->symbols, 0, sizeof mta->symbols);
    mta->sender = mta->reply = NULL;
}
