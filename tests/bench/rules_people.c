/* SPDX-License-Identifier: BSD-2-Clause */
#include "rules_people.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The model that the rules' first numbers came from: log-normal mailboxes, 12.8 mails a day
 * on average, 1.63 recipients a mail, a mail merge on 0.3 % of the days. */
#define MAILS_A_DAY  12.8
#define MERGE_CHANCE 0.003

/* --- honest mailboxes --- */

static const struct {
    const char *name;
    double share; /* of mailboxes: all assumed */
} habits[HABITS] = {
    {"person", 0},         /* the others */
    {"team", 0.01},        /* 3 to 12 people behind one login */
    {"shop", 0.002},       /* order mails, day and night */
    {"list owner", 0.001}, /* a club's list, reported by list-mail events */
    {"Tor user", 0.001},   /* another network each 10 minutes */
    {"VPN user", 0.01},    /* another one each day */
    {"student", 0.03},     /* on campus, at home, at friends', in cafes */
};

const char *habit_name(enum habit habit)
{
    return habits[habit].name;
}

uint32_t network_new(unsigned n)
{
    static uint32_t given;
    uint32_t first = given;

    given = (given + n) % (1u << 22);
    return first;
}

struct mailbox mailbox_new(int number, int64_t first_day)
{
    struct mailbox m = {.first_day = first_day, .people = 1};
    double which = chance();

    snprintf(m.login, sizeof m.login, "m%d.%lld@" OWN, number, (long long)first_day);
    for (int habit = 1; habit < HABITS; habit++) {
        if (which < habits[habit].share) {
            m.habit = (enum habit)habit;
            break;
        }
        which -= habits[habit].share;
    }
    if (m.habit == TEAM)
        m.people = 3 + (int)(chance() * 10);
    for (int person = 0; person < m.people; person++) /* sigma: assumed */
        m.rate += log_normal(MAILS_A_DAY, 1.0) / m.people;
    if (m.habit == SHOP)
        m.rate = log_normal(25, 1.0);         /* orders a day: assumed */
    m.members = (int)log_between(30, 1500);   /* assumed */
    m.dead_members = log_between(0.002, 0.1); /* assumed */
    m.has_phone = chance() < 0.5;             /* assumed */
    m.seed = mixed((uint64_t)(chance() * 0x1p53));
    /* Whom one writes to, the more the more one writes; one in ten, as support, sales and
     * job centres do, mostly to new people: all assumed. */
    m.contacts = 10 + (int)(log_normal(120, 0.8) * sqrt(m.rate / MAILS_A_DAY));
    m.new_contacts = chance() < 0.9 ? between(0.05, 0.3) : between(0.5, 0.9);
    return m;
}

/* One of the world's networks, of 4 million /24 in 16,384 /16, for each number of each kind:
 * the same whenever it is used. */
enum kind { OFFICE, HOME, CARRIER, WAY, EXIT, HAUNT };
static uint32_t network_at(const struct mailbox *m, enum kind kind, uint64_t number)
{
    return (uint32_t)(mixed(m->seed + ((uint64_t)kind << 56) + number) >> 42);
}

/* The address of a line of one of ten providers, at home or of a phone, as it is in this part
 * of the time. 70 % have a confirmed name of their provider: assumed; the others have none,
 * and half of them another address each time, from 1 to 8 of their provider's /16: assumed. */
static void line(const struct mailbox *m, struct act *act, enum kind kind,
                 uint64_t number, int64_t part)
{
    uint32_t provider = network_at(m, kind, number);

    act->network = provider;
    if (provider % 10 < 7) {
        act->network = network_at(m, kind, number + ((uint64_t)part << 20));
        snprintf(act->client_name, sizeof act->client_name, "ip-%u.isp%u.example",
                 (unsigned)act->network, (unsigned)(provider / 10 % 10));
    } else if (provider % 2 == 0) {
        uint32_t pool = 1 + provider / 16 % 8;

        act->network += (uint32_t)(mixed(m->seed + (uint64_t)part) % pool * 256);
    }
}

/* Whether somebody is on a trip that day (2 % of the days, in weeks), or on holiday, and
 * writes nothing (8 %, in fortnights): assumed. day: since 1970. */
enum away { TRIP, HOLIDAY };
static bool is_away(const struct mailbox *m, int person, enum away why, int64_t day)
{
    int64_t number = (day / (why == TRIP ? 7 : 14) * 2 + why) * 100 + person;

    return mixed(m->seed ^ (uint64_t)number) % 100 < (why == TRIP ? 2 : 8);
}

