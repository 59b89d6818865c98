# libFuzzer targets: ./configure --enable-fuzzing CC=clang, then make fuzzers.
fuzzers =
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += $(fuzzers)
fuzzers: $(fuzzers)
.PHONY: fuzzers
EXTRA_DIST += tests/fuzz/seeds

fuzzers += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_SOURCES = tests/fuzz/fuzz_conf.c
tests_fuzz_fuzz_conf_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_conf_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_codes
tests_fuzz_fuzz_codes_SOURCES = tests/fuzz/fuzz_codes.c
tests_fuzz_fuzz_codes_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_codes_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_template
tests_fuzz_fuzz_template_SOURCES = tests/fuzz/fuzz_template.c
tests_fuzz_fuzz_template_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_template_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_reply
tests_fuzz_fuzz_reply_SOURCES = tests/fuzz/fuzz_reply.c
tests_fuzz_fuzz_reply_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_reply_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_control
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c
tests_fuzz_fuzz_control_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_control_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_entry
tests_fuzz_fuzz_entry_SOURCES = tests/fuzz/fuzz_entry.c
tests_fuzz_fuzz_entry_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_entry_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_import
tests_fuzz_fuzz_import_SOURCES = tests/fuzz/fuzz_import.c
tests_fuzz_fuzz_import_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_import_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_milter
tests_fuzz_fuzz_milter_SOURCES = tests/fuzz/fuzz_milter.c
tests_fuzz_fuzz_milter_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_milter_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_record
tests_fuzz_fuzz_record_SOURCES = tests/fuzz/fuzz_record.c
tests_fuzz_fuzz_record_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_record_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_header_address
tests_fuzz_fuzz_header_address_SOURCES = tests/fuzz/fuzz_header_address.c
tests_fuzz_fuzz_header_address_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_header_address_LDFLAGS = $(fuzz_ldflags)

fuzzers += tests/fuzz/fuzz_counters
tests_fuzz_fuzz_counters_SOURCES = tests/fuzz/fuzz_counters.c
tests_fuzz_fuzz_counters_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_counters_LDFLAGS = $(fuzz_ldflags)

if FARM
fuzzers += tests/fuzz/fuzz_farm
tests_fuzz_fuzz_farm_SOURCES = tests/fuzz/fuzz_farm.c \
	tests/fuzz/fuzz_farm_server.c tests/fuzz/fuzz_farm_server.h
tests_fuzz_fuzz_farm_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_farm_LDFLAGS = $(fuzz_ldflags) \
	-Wl,--wrap=connection_query -Wl,--wrap=connection_do \
	-Wl,--wrap=connection_query_kept -Wl,--wrap=connection_send -Wl,--wrap=connection_receive
endif

fuzzers += tests/fuzz/fuzz_others
tests_fuzz_fuzz_others_SOURCES = tests/fuzz/fuzz_others.c
tests_fuzz_fuzz_others_LDADD = $(rblmilter_libs)
tests_fuzz_fuzz_others_LDFLAGS = $(fuzz_ldflags)
