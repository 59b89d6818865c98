librblmilter_a_SOURCES += \
	src/milter/callbacks.c \
	src/milter/milter.c src/milter/milter.h \
	src/milter/negotiate.c \
	src/milter/pool.c src/milter/pool.h \
	src/milter/response.c \
	src/milter/socket.c src/milter/socket.h \
	src/milter/state.h
