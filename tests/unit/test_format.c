/* SPDX-License-Identifier: BSD-2-Clause */
/* Import formats: what each line becomes, and what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format_helper.h"

static const struct {
    const char *label, *format, *in, *want;
} cases[] = {
    {"plain", "plain", "Anna@Domain.XYZ\n\n# comment\n!192.0.2.7/24\nhost:a.example",
     "anna@domain.xyz;!192.0.2.0/24;host:a.example;"},
    {"plain: bad lines stop nothing", "plain", "a..b\ndomain.xyz\n1.2.3\n",
     "1:bad;domain.xyz;3:bad;"},
    {"plain: comment behind", "plain", "domain.xyz # why\n\"a #b\"@c.example\n",
     "domain.xyz;\"a #b\"@c.example;"},
    {"plain: CRLF, byte order mark", "plain",
     "\xef\xbb\xbf"
     "domain.xyz\r\nb.example\r\n",
     "domain.xyz;b.example;"},
    {"csv: no header", "csv", "domain.xyz,bulk\nb.example\n",
     "domain.xyz=bulk;b.example;"},
    {"csv: header, any order", "csv",
     "Reason,entry,x,expires,source,allow\n\"a, "
     "\"\"b\"\"\",domain.xyz,1,1900000000,feed,yes\n",
     "!domain.xyz=a, \"b\"@1900000000%feed;"},
    {"plain: put off", "plain", "~Anna@Domain.XYZ\n~ 192.0.2.7\n\"~x\"@c.example\n",
     "~anna@domain.xyz;~192.0.2.7;~x@c.example;"},
    {"csv: actions", "csv",
     "entry,action\na.example,tempfail\nb.example,Block\nc.example,allow\nd.example,\n"
     "e.example,delay\n",
     "~a.example;b.example;!c.example;d.example;6:bad;"},
    {"csv: action and allow", "csv",
     "entry,allow,action\na.example,false,tempfail\nb.example,true,allow\n"
     "c.example,true,block\nd.example,no,allow\n!e.example,,tempfail\n",
     "~a.example;!b.example;4:bad;5:bad;6:bad;"},
    {"json: actions", "json",
     "[{\"entry\":\"a.example\",\"action\":\"tempfail\",\"allow\":false},\n"
     "{\"entry\":\"b.example\",\"action\":\"allow\"},\n"
     "{\"entry\":\"c.example\",\"action\":\"block\",\"allow\":true},\n"
     "{\"entry\":\"d.example\",\"action\":451},\n"
     "{\"entry\":\"e.example\",\"action\":null}]\n",
     "~a.example;!b.example;3:bad;4:bad;e.example;"},
    {"csv: ISO time", "csv", "entry,expires\nb.example,2030-01-01T00:00:00Z\n",
     "b.example@1893456000;"},
    {"csv: bad ones", "csv",
     "entry,allow,expires\nb.example,perhaps,\nb.example,,soon\n\"b.example\nc.example,,"
     "\n",
     "2:bad;3:bad;4:bad;c.example;"},
    {"csv: the last second of 9999, and one more", "csv",
     "entry,expires\nb.example,253402300799\nc.example,253402300800\n",
     "b.example@253402300799;3:bad;"},
    {"json: the last second of 9999, and one more", "json",
     "{\"entry\":\"b.example\",\"expires\":253402300799}\n"
     "{\"entry\":\"c.example\",\"expires\":253402300800}\n",
     "b.example@253402300799;2:bad;"},
    {"csv: allow by a mark", "csv", "!b.example\n", "!b.example;"},
    {"json: array", "json",
     "[{\"entry\":\"domain.xyz\",\"reason\":\"a } \\\" {\",\"expires\":1900000000},\n"
     "{\"entry\":\"b.example\",\"allow\":true,\"source\":\"feed\"}]\n",
     "domain.xyz=a } \" {@1900000000;!b.example%feed;"},
    {"json: one a line", "json", "{\"entry\":\"a.example\"}\n{\"entry\":\"b.example\"}\n",
     "a.example;b.example;"},
    {"json: over several lines", "json", "[\n{\n\"entry\":\n\"a.example\"\n}\n]\n",
     "a.example;"},
    {"json: bad ones", "json",
     "[{\"entry\":1},\n{\"entry\":\"a..b\"},\n{\"x\":},\n{\"entry\":\"c.example\"}\n",
     "1:bad;2:bad;3:bad;c.example;"},
    {"json: none at all", "json", "hello\n{\"entry\":\"c.example\"}\n",
     "1:bad;c.example;"},
    {"json: does not end", "json", "[\n{\"entry\":\"c.example\"\n", "2:bad;"},
    {"postfix", "postfix",
     "# table\nanna@domain.xyz  REJECT 5.7.1 bulk\n  mail\n"
     "domain.xyz 550 go away\n192.0.2 REJECT\n192.0.2.1\tOK\n10 DISCARD\n<> REJECT\n",
     "anna@domain.xyz=bulk  mail;domain.xyz=go away;192.0.2.0/24;!192.0.2.1;10.0.0.0/8;"
     "<>;"},
    {"postfix: what cannot be taken over", "postfix",
     "/^a/ REJECT\nanna@ REJECT\na.example FILTER x\na.example\n!1.2.3.4 OK\n"
     "b.example OK\nc.example HOLD\nd.example DEFER_IF_REJECT\n@e.example REJECT\n"
     "f.example REJECT\n",
     "1:bad;2:bad;3:bad;4:bad;5:bad;6:bad;7:bad;8:bad;9:bad;f.example;"},
    {"postfix: what puts off", "postfix",
     "c.example 450 later\nd.example DEFER\ne.example defer_if_permit 4.3.0 full\n"
     "192.0.2 451 4.7.1 slow down\n192.0.2.1 REJECT\n192.0.2.128 DUNNO\n",
     "~c.example=later;~d.example;~e.example=full;~192.0.2.0=slow down;"
     "~192.0.2.2/31=slow down;~192.0.2.4/30=slow down;~192.0.2.8/29=slow down;"
     "~192.0.2.16/28=slow down;~192.0.2.32/27=slow down;~192.0.2.64/26=slow down;"
     "~192.0.2.129=slow down;~192.0.2.130/31=slow down;~192.0.2.132/30=slow down;"
     "~192.0.2.136/29=slow down;~192.0.2.144/28=slow down;~192.0.2.160/27=slow down;"
     "~192.0.2.192/26=slow down;192.0.2.1;"},
    {"cidr: what puts off", "postfix",
     "192.0.2.0/24 DEFER\n192.0.2.1 REJECT\n192.0.2.2 DEFER\n", "~192.0.2.0/24;2:bad;"},
    {"postfix: exceptions", "postfix",
     "good.bad.example DUNNO\nbad.example REJECT\n192.0.2 REJECT\n192.0.2.128 DUNNO\n"
     "x.example DUNNO\n",
     "2:bad;192.0.2.0/25;192.0.2.129;192.0.2.130/31;192.0.2.132/30;192.0.2.136/29;"
     "192.0.2.144/28;192.0.2.160/27;192.0.2.192/26;"},
    {"postfix: what a condition holds is not taken as if alone", "postfix",
     "if /a/\nb.example REJECT\nendif\nc.example REJECT\n",
     "1:bad;2:bad;3:bad;c.example;"},
    {"cidr: the first match counts", "postfix",
     "192.0.2.5 OK\n192.0.2.0/24 REJECT\n192.0.2.9 OK\n198.51.100.128/25 DUNNO\n"
     "198.51.100.0/24 REJECT all\n[2001:db8::]/32 REJECT\n192.0.3.1/24 REJECT\n",
     "7:bad;!192.0.2.5;192.0.2.0/24;3:bad;198.51.100.0/25=all;2001:db8::/32;"},
    {"cidr: conditions", "postfix",
     "if 192.0.2.0/24\nif !192.0.2.0/25\n0.0.0.0/0 REJECT\nendif\n192.0.2.1 OK\nendif\n"
     "!198.51.100.0/24 REJECT\n",
     "7:bad;192.0.2.128/25;!192.0.2.1;"},
    {"rbldnsd: ip4set", "rbldnsd",
     "$SOA 0 a b 0 0 0 0 0\n:127.0.0.2:default $\n192.0.2.0/24 :127.0.0.3:own $\n"
     "192.0.2.7\n198.51.100 text\n127.0.0.1-3\n1.2.3.4-1.2.3.5 ; c\n5.6.7.8 :4\n"
     "5.6.7.9 :4:\n",
     "192.0.2.0/24=own 192.0.2.0/24;192.0.2.7=default 192.0.2.7;198.51.100.0/24=text;"
     "127.0.0.1=default 127.0.0.1-3;127.0.0.2/31=default 127.0.0.1-3;"
     "1.2.3.4/31=default 1.2.3.4-1.2.3.5;5.6.7.8=default 5.6.7.8;5.6.7.9;"},
    {"rbldnsd: exclusions are holes", "rbldnsd",
     "192.0.2.0/28\n!192.0.2.1\n!198.51.100.0/24\n198.51.100.7\n203.0.113.0-203.0.113.3\n"
     "!203.0.113.2\n",
     "192.0.2.0;192.0.2.2/31;192.0.2.4/30;192.0.2.8/29;198.51.100.7;203.0.113.0/31;"
     "203.0.113.3;"},
    {"rbldnsd: exclusions of an ip4set count to whole octets", "rbldnsd",
     "!198.51.100.0/25\n198.51.100.7\n$DATASET ip4trie:x @\n!198.51.100.0/25\n"
     "198.51.100.7\n",
     "2:bad;198.51.100.7;"},
    {"rbldnsd: variables, data sets", "rbldnsd",
     "$1 See x\n$= $= of $\n$DATASET ip4set a @\n192.0.2.1 $1/$ $$5\n192.0.2.2 =own\n"
     "192.0.2.3\n$DATASET generic b @\nwww A 127.0.0.2\n$DATASET dnset c @\n"
     ".bad.example\n",
     "192.0.2.1=See x/192.0.2.1 $5 of 192.0.2.1;192.0.2.2=own;"
     "192.0.2.3=192.0.2.3 of 192.0.2.3;7:bad;bad.example=.bad.example of .bad.example;"},
    {"rbldnsd: prefixes of its manual", "rbldnsd", "127/8\n127.16-31\n127.32/12\n",
     "127.0.0.0/8;127.16.0.0/12;127.32.0.0/12;"},
    {"rbldnsd: all of it", "rbldnsd", "0/0\n", "0.0.0.0/0;"},
    {"rbldnsd: pieces of what is too wide", "rbldnsd",
     "0.0.0.0-254.255.255.255\n0/0\n!192.0.2.1\n", "1:bad;2:bad;"},
    {"rbldnsd: dnset", "rbldnsd",
     ".domain.xyz\n*.b.example :2:x\nc.example\n*.d.example\nd.example\n.e.example\n"
     "!good.e.example\nsub.domain.xyz\n",
     "domain.xyz;2:bad;3:bad;d.example;6:bad;sub.domain.xyz;"},
    {"rbldnsd: ip6trie", "rbldnsd", "2001:21ab:c000/36\n2605:6001:42::/52\n2001:db8\n",
     "2001:21ab:c000::/36;2605:6001:42::/52;2001:db8::/32;"},
    {"rbldnsd: bad ones", "rbldnsd", "1.2.3.4-1.2.3.3\n1.2.3.400\n1.2.3.4/33\na..b\n",
     "1:bad;2:bad;3:bad;4:bad;"},
    {"rspamd", "rspamd",
     "# map\nanna@domain.xyz 5.0\ndomain.xyz # why\n192.0.2.0/30\n!192.0.2.0/31\n"
     "partner.example SYM:-5.0\n!b.example\n",
     "6:bad;anna@domain.xyz;domain.xyz;192.0.2.2/31;"},
    {"plain: fail2ban's banip", "plain", "192.0.2.1 2001:db8::1 x..y\n192.0.2.2\n",
     "192.0.2.1;2001:db8::1;1:bad;192.0.2.2;"},
    {"plain: fail2ban's banip --with-time", "plain",
     "192.0.2.1 \t2026-11-24 10:00:00 + 600 = 2030-01-01 00:00:00\n"
     "192.0.2.2 \t2026-11-24 10:00:00 + -1 = 9999-12-31 23:59:59\n"
     "192.0.2.3 \t2026-11-24 10:00:00 + 600 = soon\n",
     "192.0.2.1@1893456000;192.0.2.2;3:bad;"},
    {"plain: comments with ;", "plain", "; x\na.example ; SBL1\n192.0.2.1;SBL2\n",
     "a.example;3:bad;"},
    {"sendmail: tags", "sendmail",
     "# access\nFrom:spammer@a.example REJECT\nFrom:cyberspammer.example\t"
     "ERROR:\"550 We don't\"\nFrom:okay.cyberspammer.example OK\n"
     "Connect:dyn.example REJECT\nconnect:mail.b.example RELAY\nConnect:192.0.2 OK\n"
     "Connect:IPv6:2001:db8:1:2 DISCARD\nIPv6:2001:db8::7 REJECT\n"
     "198.51.100.7 550 5.7.1 go away\n",
     "spammer@a.example;cyberspammer.example=We don't;!okay.cyberspammer.example;"
     "host:dyn.example;!host:mail.b.example;!192.0.2.0/24;2001:db8:1:2::/64;"
     "2001:db8::7;198.51.100.7=go away;"},
    {"sendmail: without a tag", "sendmail",
     "bad.example REJECT\nx@bad.example REJECT\nok.example OK\n10 REJECT\n"
     "below.ok.example REJECT\n",
     "3:bad;host:bad.example;bad.example;x@bad.example;10.0.0.0/8;"
     "host:below.ok.example;below.ok.example;"},
    {"sendmail: a tag counts before none", "sendmail",
     "a.example REJECT\nConnect:a.example OK\nConnect:a.example REJECT\n",
     "!host:a.example;3:bad;1:bad;a.example;"},
    {"sendmail: SKIP is an exception", "sendmail",
     "Connect:128.32 RELAY\nConnect:128.32.128 SKIP\nConnect:128.32.128.1 REJECT\n"
     "From:wide.example REJECT\nFrom:narrow.wide.example SKIP\n"
     "Connect:wide.example REJECT\nFrom:u@wide.example SKIP\n",
     "7:bad;!128.32.0.0/17;!128.32.129.0/24;!128.32.130.0/23;!128.32.132.0/22;"
     "!128.32.136.0/21;!128.32.144.0/20;!128.32.160.0/19;!128.32.192.0/18;128.32.128.1;"
     "4:bad;host:wide.example;"},
    {"sendmail: an untagged OK that is refused stays an exception", "sendmail",
     "good.bad.example OK\nbad.example REJECT\n", "1:bad;2:bad;2:bad;"},
    {"sendmail: errors", "sendmail",
     "From:a.example ERROR:5.7.1:\"550 5.7.1 text\"\nFrom:b.example ERROR:5.7.1:text\n"
     "From:c.example \"550 text\"\nFrom:d.example ERROR:text\nFrom:e.example 450 x\n"
     "From:f.example ERROR:4.7.1:\"450 x\"\nFrom:g.example ERROR:\"451 x\"\n"
     "From:h.example ERROR:4.7.1:x\nFrom:i.example no thanks\nFrom:j.example 250 x\n"
     "From:k.example\n l.example REJECT\nFrom:m.example QUARANTINE:x\n",
     "12:bad;9:bad;10:bad;11:bad;13:bad;a.example=text;b.example=text;c.example=text;"
     "d.example=text;~e.example=x;~f.example=x;~g.example=x;~h.example=x;"},
    {"sendmail: an error of a key without a tag", "sendmail",
     "192.0.2\tERROR:5.7.1:\"550 text\"\na.example ERROR:4.7.1:text\n",
     "192.0.2.0/24=text;~host:a.example=text;~a.example=text;"},
    {"sendmail: keys that it never finds, or of others", "sendmail",
     "To:a.example REJECT\nSpam:abuse@ FRIEND\nAuthInfo:a.example \"P:x\"\n"
     "Connect:[192.0.2.1] OK\nConnect:192.0.2.0/24 REJECT\nConnect:192.0.2. REJECT\n"
     "From:192.0.2.1 REJECT\nConnect:u@a.example REJECT\nFrom:u@ REJECT\n"
     "From:@a.example REJECT\nFrom:<> REJECT\nFrom:.a.example REJECT\n"
     "Connect:192.0.02 REJECT\nConnect:1.2.3.4.5 REJECT\nConnect:300 REJECT\n"
     "Connect:IPv6:2001:0db8 REJECT\nConnect:2001:db8:: REJECT\n",
     "1:bad;2:bad;3:bad;4:bad;5:bad;6:bad;7:bad;8:bad;9:bad;10:bad;11:bad;12:bad;13:bad;"
     "14:bad;15:bad;16:bad;17:bad;"},
    {"rspamd: expressions", "rspamd", "/^a.*b$/i\nfoo*@domain.xyz\ndomain.xyz\n",
     "1:bad;2:bad;domain.xyz;"},
};

static void test_read(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZ", "UTC", 1), 0); /* fail2ban writes local time */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen seen = {.stop_after = 0};

        assert_int_equal(
            read_text(cases[i].format, cases[i].in, strlen(cases[i].in), &seen), 0);
        if (strcmp(seen.text, cases[i].want) != 0)
            fail_msg("%s:\nwant %s\ngot  %s (%s)", cases[i].label, cases[i].want,
                     seen.text, seen.last_error);
    }
}

