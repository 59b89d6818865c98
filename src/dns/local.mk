librblmilter_a_SOURCES +=
