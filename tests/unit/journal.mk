check_PROGRAMS += tests/unit/test_journal_id
tests_unit_test_journal_id_SOURCES = tests/unit/test_journal_id.c
tests_unit_test_journal_id_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_record
tests_unit_test_record_SOURCES = tests/unit/test_record.c
tests_unit_test_record_LDADD = $(unit_libs)

# These share a journal in a directory of its own.
journal_helper = tests/unit/journal_helper.c tests/unit/journal_helper.h

check_PROGRAMS += tests/unit/test_journal
tests_unit_test_journal_SOURCES = tests/unit/test_journal.c $(journal_helper)
tests_unit_test_journal_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_open_days
tests_unit_test_open_days_SOURCES = tests/unit/test_open_days.c $(journal_helper)
tests_unit_test_open_days_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_journal_trouble
tests_unit_test_journal_trouble_SOURCES = tests/unit/test_journal_trouble.c $(journal_helper)
tests_unit_test_journal_trouble_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_floods
tests_unit_test_floods_SOURCES = tests/unit/test_floods.c $(journal_helper)
tests_unit_test_floods_LDADD = $(unit_libs)
