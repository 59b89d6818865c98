# Benchmarks: make bench-programs, then tests/bench/report.py (docs/performance.md).
bench_programs = tests/bench/noop tests/bench/load tests/bench/dnsd \
	tests/bench/smtpload tests/bench/blocklist_bench tests/bench/journal_bench \
	tests/bench/counters_bench
EXTRA_PROGRAMS += $(bench_programs)
bench-programs: $(bench_programs)
.PHONY: bench-programs

tests_bench_noop_SOURCES = tests/bench/noop.c
tests_bench_noop_LDADD = $(MILTER_LIBS)

bench_common = tests/bench/buf.c tests/bench/buf.h tests/bench/endpoint.c \
	tests/bench/endpoint.h tests/bench/range.c tests/bench/range.h \
	tests/bench/samples.c tests/bench/samples.h \
	tests/bench/tally.c tests/bench/tally.h tests/bench/tool.c tests/bench/tool.h
tests_bench_load_SOURCES = tests/bench/load.c tests/bench/mta.c tests/bench/mta.h \
	$(bench_common)
tests_bench_dnsd_SOURCES = tests/bench/dnsd.c tests/bench/zone.c tests/bench/zone.h \
	$(bench_common)
tests_bench_smtpload_SOURCES = tests/bench/smtpload.c $(bench_common)
tests_bench_blocklist_bench_SOURCES = tests/bench/blocklist_bench.c \
	tests/bench/tool.c tests/bench/tool.h
tests_bench_blocklist_bench_LDADD = $(rblmilter_libs)
tests_bench_journal_bench_SOURCES = tests/bench/journal_bench.c \
	tests/bench/tool.c tests/bench/tool.h
tests_bench_journal_bench_LDADD = $(rblmilter_libs)
tests_bench_counters_bench_SOURCES = tests/bench/counters_bench.c \
	tests/bench/tool.c tests/bench/tool.h
tests_bench_counters_bench_LDADD = $(rblmilter_libs)
EXTRA_DIST += tests/bench/benchlib.py tests/bench/blocklist.py tests/bench/burst.py \
	tests/bench/cached.py \
	tests/bench/clients.py tests/bench/delayed.py tests/bench/entries.py tests/bench/farm.py tests/bench/farm_away.py \
	tests/bench/growth.py tests/bench/journal.py tests/bench/soak.py \
	tests/bench/memory.py tests/bench/postfix.py tests/bench/postfixlib.py \
	tests/bench/report.py tests/bench/rspamdlib.py tests/bench/rules.py tests/bench/svgplot.py \
	tests/bench/uncached_rspamd.py tests/bench/why.py


# What the judgement of lists promises, on a simulated clock (docs/health.md).
check_PROGRAMS += tests/bench/health_sim
tests_bench_health_sim_SOURCES = tests/bench/health_sim.c tests/bench/health_host.c \
	tests/bench/health_host.h tests/bench/health_turns.c tests/bench/health_turns.h \
	tests/bench/health_world.c tests/bench/health_world.h
tests_bench_health_sim_LDADD = $(unit_libs) -lm
tests_bench_health_sim_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime,--wrap=time \
	-Wl,--wrap=pthread_cond_timedwait,--wrap=pthread_join,--wrap=resolver_query \
	-Wl,--wrap=resolver_upstream,--wrap=list_state_suspect

# What the rules that ship find, and what they find wrongly (docs/rules.md).
check_PROGRAMS += tests/bench/rules_sim
tests_bench_rules_sim_SOURCES = tests/bench/rules_sim.c tests/bench/rules_people.c \
	tests/bench/rules_people.h tests/bench/rules_world.c tests/bench/rules_world.h
tests_bench_rules_sim_LDADD = $(unit_libs) -lm
