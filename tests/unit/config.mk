check_PROGRAMS += tests/unit/test_dead_zones
tests_unit_test_dead_zones_SOURCES = tests/unit/test_dead_zones.c
tests_unit_test_dead_zones_LDADD = $(unit_libs)
