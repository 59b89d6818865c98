librblmilter_a_SOURCES += \
	src/daemon/asked.c \
	src/daemon/asking.c src/daemon/asking.h \
	src/daemon/check.c src/daemon/check.h \
	src/daemon/daemon.c src/daemon/daemon.h \
	src/daemon/doctor.c src/daemon/doctor.h src/daemon/doctor_parts.h \
	src/daemon/doctor_files.c \
	src/daemon/doctor_lists.c \
	src/daemon/doctor_resolver.c \
	src/daemon/doctor_state.c \
	src/daemon/lists.c src/daemon/lists.h \
	src/daemon/process.c src/daemon/process.h \
	src/daemon/trial.c src/daemon/trial.h src/daemon/trial_parts.h \
	src/daemon/trial_report.c
