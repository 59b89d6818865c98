/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RESOLVER_HELPER_H
#define RESOLVER_HELPER_H

/* A resolver with one name server of the test's own. What fails ends the test. */

#include "asker.h"
#include "dns/resolver.h"
#include "nameserver.h"

extern const struct resolver_settings usual_settings;

/* Of the test that runs. */
extern struct nameserver *ns;
extern struct resolver *resolver;
extern struct upstream *upstream;
int resolver_set_up(void **state);
int resolver_tear_down(void **state);
#define RESOLVER_TEST(name)                                                              \
    cmocka_unit_test_setup_teardown(name, resolver_set_up, resolver_tear_down)

/* An answer in one line: "found 127.0.0.2 127.0.0.4", "found text", "none". */
const char *shown(struct dns_answer *answer, char out[static 1200]);
void assert_asked(struct resolver *r, struct upstream *u, enum dns_type type,
                  const char *name, const char *want);

/* What the cache has of it; NULL: nothing. The caller's reference. */
struct dns_answer *cached(struct resolver *r, struct upstream *u, enum dns_type type,
                          const char *name);

#endif
