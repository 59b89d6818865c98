dist_man_MANS += man/rblmilter.8 man/rblmilter.conf.5
