librblmilter_a_SOURCES += \
	src/journal/day.c src/journal/day.h \
	src/journal/id.c src/journal/id.h \
	src/journal/journal.c src/journal/journal.h \
	src/journal/journal_parts.h \
	src/journal/record.c src/journal/record.h \
	src/journal/retention.c \
	src/journal/search.c src/journal/search.h \
	src/journal/writer.c
