librblmilter_a_SOURCES += \
	src/journal/day.c src/journal/day.h src/journal/day_parts.h \
	src/journal/day_read.c \
	src/journal/floods.c \
	src/journal/id.c src/journal/id.h \
	src/journal/journal.c src/journal/journal.h \
	src/journal/journal_parts.h \
	src/journal/open_days.c \
	src/journal/reader.c \
	src/journal/record.c src/journal/record.h src/journal/record_parts.h \
	src/journal/record_read.c \
	src/journal/retention.c \
	src/journal/search.c src/journal/search.h \
	src/journal/tokens.c src/journal/tokens.h \
	src/journal/writer.c
