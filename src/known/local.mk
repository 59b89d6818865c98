librblmilter_a_SOURCES += \
	src/known/contained_zones.c src/known/contained_zones.h \
	src/known/dead_zones.c src/known/dead_zones.h \
	src/known/public_resolvers.c src/known/public_resolvers.h \
	src/known/risky_zones.c src/known/risky_zones.h
