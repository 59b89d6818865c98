check_PROGRAMS += tests/unit/test_protocol tests/unit/test_control
tests_unit_test_protocol_SOURCES = tests/unit/test_protocol.c
tests_unit_test_protocol_LDADD = $(unit_libs)
tests_unit_test_control_SOURCES = tests/unit/test_control.c
tests_unit_test_control_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_dns_budget
tests_unit_test_dns_budget_SOURCES = tests/unit/test_dns_budget.c
tests_unit_test_dns_budget_LDADD = $(unit_libs)
