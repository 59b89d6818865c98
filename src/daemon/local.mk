librblmilter_a_SOURCES += \
	src/daemon/commands.c src/daemon/commands.h \
	src/daemon/commands_check.c \
	src/daemon/commands_dnsbl.c \
	src/daemon/commands_entries.c \
	src/daemon/commands_farm.c \
	src/daemon/commands_import.c \
	src/daemon/commands_rules.c \
	src/daemon/commands_usage.c \
	src/daemon/commands_whatif.c \
	src/daemon/commands_whatif_rules.c \
	src/daemon/commands_why.c \
	src/daemon/daemon.c src/daemon/daemon.h \
	src/daemon/decisions.c src/daemon/decisions.h \
	src/daemon/doctor.c src/daemon/doctor_parts.h \
	src/daemon/doctor_lists.c \
	src/daemon/process.c src/daemon/process.h \
	src/daemon/trial.c \
	src/daemon/user_queries.c src/daemon/user_queries.h
