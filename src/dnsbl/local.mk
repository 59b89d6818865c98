librblmilter_a_SOURCES += \
	src/dnsbl/dnsbl.c src/dnsbl/dnsbl.h \
	src/dnsbl/listing.c src/dnsbl/listing.h \
	src/dnsbl/query_name.c src/dnsbl/query_name.h
