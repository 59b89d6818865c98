librblmilter_a_SOURCES += \
	src/rules/counters.h
