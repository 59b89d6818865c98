check_PROGRAMS += tests/unit/test_counters
tests_unit_test_counters_SOURCES = tests/unit/test_counters.c
tests_unit_test_counters_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_window
tests_unit_test_window_SOURCES = tests/unit/test_window.c
tests_unit_test_window_LDADD = $(unit_libs) -lm

check_PROGRAMS += tests/unit/test_counters_file
tests_unit_test_counters_file_SOURCES = tests/unit/test_counters_file.c
tests_unit_test_counters_file_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_rule_set
tests_unit_test_rule_set_SOURCES = tests/unit/test_rule_set.c
tests_unit_test_rule_set_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_others
tests_unit_test_others_SOURCES = tests/unit/test_others.c
tests_unit_test_others_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_habits
tests_unit_test_habits_SOURCES = tests/unit/test_habits.c
tests_unit_test_habits_LDADD = $(unit_libs)