/* Where a mail is sent from at a time. */
static void place(const struct mailbox *m, struct act *act, int person)
{
    int64_t at_s = act->at_s, day = at_s / DAY;
    bool is_office = at_s % DAY > 8 * HOUR && at_s % DAY < 17 * HOUR;
    uint64_t home = (uint64_t)(m->moves * 100 + person);

    if (m->habit == TOR_USER) {
        act->network = network_at(m, EXIT, (uint64_t)at_s / 600);
    } else if (m->habit == VPN_USER) {
        act->network = network_at(m, EXIT, (uint64_t)day);
    } else if (m->has_phone && chance() < 0.3) { /* of a phone owner's mails: assumed */
        /* two addresses an hour: assumed, as on a train */
        line(m, act, CARRIER, (uint64_t)person, at_s / (HOUR / 2));
    } else if (is_away(m, person, TRIP, day)) { /* another one each hour */
        act->network = network_at(m, WAY, (uint64_t)(at_s / HOUR * 17 + person));
    } else if (m->habit == STUDENT && chance() < 0.3) { /* ten places, or a new one */
        act->network = network_at(
            m, HAUNT, (uint64_t)(chance() < 0.9 ? chance() * 10 : chance() * 1e9));
    } else if (is_office && (m->people == 1 || person % 10 >= 3)) {
        act->network = network_at(m, OFFICE, m->moves % 10 == 9); /* one move in ten */
    } else { /* 30 % of a team work at home: assumed */
        line(m, act, HOME, home, day);
    }
}

/* 1.63 on average: three in four have one; the others' number is log-normal. */
static int mail_recipients(void)
{
    int more = chance() < 0.75 ? 0 : (int)(log_normal(2.5, 0.9) + 0.5);

    return more < 100 ? 1 + more : 100;
}

static int64_t at_work(int64_t day_s)
{
    double hour = -1;

    while (hour < 0 || hour >= 24)
        hour = log_normal(13, 0.25); /* 13:00, most between 8 and 18: assumed */
    return day_s + (int64_t)(hour * HOUR);
}

/* The same to many, none of whom one writes to else: one mail each, or Bcc by the hundred;
 * from where one is. */
static void merge(struct world *w, const struct mailbox *m, int64_t at_s, int n,
                  double dead)
{
    bool bcc = chance() < 0.33;         /* assumed */
    double pause_s = between(0.5, 3.0); /* a mail client's merge: assumed */
    uint32_t to = 1 + (uint32_t)(chance() * 0x1p31);
    struct act at = {.at_s = at_s};

    place(m, &at, 0);
    for (int sent = 0; sent < n; sent += bcc ? 100 : 1) {
        int of_one = !bcc ? 1 : n - sent < 100 ? n - sent : 100;
        struct act *act = world_mail(w, at_s + (int64_t)(sent * (bcc ? 0.2 : pause_s)),
                                     at.network, of_one, dead);

        act->to = to + (uint32_t)sent;
        memcpy(act->client_name, at.client_name, sizeof act->client_name);
    }
}

static void person_day(struct world *w, const struct mailbox *m, int64_t day, int person)
{
    int64_t day_s = BEGIN + day * DAY;
    double share = day % 7 < 5 ? 1.34 : 0.15; /* weekends: assumed; 1 on average */
    int mails = poisson(m->rate * share * log_normal(1, 0.5)); /* sigma assumed */

    for (int i = 0; i < mails; i++) {
        int64_t at_s = at_work(day_s);

        /* 0.5 % do not exist: typing errors, people who left; assumed */
        place(m, world_mail(w, at_s, 0, mail_recipients(), 0.005), person);
    }
    if (chance() < MERGE_CHANCE) /* to 50 to 400: assumed */
        merge(w, m, at_work(day_s), (int)log_between(50, 400),
              chance() < 0.05 ? between(0.1, 0.35) : 0.01); /* an old list: assumed */
}

/* Mail of new customers in their first days. */
static void new_day(struct world *w, const struct mailbox *m, int64_t day)
{
    int64_t day_s = BEGIN + day * DAY;

    if (chance() < 0.1 / 7) /* one in ten brings a list: assumed */
        merge(w, m, at_work(day_s), (int)log_between(50, 500), between(0, 0.3));
    if (day == m->first_day && chance() < 0.3) /* tells all friends: assumed */
        merge(w, m, at_work(day_s), (int)log_between(20, 150), between(0, 0.15));
}

