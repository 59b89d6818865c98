librblmilter_a_SOURCES += \
	src/rules/counters.c \
	src/rules/counters.h \
	src/rules/counters_parts.h \
	src/rules/window.c \
	src/rules/window.h
