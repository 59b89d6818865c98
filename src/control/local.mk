librblmilter_a_SOURCES += \
	src/control/admin_answer.c src/control/admin_answer.h \
	src/control/command.c src/control/command.h \
	src/control/commands.h \
	src/control/commands_change.c \
	src/control/commands_check.c \
	src/control/commands_daemon.c \
	src/control/commands_import.c \
	src/control/commands_look.c \
	src/control/connection.c src/control/connection.h \
	src/control/control.c src/control/control.h \
	src/control/import_session.h \
	src/control/listener.c src/control/listener.h \
	src/control/peer.c src/control/peer.h \
	src/control/protocol.c src/control/protocol.h \
	src/control/request.c src/control/request.h \
	src/control/server.c src/control/server.h \
	src/control/workers.c src/control/workers.h
