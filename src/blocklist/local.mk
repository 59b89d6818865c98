librblmilter_a_SOURCES += \
	src/blocklist/admin.h \
	src/blocklist/blocklist.h \
	src/blocklist/entry.c src/blocklist/entry.h \
	src/blocklist/filter.c src/blocklist/filter.h \
	src/blocklist/format.h \
	src/blocklist/width.c \
	src/blocklist/stub.c
