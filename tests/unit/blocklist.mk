check_PROGRAMS += tests/unit/test_entry
tests_unit_test_entry_SOURCES = tests/unit/test_entry.c
tests_unit_test_entry_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_bloom
tests_unit_test_bloom_SOURCES = tests/unit/test_bloom.c
tests_unit_test_bloom_LDADD = $(unit_libs)

# The tests of the store share a helper and look into the file themselves.
blocklist_helper = tests/unit/blocklist_helper.c tests/unit/blocklist_helper.h

check_PROGRAMS += tests/unit/test_store
tests_unit_test_store_SOURCES = tests/unit/test_store.c $(blocklist_helper)
tests_unit_test_store_LDADD = $(unit_libs)

format_helper = tests/unit/format_helper.c tests/unit/format_helper.h

check_PROGRAMS += tests/unit/test_format
tests_unit_test_format_SOURCES = tests/unit/test_format.c $(format_helper)
tests_unit_test_format_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_format_write
tests_unit_test_format_write_SOURCES = tests/unit/test_format_write.c $(format_helper)
tests_unit_test_format_write_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_import
tests_unit_test_import_SOURCES = tests/unit/test_import.c $(blocklist_helper)
tests_unit_test_import_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_import_move
tests_unit_test_import_move_SOURCES = tests/unit/test_import_move.c $(blocklist_helper)
tests_unit_test_import_move_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_browse
tests_unit_test_browse_SOURCES = tests/unit/test_browse.c $(blocklist_helper)
tests_unit_test_browse_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_damage
tests_unit_test_damage_SOURCES = tests/unit/test_damage.c $(blocklist_helper)
tests_unit_test_damage_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_foreign
tests_unit_test_foreign_SOURCES = tests/unit/test_foreign.c $(blocklist_helper)
tests_unit_test_foreign_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_walltime
tests_unit_test_walltime_SOURCES = tests/unit/test_walltime.c
tests_unit_test_walltime_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_model
tests_unit_test_model_SOURCES = tests/unit/test_model.c $(blocklist_helper)
tests_unit_test_model_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_durability
tests_unit_test_durability_SOURCES = tests/unit/test_durability.c $(blocklist_helper) \
	tests/unit/power_layer.c tests/unit/power_layer.h
tests_unit_test_durability_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_threads
tests_unit_test_threads_SOURCES = tests/unit/test_threads.c $(blocklist_helper)
tests_unit_test_threads_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_jumps
tests_unit_test_jumps_SOURCES = tests/unit/test_jumps.c $(blocklist_helper)
tests_unit_test_jumps_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_versions
tests_unit_test_versions_SOURCES = tests/unit/test_versions.c $(blocklist_helper)
tests_unit_test_versions_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_shared
tests_unit_test_shared_SOURCES = tests/unit/test_shared.c $(blocklist_helper)
tests_unit_test_shared_LDADD = $(unit_libs)

check_PROGRAMS += tests/unit/test_farm_model
tests_unit_test_farm_model_SOURCES = tests/unit/test_farm_model.c \
	tests/unit/farm_engine.c tests/unit/farm_engine.h $(blocklist_helper)
tests_unit_test_farm_model_LDADD = $(unit_libs)

if FARM
check_PROGRAMS += tests/unit/test_farm_database
tests_unit_test_farm_database_SOURCES = tests/unit/test_farm_database.c
tests_unit_test_farm_database_LDADD = $(unit_libs)
tests_unit_test_farm_database_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime -Wl,--wrap=connection_query
endif
