sbin_PROGRAMS += rblctl
rblctl_SOURCES = src/rblctl.c \
	src/ctl/arguments.c src/ctl/arguments.h \
	src/ctl/check.c \
	src/ctl/client.c src/ctl/client.h \
	src/ctl/commands.h \
	src/ctl/ctl.c src/ctl/ctl.h \
	src/ctl/decision.c src/ctl/decision.h \
	src/ctl/entries.c \
	src/ctl/export.c \
	src/ctl/farm.c \
	src/ctl/import.c \
	src/ctl/mta.c src/ctl/mta.h \
	src/ctl/rules.c \
	src/ctl/shown.c src/ctl/shown.h \
	src/ctl/status.c \
	src/ctl/table.c src/ctl/table.h \
	src/ctl/whatif.c \
	src/ctl/why.c
rblctl_LDADD = librblmilter.a $(LIBPQ_LIBS) $(CONFUSE_LIBS) $(JANSSON_LIBS) $(SMARTCOLS_LIBS) $(IDN2_LIBS) $(PSL_LIBS)
