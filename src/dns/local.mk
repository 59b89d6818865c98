librblmilter_a_SOURCES += \
	src/dns/answer.c src/dns/answer.h \
	src/dns/attempt.c src/dns/query_parts.h \
	src/dns/cache.c src/dns/cache.h \
	src/dns/channel.c src/dns/channel.h \
	src/dns/query.c src/dns/query.h \
	src/dns/resolver.c src/dns/resolver.h \
	src/dns/upstream.c src/dns/upstream.h
