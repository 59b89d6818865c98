librblmilter_a_SOURCES += \
	src/blocklist/admin.h \
	src/blocklist/audit.c src/blocklist/audit.h \
	src/blocklist/backup.c src/blocklist/backup.h \
	src/blocklist/blocklist.c src/blocklist/blocklist.h \
	src/blocklist/bloom.c src/blocklist/bloom.h \
	src/blocklist/browse.c \
	src/blocklist/change.c \
	src/blocklist/entry.c src/blocklist/entry.h \
	src/blocklist/flusher.c \
	src/blocklist/import.c src/blocklist/import_parts.h \
	src/blocklist/import_move.c \
	src/blocklist/lookup.c \
	src/blocklist/maintenance.c \
	src/blocklist/schema.c src/blocklist/schema.h \
	src/blocklist/merge.c \
	src/blocklist/shared.c src/blocklist/shared.h \
	src/blocklist/shared_parts.h \
	src/blocklist/shared_read.c \
	src/blocklist/store.c src/blocklist/store.h \
	src/blocklist/transaction.c src/blocklist/transaction.h \
	src/blocklist/versions.c src/blocklist/versions.h
