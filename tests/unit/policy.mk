check_PROGRAMS += tests/unit/test_session
tests_unit_test_session_SOURCES = tests/unit/test_session.c tests/unit/nameserver.c \
	tests/unit/nameserver.h
tests_unit_test_session_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_recent
tests_unit_test_recent_SOURCES = tests/unit/test_recent.c
tests_unit_test_recent_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_pool
tests_unit_test_pool_SOURCES = tests/unit/test_pool.c
tests_unit_test_pool_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_envelope
tests_unit_test_envelope_SOURCES = tests/unit/test_envelope.c
tests_unit_test_envelope_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_reply
tests_unit_test_reply_SOURCES = tests/unit/test_reply.c $(config_helper)
tests_unit_test_reply_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_header_address
tests_unit_test_header_address_SOURCES = tests/unit/test_header_address.c
tests_unit_test_header_address_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_replay
tests_unit_test_replay_SOURCES = tests/unit/test_replay.c $(config_helper)
tests_unit_test_replay_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_replay_change
tests_unit_test_replay_change_SOURCES = tests/unit/test_replay_change.c $(config_helper)
tests_unit_test_replay_change_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_replay_rules
tests_unit_test_replay_rules_SOURCES = tests/unit/test_replay_rules.c $(config_helper)
tests_unit_test_replay_rules_LDADD = $(unit_libs)
