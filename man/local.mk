dist_man_MANS += man/rblmilter.8
