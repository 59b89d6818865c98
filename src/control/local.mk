librblmilter_a_SOURCES += \
	src/control/connection.c \
	src/control/control.c src/control/control.h src/control/control_parts.h \
	src/control/listener.c src/control/listener.h \
	src/control/protocol.c src/control/protocol.h \
	src/control/rights.c
