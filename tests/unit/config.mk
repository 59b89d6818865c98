check_PROGRAMS += tests/unit/test_zones
tests_unit_test_zones_SOURCES = tests/unit/test_zones.c
tests_unit_test_zones_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_codes
tests_unit_test_codes_SOURCES = tests/unit/test_codes.c
tests_unit_test_codes_LDADD = $(unit_libs)

# A conf file of a test's own.
config_helper = tests/unit/config_helper.c tests/unit/config_helper.h

check_PROGRAMS += tests/unit/test_config
tests_unit_test_config_SOURCES = tests/unit/test_config.c $(config_helper)
tests_unit_test_config_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_config_errors
tests_unit_test_config_errors_SOURCES = tests/unit/test_config_errors.c $(config_helper)
tests_unit_test_config_errors_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_config_check
tests_unit_test_config_check_SOURCES = tests/unit/test_config_check.c $(config_helper)
tests_unit_test_config_check_LDADD = $(unit_libs)
