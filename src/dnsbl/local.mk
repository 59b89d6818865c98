librblmilter_a_SOURCES += \
	src/dnsbl/dnsbl.c src/dnsbl/dnsbl.h \
	src/dnsbl/health.c src/dnsbl/health.h \
	src/dnsbl/latency.c src/dnsbl/latency.h \
	src/dnsbl/listing.c src/dnsbl/listing.h \
	src/dnsbl/query_name.c src/dnsbl/query_name.h \
	src/dnsbl/record.c src/dnsbl/record.h \
	src/dnsbl/registry.c src/dnsbl/registry.h src/dnsbl/registry_parts.h \
	src/dnsbl/registry_tests.c \
	src/dnsbl/registry_state.c src/dnsbl/registry_state.h \
	src/dnsbl/surge.c src/dnsbl/surge.h
