check_PROGRAMS += tests/unit/test_protocol tests/unit/test_control
tests_unit_test_protocol_SOURCES = tests/unit/test_protocol.c
tests_unit_test_protocol_LDADD = $(unit_libs)
tests_unit_test_control_SOURCES = tests/unit/test_control.c
tests_unit_test_control_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_user_queries
tests_unit_test_user_queries_SOURCES = tests/unit/test_user_queries.c
tests_unit_test_user_queries_LDADD = $(unit_libs)
