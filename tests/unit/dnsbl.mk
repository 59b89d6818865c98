check_PROGRAMS += tests/unit/test_query_name tests/unit/test_listing
tests_unit_test_query_name_SOURCES = tests/unit/test_query_name.c
tests_unit_test_query_name_LDADD = $(unit_libs)
tests_unit_test_listing_SOURCES = tests/unit/test_listing.c
tests_unit_test_listing_LDADD = $(unit_libs)
check_PROGRAMS += tests/unit/test_latency tests/unit/test_surge tests/unit/test_health
tests_unit_test_latency_SOURCES = tests/unit/test_latency.c
tests_unit_test_latency_LDADD = $(unit_libs)
tests_unit_test_surge_SOURCES = tests/unit/test_surge.c
tests_unit_test_surge_LDADD = $(unit_libs)
tests_unit_test_health_SOURCES = tests/unit/test_health.c
tests_unit_test_health_LDADD = $(unit_libs)
check_PROGRAMS += tests/unit/test_registry
tests_unit_test_registry_SOURCES = tests/unit/test_registry.c tests/unit/nameserver.c \
	tests/unit/nameserver.h
tests_unit_test_registry_LDADD = $(unit_libs)
