# libFuzzer targets: ./configure --enable-fuzzing CC=clang, then make fuzzers.
fuzzers =
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
EXTRA_PROGRAMS += $(fuzzers)
fuzzers: $(fuzzers)
.PHONY: fuzzers
