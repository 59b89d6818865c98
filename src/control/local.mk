librblmilter_a_SOURCES += \
	src/control/command.c src/control/command.h \
	src/control/connection.c src/control/connection.h \
	src/control/control.c src/control/control.h \
	src/control/listener.c src/control/listener.h \
	src/control/peer.c src/control/peer.h \
	src/control/protocol.c src/control/protocol.h \
	src/control/request.c src/control/request.h \
	src/control/server.c src/control/server.h \
	src/control/workers.c src/control/workers.h
