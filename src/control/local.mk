librblmilter_a_SOURCES += \
	src/control/command.c src/control/command.h \
	src/control/connection.c \
	src/control/control.c src/control/control.h src/control/control_parts.h \
	src/control/lines.c src/control/lines.h \
	src/control/listener.c src/control/listener.h \
	src/control/peer.c src/control/peer.h \
	src/control/protocol.c src/control/protocol.h \
	src/control/request.c src/control/request.h
