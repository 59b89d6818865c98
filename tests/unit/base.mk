check_PROGRAMS += tests/unit/test_span
tests_unit_test_span_SOURCES = tests/unit/test_span.c
tests_unit_test_span_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_text
tests_unit_test_text_SOURCES = tests/unit/test_text.c
tests_unit_test_text_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_reply_template
tests_unit_test_reply_template_SOURCES = tests/unit/test_reply_template.c
tests_unit_test_reply_template_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_network_hint
tests_unit_test_network_hint_SOURCES = tests/unit/test_network_hint.c
tests_unit_test_network_hint_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_idna
tests_unit_test_idna_SOURCES = tests/unit/test_idna.c
tests_unit_test_idna_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_rewritten
tests_unit_test_rewritten_SOURCES = tests/unit/test_rewritten.c
tests_unit_test_rewritten_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_ipaddr
tests_unit_test_ipaddr_SOURCES = tests/unit/test_ipaddr.c
tests_unit_test_ipaddr_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_domain
tests_unit_test_domain_SOURCES = tests/unit/test_domain.c
tests_unit_test_domain_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_log_ring
tests_unit_test_log_ring_SOURCES = tests/unit/test_log_ring.c
tests_unit_test_log_ring_LDADD = $(unit_libs)
