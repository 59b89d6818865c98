librblmilter_a_SOURCES += \
	src/rules/counters.c \
	src/rules/counters_file.c \
	src/rules/counters.h \
	src/rules/shard.c \
	src/rules/shard.h \
	src/rules/window.c \
	src/rules/window.h
