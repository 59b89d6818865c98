librblmilter_a_SOURCES += \
	src/milter/answer.c \
	src/milter/callbacks.c \
	src/milter/endpoint.c src/milter/endpoint.h \
	src/milter/milter.c src/milter/milter.h \
	src/milter/negotiate.c \
	src/milter/nudge.c src/milter/nudge.h \
	src/milter/progress.c src/milter/progress.h \
	src/milter/state.h