/* A newsletter is reported while it is sent, each minute. All of it at once, before, would
 * leave the window of an hour before its last mails do. */
#define REPORTED 300

/* Order, dispatch and invoice of each order; a campaign once in 30 days: assumed. */
static void shop_day(struct world *w, const struct mailbox *m, int64_t day)
{
    int64_t day_s = BEGIN + day * DAY;
    bool campaign = chance() < 1.0 / 30;
    uint32_t server = network_at(m, OFFICE, 100 + (uint64_t)m->moves);
    int orders = poisson(m->rate * log_normal(1, 0.3) * (campaign ? 6 : 1));

    for (int i = 0; i < orders; i++) {
        int64_t at_s =
            day_s + (int64_t)(campaign && chance() < 0.6 ? between(9, 12) * HOUR
                                                         : between(0, 24) * HOUR);

        uint32_t to = 1 + (uint32_t)(chance() * 0x1p31);

        for (int k = 0; k < 3; k++) /* typed wrongly: assumed */
            world_mail(w, at_s + (int64_t)(k * between(60, 8 * HOUR)), server, 1, 0.01)
                ->to = to;
    }
    if (campaign) { /* and its newsletter, reported by the shop's software */
        int readers = (int)(m->rate * between(5, 30));

        readers = readers < 10000 ? readers : 10000;
        for (int i = 0; i < readers; i++) { /* five a second: assumed */
            if (i % REPORTED == 0)
                world_event(w, day_s + 9 * HOUR + i / 5, ACT_LIST_MAIL,
                            readers - i < REPORTED ? readers - i : REPORTED);
            world_mail(w, day_s + 9 * HOUR + i / 5, server, 1, 0.01)->to =
                1 + (uint32_t)i;
        }
    }
}

static void list_day(struct world *w, const struct mailbox *m, int64_t day)
{
    int posts = poisson(1.5); /* assumed */

    for (int i = 0; i < posts; i++) {
        int64_t at_s = at_work(BEGIN + day * DAY);

        world_event(w, at_s, ACT_LIST_MAIL, m->members);
        for (int sent = 0; sent < m->members; sent += 50) /* to 50 at once: assumed */
            world_mail(w, at_s + sent / 25, network_at(m, OFFICE, 0),
                       m->members - sent < 50 ? m->members - sent : 50, m->dead_members)
                ->to = 1 + (uint32_t)sent;
    }
}

/* Another provider once in 8 years, or another office once in 80, one in ten told to all:
 * all assumed. */
static void move(struct world *w, struct mailbox *m, int64_t day)
{
    if (chance() >= 1.0 / 8 / 365)
        return;
    m->moves++;
    if (chance() < 0.1)
        merge(w, m, at_work(BEGIN + day * DAY), (int)log_between(50, 400), 0.05);
}

void mailbox_day(struct world *w, struct mailbox *m, int64_t day)
{
    w->contacts = m->contacts * m->people;
    w->new_contacts = m->new_contacts;
    move(w, m, day);
    for (int person = 0; person < m->people; person++)
        if (!is_away(m, person, HOLIDAY, BEGIN / DAY + day))
            person_day(w, m, day, person);
    if (m->first_day >= 0 && day < m->first_day + 7)
        new_day(w, m, day);
    if (m->habit == SHOP)
        shop_day(w, m, day);
    if (m->habit == LIST_OWNER)
        list_day(w, m, day);
}

/* --- honest servers of strangers --- */

void server_day(struct world *w, int64_t day, uint32_t network, double rate,
                bool newsletters, bool wrongly)
{
    int64_t day_s = BEGIN + day * DAY;
    int mails = poisson(rate * log_normal(1, 0.5));

    for (int i = 0; i < mails; i++)
        world_mail(w, at_work(day_s), network, mail_recipients(), 0.02)->refused =
            wrongly;
    if (newsletters && day % 7 == 2) /* one address in 33 has gone: assumed */
        for (int i = 0; i < 100; i++)
            world_mail(w, day_s + 10 * HOUR + i * 3, network, 1, 0.03);
    if (chance() < 1e-4) /* returns bounces to a forged address: assumed */
        for (int i = 0; i < 60; i++)
            world_mail(w, day_s + (int64_t)(i * HOUR / 30), network, 1, 0.95);
}
