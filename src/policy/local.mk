librblmilter_a_SOURCES += \
	src/policy/decision_record.c src/policy/decision_record.h \
	src/policy/envelope.c src/policy/envelope.h \
	src/policy/header_address.c src/policy/header_address.h \
	src/policy/lookups.c src/policy/lookups.h src/policy/lookups_parts.h \
	src/policy/policy.c src/policy/policy.h \
	src/policy/replay.c src/policy/replay.h \
	src/policy/replay_change.c src/policy/replay_change.h \
	src/policy/replay_lists.c src/policy/replay_parts.h \
	src/policy/replay_rules.c src/policy/replay_rules.h \
	src/policy/reply.c src/policy/reply.h \
	src/policy/session.c src/policy/session.h \
	src/policy/tally.c src/policy/tally.h \
	src/policy/verdict.c src/policy/verdict.h \
	src/policy/verdict_log.c src/policy/verdict_log.h