static const struct {
    const char *label, *format;
    struct format_options options;
    const char *in, *want;
} optioned[] = {
    {"clients",
     "postfix",
     {.subject = FORMAT_CLIENT},
     "mail.friend.example OK\ndynamic.isp.example REJECT\n203.0.113 OK\n"
     ".partner.example OK\nunknown REJECT\na@b.example REJECT\n",
     "5:bad;6:bad;!host:mail.friend.example;host:dynamic.isp.example;!203.0.113.0/24;"
     "!host:partner.example;"},
    {"clients: a name that shields its address",
     "postfix",
     {.subject = FORMAT_CLIENT},
     "mail.friend.example DUNNO\n203.0.113 REJECT\n",
     "1:bad;203.0.113.0/24;"},
    {"senders",
     "postfix",
     {.subject = FORMAT_SENDER},
     "friend.example OK\na.example REJECT\n203.0.113 OK\n",
     "3:bad;!friend.example;a.example;"},
    {"helo",
     "postfix",
     {.subject = FORMAT_HELO},
     "good.bad.example OK\nbad.example REJECT\nc.example REJECT\n",
     "1:bad;2:bad;host:c.example;"},
    {"good senders of sendmail",
     "sendmail",
     {.allow = true},
     "From:a.example OK\nFrom:b.example REJECT\n",
     "2:bad;!a.example;"},
    {"good senders",
     "plain",
     {.allow = true},
     "a.example\n~b.example\n",
     "!a.example;2:bad;"},
    {"good senders, some put off",
     "postfix",
     {.allow = true, .subject = FORMAT_SENDER},
     "a.example OK\nb.example DEFER\nc.example 450 x\n",
     "2:bad;3:bad;!a.example;"},
    {"good senders, some put off",
     "sendmail",
     {.allow = true},
     "From:a.example OK\nFrom:b.example 450 x\n",
     "2:bad;!a.example;"},
    {"good senders, one put off",
     "csv",
     {.allow = true},
     "entry,action\na.example,\nb.example,tempfail\nc.example,allow\n",
     "!a.example;3:bad;!c.example;"},
    {"an action of others",
     "csv",
     {.field = "ip"},
     "ip,action\n192.0.2.1,drop\n192.0.2.2,allow\n",
     "192.0.2.1;192.0.2.2;"},
    {"an action of others",
     "json",
     {.field = "ip"},
     "{\"ip\":\"192.0.2.1\",\"action\":7}\n",
     "192.0.2.1;"},
    {"good senders of rspamd",
     "rspamd",
     {.allow = true},
     "a.example -5\nb.example 5\n",
     "2:bad;!a.example;"},
    {"good senders, but one",
     "csv",
     {.allow = true},
     "entry,allow\na.example,\nb.example,false\n",
     "!a.example;3:bad;"},
    {"good senders, but one",
     "json",
     {.allow = true},
     "{\"entry\":\"a.example\"}\n{\"entry\":\"b.example\",\"allow\":false}\n",
     "!a.example;2:bad;"},
    {"Spamhaus DROP",
     "json",
     {.field = "cidr"},
     "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\"}\n{\"x\":1}\n"
     "{\"type\":\"metadata\",\"size\":1}\n",
     "192.0.2.0/24;2:bad;"},
    {"csv of others",
     "csv",
     {.field = "IP"},
     "# fetched\nseen,ip,reason\n1,192.0.2.1,why\n",
     "192.0.2.1=why;"},
    {"csv without that column",
     "csv",
     {.field = "ip"},
     "entry\n192.0.2.1\n",
     "1:bad;2:bad;"},
    {"forced",
     "rbldnsd",
     {.wide = true},
     "a.example\n*.b.example\n",
     "a.example;b.example;"},
};

