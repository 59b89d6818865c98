/* SPDX-License-Identifier: BSD-2-Clause */
#include "resolver_helper.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

const struct resolver_settings usual_settings = {
    .timeout_ms = 300,
    .attempts = 2,
    .deadline_ms = 1500,
    .cache_size = 1000,
    .min_ttl_s = 1,
    .max_ttl_s = 3600,
    .negative_ttl_s = 3600,
    .stale_ttl_s = 3600,
    .max_queries = 1000,
};

const char *shown(struct dns_answer *answer, char out[static 1200])
{
    size_t size = (size_t)snprintf(out, 1200, "%s%s", dns_status_name(answer->status),
                                   answer->stale ? " stale" : "");

    if (answer->text != NULL)
        size += (size_t)snprintf(out + size, 1200 - size, " %s", answer->text);
    for (unsigned i = 0; i < answer->address_count && i < 10; i++)
        size += (size_t)snprintf(out + size, 1200 - size, " %s",
                                 inet_ntoa(answer->addresses[i]));
    return out;
}

void assert_asked(struct resolver *r, struct upstream *u, enum dns_type type,
                  const char *name, const char *want)
{
    char text[1200];
    struct dns_answer *answer = asker_get(r, u, type, name);

    if (strcmp(shown(answer, text), want) != 0)
        fail_msg("%s: wanted \"%s\", got \"%s\"", name, want, text);
    dns_answer_unref(answer);
}

struct dns_answer *cached(struct resolver *r, struct upstream *u, enum dns_type type,
                          const char *name)
{
    struct dns_answer *answer = resolver_query(r, u, type, name, DNS_CACHE_ONLY, NULL);

    if (answer->status == DNS_NOT_ASKED || answer->stale) {
        dns_answer_unref(answer);
        return NULL;
    }
    return answer;
}

static const char rules[] =
    "[{\"name\": \"one.t\", \"a\": [\"127.0.0.2\"], \"txt\": [\"see there\"]},"
    " {\"name\": \"two.t\", \"a\": [\"127.0.0.2\", \"127.0.0.4\"]},"
    " {\"name\": \"none.t\"},"
    " {\"name\": \"soa.t\", \"rcode\": \"NXDOMAIN\", \"soa\": {\"minimum\": 9}},"
    " {\"name\": \"nx.t\", \"rcode\": \"NXDOMAIN\"},"
    " {\"name\": \"servfail.t\", \"rcode\": \"SERVFAIL\"},"
    " {\"name\": \"refused.t\", \"rcode\": \"REFUSED\"},"
    " {\"name\": \"formerr.t\", \"rcode\": \"FORMERR\"},"
    " {\"name\": \"notimp.t\", \"rcode\": \"NOTIMP\"},"
    " {\"name\": \"silent.t\", \"silent\": true},"
    " {\"name\": \"late.t\", \"a\": [\"127.0.0.9\"], \"delay_ms\": 450},"
    " {\"name\": \"tc.t\", \"a\": [\"127.0.0.3\"], \"truncate\": true},"
    " {\"name\": \"tcdead.t\", \"a\": [\"127.0.0.3\"], \"truncate\": true, \"transport\":"
    "   \"udp\"}, {\"name\": \"tcdead.t\", \"close\": true},"
    " {\"name\": \"id.t\", \"a\": [\"127.0.0.5\"], \"wrong_id\": \"first\"},"
    " {\"name\": \"lie.t\", \"a\": [\"127.0.0.5\"], \"wrong_id\": \"only\"},"
    " {\"name\": \"garbage.t\", \"garbage\": 90},"
    " {\"name\": \"empty.t\", \"empty\": true},"
    " {\"name\": \"cut.t\", \"a\": [\"127.0.0.5\"], \"cut\": 30},"
    " {\"name\": \"cname.t\", \"cname\": [\"x.t\", \"y.t\"], \"a\": [\"127.0.0.6\"]},"
    " {\"name\": \"loop.t\", \"cname_loop\": true},"
    " {\"name\": \"huge.t\", \"txt_size\": 30000},"
    " {\"name\": \"other.t\", \"a\": [\"127.0.0.2\"], \"owner\": \"evil.t\"},"
    " {\"name\": \"question.t\", \"a\": [\"127.0.0.2\"], \"question\": \"evil.t\"},"
    " {\"name\": \"query.t\", \"raw\": \"01000001000000000000\"},"
    " {\"name\": \"outside.t\", \"a\": [\"192.0.2.1\"]},"
    " {\"suffix\": \"any.t\", \"a\": [\"127.0.0.2\"]}]";

struct nameserver *ns;
struct resolver *resolver;
struct upstream *upstream;

int resolver_set_up(void **state)
{
    (void)state;
    ns = nameserver_new(rules);
    resolver = resolver_new(&usual_settings);
    assert_non_null(resolver);
    upstream = resolver_upstream(resolver, nameserver_address(ns));
    assert_non_null(upstream);
    return 0;
}

int resolver_tear_down(void **state)
{
    (void)state;
    resolver_free(resolver);
    nameserver_free(ns);
    return 0;
}
