check_PROGRAMS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c
tests_unit_test_text_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_reply_template
tests_unit_test_reply_template_SOURCES = tests/unit/test_reply_template.c
tests_unit_test_reply_template_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_idna
tests_unit_test_idna_SOURCES = tests/unit/test_idna.c
tests_unit_test_idna_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_ipaddr
tests_unit_test_ipaddr_SOURCES = tests/unit/test_ipaddr.c
tests_unit_test_ipaddr_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_endpoint
tests_unit_test_endpoint_SOURCES = tests/unit/test_endpoint.c
tests_unit_test_endpoint_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_domain
tests_unit_test_domain_SOURCES = tests/unit/test_domain.c
tests_unit_test_domain_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_log
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = $(unit_libs)
