librblmilter_a_SOURCES += \
	src/known/zones.c src/known/zones.h \
	src/known/public_resolvers.c src/known/public_resolvers.h
