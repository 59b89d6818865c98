sbin_PROGRAMS += rblctl
rblctl_SOURCES = src/rblctl.c \
	src/ctl/arguments.c src/ctl/arguments.h \
	src/ctl/client.c src/ctl/client.h \
	src/ctl/command.c src/ctl/command.h \
	src/ctl/commands.h \
	src/ctl/ctl.c src/ctl/ctl.h \
	src/ctl/daemon.c \
	src/ctl/shown.c src/ctl/shown.h
rblctl_LDADD = librblmilter.a $(JANSSON_LIBS) $(SMARTCOLS_LIBS) $(IDN2_LIBS) $(PSL_LIBS)
