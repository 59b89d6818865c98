librblmilter_a_SOURCES += \
	src/config/build.h \
	src/config/check.c \
	src/config/codes.c src/config/codes.h \
	src/config/config.c src/config/config.h \
	src/config/file.c src/config/file.h \
	src/config/list.c \
	src/config/options.c src/config/options.h \
	src/config/rule.c \
	src/config/parse.c src/config/parse.h \
	src/config/value_read.c \
	src/config/value_write.c src/config/values.h
