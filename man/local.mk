dist_man_MANS += man/rblmilter.8 man/rblmilter.conf.5 man/rblctl.8
