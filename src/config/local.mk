librblmilter_a_SOURCES += \
	src/config/codes.h \
	src/config/config.h \
	src/config/dead_zones.c src/config/dead_zones.h
