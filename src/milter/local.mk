librblmilter_a_SOURCES += \
	src/milter/response.c \
	src/milter/callbacks.c \
	src/milter/endpoint.c src/milter/endpoint.h \
	src/milter/milter.c src/milter/milter.h \
	src/milter/negotiate.c \
	src/milter/pool_wakeup.c src/milter/pool_wakeup.h \
	src/milter/progress.c src/milter/progress.h \
	src/milter/silent.c src/milter/silent.h \
	src/milter/state.h