static void test_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof optioned / sizeof optioned[0]; i++) {
        struct seen seen = {.stop_after = 0};

        assert_int_equal(read_as(optioned[i].format, &optioned[i].options, optioned[i].in,
                                 strlen(optioned[i].in), &seen),
                         0);
        if (strcmp(seen.text, optioned[i].want) != 0)
            fail_msg("%s:\nwant %s\ngot  %s (%s)", optioned[i].label, optioned[i].want,
                     seen.text, seen.last_error);
    }
}

static const struct {
    const char *label, *named, *in, *want;
} guesses[] = {
    {"csv", "plain", "entry,reason\na.example,x\nb.example,y\n", "csv"},
    {"json", "plain", "[\n{\"entry\":\"a.example\"},\n{\"entry\":\"b.example\"}\n]\n",
     "json"},
    {"json without an end of its line", "plain", "[{\"entry\":\"a.example\"}]", "json"},
    {"plain", "json", "a.example\n192.0.2.1\n", "plain"},
    {"cidr", "plain", "192.0.2.0/24 REJECT\n2001:db8::/32 OK\n", "postfix"},
    {"names of clients", "plain", "a.example OK\nb.example OK\n192.0.2 REJECT\n",
     "postfix"},
    {"names of senders", "plain", "a.example OK\nu@b.example OK\n", "postfix"},
    {"a few that entries cannot say", "plain",
     "/x/ REJECT\na.example REJECT\nb.example REJECT\nc.example REJECT\n", "postfix"},
    {"access", "postfix", "From:a.example REJECT\nConnect:192.0.2 OK\n", "sendmail"},
    {"ip4set", "plain",
     "$SOA 1 a b 0 0 0 0 0\n192.0.2.1 :2:text\n!192.0.2.2\n"
     "192.0.2.0/28 text\n192.0.3.1-9\n",
     "rbldnsd"},
    {"map", "plain", "a.example SYM:5.0\nb.example 5.0\n", "rspamd"},
    {"the one that was named", "plain", "a.example\n", NULL},
    {"a web page", "plain", "<html>\n<p>Not found</p>\n</html>\n", NULL},
    {"comments only", "plain", "# a\n", NULL},
    {"nothing", "plain", "", NULL},
};

