check_PROGRAMS += tests/unit/test_query_name tests/unit/test_listing
tests_unit_test_query_name_SOURCES = tests/unit/test_query_name.c
tests_unit_test_query_name_LDADD = $(unit_libs)
tests_unit_test_listing_SOURCES = tests/unit/test_listing.c
tests_unit_test_listing_LDADD = $(unit_libs)
