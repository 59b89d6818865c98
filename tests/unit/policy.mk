check_PROGRAMS += tests/unit/test_session
tests_unit_test_session_SOURCES = tests/unit/test_session.c tests/unit/nameserver.c \
	tests/unit/nameserver.h
tests_unit_test_session_LDADD = $(unit_libs)
