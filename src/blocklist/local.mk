librblmilter_a_SOURCES += \
	src/blocklist/admin.h \
	src/blocklist/blocklist.h \
	src/blocklist/entry.h \
	src/blocklist/format.h
