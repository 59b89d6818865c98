librblmilter_a_SOURCES += \
	src/dnsbl/dnsbl.c src/dnsbl/dnsbl.h \
	src/dnsbl/list_state.c src/dnsbl/list_state.h \
	src/dnsbl/list_stats.c src/dnsbl/list_stats.h \
	src/dnsbl/result.c src/dnsbl/result.h \
	src/dnsbl/health_check.c src/dnsbl/health_check.h \
	src/dnsbl/prober.c src/dnsbl/prober.h \
	src/dnsbl/query_name.c src/dnsbl/query_name.h \
	src/dnsbl/witnesses.c src/dnsbl/witnesses.h
