check_PROGRAMS += tests/unit/test_protocol
tests_unit_test_protocol_SOURCES = tests/unit/test_protocol.c
tests_unit_test_protocol_LDADD = $(unit_libs)

# A server with commands of the tests' own, and its clients.
control_helper = tests/unit/control_helper.c tests/unit/control_helper.h

check_PROGRAMS += tests/unit/test_control
tests_unit_test_control_SOURCES = tests/unit/test_control.c $(control_helper)
tests_unit_test_control_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_connection
tests_unit_test_connection_SOURCES = tests/unit/test_connection.c $(control_helper)
tests_unit_test_connection_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_user_queries
tests_unit_test_user_queries_SOURCES = tests/unit/test_user_queries.c
tests_unit_test_user_queries_LDADD = $(unit_libs)
