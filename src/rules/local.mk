librblmilter_a_SOURCES += \
	src/rules/counters.c src/rules/counters.h \
	src/rules/counters_file.c \
	src/rules/decide.c \
	src/rules/findings.c src/rules/findings.h src/rules/findings_parts.h \
	src/rules/findings_shared.c \
	src/rules/guard_rails.c src/rules/guard_rails.h \
	src/rules/rule_set.c src/rules/rule_set.h \
	src/rules/rules.c src/rules/rules.h \
	src/rules/rules_parts.h \
	src/rules/shard.c src/rules/shard.h \
	src/rules/others.c src/rules/others.h src/rules/others_parts.h \
	src/rules/others_text.c \
	src/rules/own_domains.c src/rules/own_domains.h \
	src/rules/usage.c src/rules/usage.h \
	src/rules/window.c src/rules/window.h