static void test_guess(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof guesses / sizeof guesses[0]; i++) {
        FILE *in = tmpfile();
        const struct format *got;

        assert_non_null(in);
        assert_true(fputs(guesses[i].in, in) >= 0);
        rewind(in);
        got = format_guess(in, format_find(guesses[i].named));
        fclose(in);
        if (got != (guesses[i].want != NULL ? format_find(guesses[i].want) : NULL))
            fail_msg("%s: want %s, got %s", guesses[i].label,
                     guesses[i].want != NULL ? guesses[i].want : "none",
                     got != NULL ? format_name(got) : "none");
    }
}

static void test_odd_lines(void **state)
{
    struct seen seen = {.stop_after = 0};
    size_t length = 70000;
    char *text = malloc(length + 20);

    (void)state;
    memset(text, 'a', length);
    memcpy(text + length, "\na\0b\nb.example\n", 16);
    assert_int_equal(read_text("plain", text, length + 15, &seen), 0);
    assert_string_equal(seen.text, "1:bad;2:bad;b.example;");
    free(text);
}

static void test_stop(void **state)
{
    struct seen seen = {.stop_after = 2};
    const char *text = "a.example\nb.example\nc.example\n";

    (void)state;
    assert_int_equal(read_text("plain", text, strlen(text), &seen), -1);
    assert_string_equal(seen.text, "a.example;b.example;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),      cmocka_unit_test(test_guess),
        cmocka_unit_test(test_odd_lines), cmocka_unit_test(test_options),
        cmocka_unit_test(test_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
