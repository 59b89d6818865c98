librblmilter_a_SOURCES += \
	src/rules/counters.h \
	src/rules/rule_set.c src/rules/rule_set.h \
	src/rules/usage.c src/rules/usage.h
