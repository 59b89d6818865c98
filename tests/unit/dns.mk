check_PROGRAMS += tests/unit/test_resolver
tests_unit_test_resolver_SOURCES = tests/unit/test_resolver.c tests/unit/nameserver.c \
	tests/unit/nameserver.h
tests_unit_test_resolver_LDADD = $(unit_libs)
