sbin_PROGRAMS += rblctl
rblctl_SOURCES = src/rblctl.c \
	src/ctl/arguments.c src/ctl/arguments.h \
	src/ctl/change.c \
	src/ctl/check.c \
	src/ctl/client.c src/ctl/client.h \
	src/ctl/columns.c src/ctl/columns.h \
	src/ctl/command.c src/ctl/command.h \
	src/ctl/commands.h \
	src/ctl/ctl.c src/ctl/ctl.h \
	src/ctl/daemon.c \
	src/ctl/dnsbl.c \
	src/ctl/doctor.c \
	src/ctl/export.c \
	src/ctl/finding.c src/ctl/finding.h \
	src/ctl/import.c \
	src/ctl/list.c \
	src/ctl/log.c \
	src/ctl/pages.c src/ctl/pages.h \
	src/ctl/postfix.c src/ctl/postfix.h \
	src/ctl/progress.c src/ctl/progress.h \
	src/ctl/sendmail.c src/ctl/sendmail.h \
	src/ctl/show.c \
	src/ctl/shown.c src/ctl/shown.h \
	src/ctl/table.c src/ctl/table.h
rblctl_LDADD = librblmilter.a $(JANSSON_LIBS) $(SMARTCOLS_LIBS) $(IDN2_LIBS) $(PSL_LIBS)
