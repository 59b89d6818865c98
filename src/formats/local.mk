librblmilter_a_SOURCES += \
	src/formats/csv.c \
	src/formats/format.c src/formats/format.h src/formats/format_table.h \
	src/formats/json.c \
	src/formats/plain.c \
	src/formats/postfix.c \
	src/formats/rbldnsd.c \
	src/formats/rspamd.c
