librblmilter_a_SOURCES += \
	src/known/milter_ports.c src/known/milter_ports.h \
	src/known/public_resolvers.c src/known/public_resolvers.h \
	src/known/zones.c src/known/zones.h
