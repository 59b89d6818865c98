librblmilter_a_SOURCES += \
	src/policy/exempt.c src/policy/exempt.h \
	src/policy/facts.c src/policy/facts.h \
	src/policy/inquiry.c src/policy/inquiry.h src/policy/inquiry_parts.h \
	src/policy/inquiry_reason.c \
	src/policy/inquiry_settle.c \
	src/policy/inquiry_wait.c \
	src/policy/policy.c src/policy/policy.h \
	src/policy/question.c src/policy/question.h \
	src/policy/recent.c src/policy/recent.h \
	src/policy/record.c src/policy/record.h \
	src/policy/reply.c src/policy/reply.h \
	src/policy/session.c src/policy/session.h \
	src/policy/shed.c src/policy/shed.h \
	src/policy/verdict.c src/policy/verdict.h
