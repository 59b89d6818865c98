# A unit test is one cmocka program per module, with the module's name.
unit_libs = $(rblmilter_libs) $(CMOCKA_LIBS)
include tests/unit/base.mk
include tests/unit/config.mk
include tests/unit/dns.mk
include tests/unit/dnsbl.mk
include tests/unit/blocklist.mk
include tests/unit/presets.mk
include tests/unit/journal.mk
include tests/unit/rules.mk
include tests/unit/policy.mk
include tests/unit/control.mk
include tests/fuzz/local.mk

# For tests/integration/test_rules.py.
noinst_PROGRAMS += tests/integration/rules_aged
tests_integration_rules_aged_SOURCES = tests/integration/rules_aged.c
tests_integration_rules_aged_LDADD = $(rblmilter_libs)
include tests/bench/local.mk

# What the tests reach, line by line, as coverage/index.html: in a tree configured with
# --enable-coverage, with lcov and pytest at hand.
coverage: all
	find . -name '*.gcda' -exec rm -f {} +
	$(MAKE) check
	BUILD_DIR=$(abs_builddir) /usr/bin/python3 -m pytest -q -p no:cacheprovider \
		$(srcdir)/tests/integration
	lcov -q --capture --directory . --output-file coverage.info
	lcov -q --extract coverage.info '*/src/*' --output-file coverage.info
	genhtml -q --output-directory coverage coverage.info
	lcov --summary coverage.info
.PHONY: coverage
CLEANFILES += coverage.info

EXTRA_DIST += tests/nameserver.py
EXTRA_DIST += tests/integration tests/guards tests/chaos tests/farm-chaos tests/chaos_lib tests/kill9 tests/kill9_lib \
	tests/packages.sh tests/cares-1.34

# A folder is packed as it stands, with what Python left in it.
dist-hook:
	find $(distdir)/tests -name __pycache__ -prune -exec rm -rf {} +
