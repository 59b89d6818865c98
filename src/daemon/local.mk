librblmilter_a_SOURCES += \
	src/daemon/asked.c \
	src/daemon/check.c src/daemon/check.h \
	src/daemon/daemon.c src/daemon/daemon.h \
	src/daemon/detach.c src/daemon/detach.h \
	src/daemon/lists.c src/daemon/lists.h \
	src/daemon/notify.c src/daemon/notify.h \
	src/daemon/user.c src/daemon/user.h
