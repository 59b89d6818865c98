librblmilter_a_SOURCES += \
	src/formats/csv.c \
	src/formats/format.c src/formats/format.h src/formats/format_table.h \
	src/formats/json.c \
	src/formats/lookup_table.c src/formats/lookup_table.h \
	src/formats/plain.c \
	src/formats/postfix.c \
	src/formats/postfix_cidr.c src/formats/postfix_table.h \
	src/formats/rbldnsd.c \
	src/formats/sendmail.c
