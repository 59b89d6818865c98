# A resolver's test brings its own name server, and those who ask.
resolver_test_sources = tests/unit/nameserver.c tests/unit/nameserver.h \
	tests/unit/asker.c tests/unit/asker.h

resolver_helper = tests/unit/resolver_helper.c tests/unit/resolver_helper.h

check_PROGRAMS += tests/unit/test_resolver
tests_unit_test_resolver_SOURCES = tests/unit/test_resolver.c $(resolver_helper) \
	$(resolver_test_sources)
tests_unit_test_resolver_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_resolver_servers
tests_unit_test_resolver_servers_SOURCES = tests/unit/test_resolver_servers.c $(resolver_helper) \
	$(resolver_test_sources)
tests_unit_test_resolver_servers_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_resolver_stress
tests_unit_test_resolver_stress_SOURCES = tests/unit/test_resolver_stress.c \
	$(resolver_test_sources)
tests_unit_test_resolver_stress_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_bursts
tests_unit_test_bursts_SOURCES = tests/unit/test_bursts.c tests/unit/asker.c \
	tests/unit/asker.h
tests_unit_test_bursts_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_upstream
tests_unit_test_upstream_SOURCES = tests/unit/test_upstream.c
tests_unit_test_upstream_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_link_local
tests_unit_test_link_local_SOURCES = tests/unit/test_link_local.c tests/unit/asker.c \
	tests/unit/asker.h
tests_unit_test_link_local_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_cache
tests_unit_test_cache_SOURCES = tests/unit/test_cache.c
tests_unit_test_cache_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_dns_answer
tests_unit_test_dns_answer_SOURCES = tests/unit/test_dns_answer.c
tests_unit_test_dns_answer_LDADD = $(unit_libs)
