librblmilter_a_SOURCES += src/farm/farm.h
if FARM
librblmilter_a_SOURCES += \
	src/farm/connection.c src/farm/connection.h \
	src/farm/counts.c \
	src/farm/database.c \
	src/farm/farm.c src/farm/parts.h \
	src/farm/init.c \
	src/farm/reconcile.c \
	src/farm/status.c \
	src/farm/sync.c

# The script is a part of rblctl, so that it need not be looked for.
nodist_librblmilter_a_SOURCES = farm_sql.h
BUILT_SOURCES += farm_sql.h
CLEANFILES += farm_sql.h
farm_sql.h: $(top_srcdir)/etc/farm.sql
	$(AM_V_GEN)sed -e '/^--/d' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $(top_srcdir)/etc/farm.sql >$@.tmp && mv $@.tmp $@
else
librblmilter_a_SOURCES += src/farm/none.c
endif
EXTRA_DIST += src/farm/none.c
if FARM
src/farm/init.$(OBJEXT): farm_sql.h
endif
