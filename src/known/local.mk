librblmilter_a_SOURCES += \
	src/known/well_known.c src/known/well_known.h \
	src/known/zones.c src/known/zones.h
