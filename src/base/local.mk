librblmilter_a_SOURCES += \
	src/base/clock.h \
	src/base/domain.c src/base/domain.h \
	src/base/idna.c src/base/idna.h \
	src/base/ipaddr.c src/base/ipaddr.h \
	src/base/jsonfile.c src/base/jsonfile.h \
	src/base/log.c src/base/log.h \
	src/base/log_ring.c src/base/log_ring.h \
	src/base/network_hint.c src/base/network_hint.h \
	src/base/rewritten.c src/base/rewritten.h \
	src/base/sql.c src/base/sql.h \
	src/base/span.c src/base/span.h \
	src/base/reply_template.c src/base/reply_template.h \
	src/base/text.c src/base/text.h
