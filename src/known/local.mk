librblmilter_a_SOURCES += \
	src/known/providers.c src/known/providers.h \
	src/known/zones.c src/known/zones.h
