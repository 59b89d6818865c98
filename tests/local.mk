# A unit test is one cmocka program per module, with the module's name.
unit_libs = $(rblmilter_libs) $(CMOCKA_LIBS)
include tests/unit/base.mk
include tests/unit/config.mk
include tests/unit/dns.mk
include tests/unit/dnsbl.mk
include tests/unit/blocklist.mk
include tests/unit/presets.mk
include tests/unit/policy.mk
include tests/unit/control.mk
include tests/fuzz/local.mk
include tests/bench/local.mk
EXTRA_DIST += tests/nameserver.py
EXTRA_DIST += tests/integration tests/packages.sh

# A folder is packed as it stands, with what Python left in it.
dist-hook:
	find $(distdir)/tests -name __pycache__ -prune -exec rm -rf {} +
