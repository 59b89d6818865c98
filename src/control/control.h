/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

/* The control socket: what rblctl talks to. One thread serves all connections, a few
 * workers run the commands; no client, however slow, huge or many, holds up another, and
 * none touches a message's way. protocol.h says what is spoken. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/ipaddr.h"

struct blocklist;
struct config;
struct suffix_list;

/* What a check asks about: a message as it would come. NULL what is not known; texts as
 * the MTA would hand them over. */
struct control_question {
    const struct ipaddr *client;
    const char *client_name;
    const char *helo;
    const char *sender; /* "<>" for the null sender */
    const char *login;
};

/* What the commands need of the daemon's core. Each function may be called by several of
 * the workers at once and may block; a JSON result is a new reference, NULL without
 * memory. A function may be NULL: its command then answers that this daemon does not have
 * it. */
struct control_daemon {
    void *context; /* handed to each function */
    struct blocklist *blocklist;
    const struct suffix_list
        *suffixes; /* to refuse public suffixes; NULL: few are known */

    /* The configuration in force; a new reference. */
    struct config *(*config)(void *context);

    /* Reads the conf file again. Appends to messages (an array of strings) what is to be
     * told: errors, warnings. Returns 0, or -1 when the old one stays in force. */
    int (*reload)(void *context, json_t **messages);

    /* Objects: names of values -> numbers, texts; one level of sections below is shown as
     * such by rblctl. status: version, since when, what is wrong; stats: counters. */
    json_t *(*status)(void *context);
    json_t *(*stats)(void *context);

    /* An array, one object a list. */
    json_t *(*dnsbl)(void *context);

    /* One change or probe of a list by a login: "suspend", "resume" or "test". Returns an
     * object for the answer, or NULL with a sentence in error. */
    json_t *(*dnsbl_change)(void *context, const char *action, const char *name,
                            const char *who, char *error, size_t error_size);

    /* Measures a zone that is not configured, over the last hour's clients. As above. */
    json_t *(*dnsbl_try)(void *context, const char *zone, char *error, size_t error_size);

    /* What blocklist and lists say of a message now, and its verdict; waits for the DNS.
     *   {"verdict":"reject","score":12,"threshold":8,"reply":"554 5.7.1 …",
     *    "rows":[{"subject":"client","what":"192.0.2.1","list":"zen","state":"listed",
     *             "code":"127.0.0.2","label":"SBL","weight":8,"reason":"…","url":"…",
     *             "ms":12}, …],
     *    "blocklist":[{"subject":"sender","entry":"domain.xyz","action":"block",
     *                  "reason":"…","since":1732430000}, …],
     *    "not_given":["helo", …]}: what lists ask about, but is not known here */
    json_t *(*check)(void *context, const struct control_question *question, char *error,
                     size_t error_size);

    /* An array: {"level":"error|warning|ok","what":"…","advice":"…"}. */
    json_t *(*doctor)(void *context);

    void (*flush_cache)(void *context);
};

struct control_settings {
    const char *socket; /* path */
    uid_t uid;          /* the daemon's own: may change, as root may */
    gid_t gid;          /* its group: members may ask */
};

struct control;

/* Takes the socket's place in the file system, which no other daemon gets from now on:
 * mode 0660, owned by uid and gid (where we are root). A stale socket is replaced; a live
 * one, or a file that is no socket, never. Copies settings. Returns NULL with a sentence
 * in error. */
struct control *control_new(const struct control_settings *settings, char *error,
                            size_t error_size);

/* Clients can connect from now on, and are answered after the start; before it. Returns
 * 0, or -1 with errno set. */
int control_listen(struct control *control);

/* Starts the threads. Copies daemon. Returns 0, or -1 with errno set. */
int control_start(struct control *control, const struct control_daemon *daemon);

/* Ends them: running commands are waited for, waiting ones are dropped; removes the
 * socket. May be called without a start, and twice. */
void control_stop(struct control *control);

/* Stops, and frees. NULL is fine. */
void control_free(struct control *control);

#endif
