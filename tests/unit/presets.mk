check_PROGRAMS += tests/unit/test_presets
tests_unit_test_presets_SOURCES = tests/unit/test_presets.c
tests_unit_test_presets_LDADD = $(unit_libs)
