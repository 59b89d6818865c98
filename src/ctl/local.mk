sbin_PROGRAMS += rblctl
rblctl_SOURCES = src/rblctl.c \
	src/ctl/check.c \
	src/ctl/commands.h \
	src/ctl/ctl.c src/ctl/ctl.h \
	src/ctl/doctor.c \
	src/ctl/entries.c \
	src/ctl/export.c \
	src/ctl/farm.c \
	src/ctl/import.c \
	src/ctl/output.c src/ctl/output.h \
	src/ctl/rules.c \
	src/ctl/status.c \
	src/ctl/whatif.c \
	src/ctl/why.c
rblctl_LDADD = librblmilter.a $(LIBPQ_LIBS) $(CONFUSE_LIBS) $(JANSSON_LIBS) $(SMARTCOLS_LIBS) $(IDN2_LIBS) $(PSL_LIBS)
