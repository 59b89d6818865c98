librblmilter_a_SOURCES += \
	src/policy/exempt.c src/policy/exempt.h \
	src/policy/facts.c src/policy/facts.h \
	src/policy/lookups.c src/policy/lookups.h src/policy/lookups_parts.h \
	src/policy/policy.c src/policy/policy.h \
	src/policy/question.c src/policy/question.h \
	src/policy/recent.c src/policy/recent.h \
	src/policy/record.c src/policy/record.h \
	src/policy/reply.c src/policy/reply.h \
	src/policy/session.c src/policy/session.h \
	src/policy/tally.c \
	src/policy/verdict.c src/policy/verdict.h \
	src/policy/wait.c
