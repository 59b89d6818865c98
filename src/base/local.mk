librblmilter_a_SOURCES += \
	src/base/clock.h \
	src/base/domain.c src/base/domain.h \
	src/base/endpoint.c src/base/endpoint.h \
	src/base/idna.c src/base/idna.h \
	src/base/ipaddr.c src/base/ipaddr.h \
	src/base/log.c src/base/log.h \
	src/base/sql.c src/base/sql.h \
	src/base/reply_template.c src/base/reply_template.h \
	src/base/text.c src/base/text.h
