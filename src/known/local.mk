librblmilter_a_SOURCES += \
	src/known/providers.c src/known/providers.h \
	src/known/public_resolvers.c src/known/public_resolvers.h \
	src/known/zones.c src/known/zones.h
