check_PROGRAMS += tests/unit/test_journal_id
tests_unit_test_journal_id_SOURCES = tests/unit/test_journal_id.c
tests_unit_test_journal_id_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_record
tests_unit_test_record_SOURCES = tests/unit/test_record.c
tests_unit_test_record_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_journal
tests_unit_test_journal_SOURCES = tests/unit/test_journal.c \
	tests/unit/journal_helper.c tests/unit/journal_helper.h
tests_unit_test_journal_LDADD = $(unit_libs)
