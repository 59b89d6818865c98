# What belongs in /etc and what systemd needs. The administrator's changes to files below
# $(confdir) are never overwritten: a file that is there stays, and uninstall removes
# only those that are as they were shipped.
confdir = $(sysconfdir)/rblmilter
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d

EXTRA_DIST += etc/farm.sql

conf_files = etc/rblmilter.conf $(presets) $(rule_files)
presets = \
	etc/lists.d/abusix-combined.conf \
	etc/lists.d/abusix-dblack.conf \
	etc/lists.d/abusix-nod.conf \
	etc/lists.d/abusix-white.conf \
	etc/lists.d/backscatterer.conf \
	etc/lists.d/barracuda.conf \
	etc/lists.d/blocklist-de.conf \
	etc/lists.d/dnswl.conf \
	etc/lists.d/dronebl.conf \
	etc/lists.d/gbudb-truncate.conf \
	etc/lists.d/mailspike-allow.conf \
	etc/lists.d/mailspike.conf \
	etc/lists.d/msbl-ebl.conf \
	etc/lists.d/nordspam.conf \
	etc/lists.d/psbl.conf \
	etc/lists.d/s5h.conf \
	etc/lists.d/senderscore.conf \
	etc/lists.d/spamcop.conf \
	etc/lists.d/spameatingmonkey-backscatter.conf \
	etc/lists.d/spameatingmonkey-uri.conf \
	etc/lists.d/spameatingmonkey.conf \
	etc/lists.d/spamhaus-authbl.conf \
	etc/lists.d/spamhaus-dbl-dqs.conf \
	etc/lists.d/spamhaus-dbl.conf \
	etc/lists.d/spamhaus-zen-dqs.conf \
	etc/lists.d/spamhaus-zen.conf \
	etc/lists.d/spamhaus-zrd.conf \
	etc/lists.d/spamrats.conf \
	etc/lists.d/surbl.conf \
	etc/lists.d/uceprotect-1.conf \
	etc/lists.d/uribl.conf \
	etc/lists.d/virusfree.conf

rule_files = \
	etc/rules.d/bulk.conf \
	etc/rules.d/complained.conf \
	etc/rules.d/dirty-list.conf \
	etc/rules.d/hijacked.conf \
	etc/rules.d/prober.conf \
	etc/rules.d/repeat.conf \
	etc/rules.d/strangers.conf \
	etc/rules.d/trapped.conf \
	etc/rules.d/young.conf

dist_sysusers_DATA = etc/sysusers.d/rblmilter.conf
dist_tmpfiles_DATA = etc/tmpfiles.d/rblmilter.conf
if SYSTEMD_UNIT
nodist_systemdsystemunit_DATA = etc/systemd/rblmilter.service \
	etc/systemd/rblmilter-watch.service
endif

dist_pkglibexec_SCRIPTS = etc/rblmilter-mail-events

EXTRA_DIST += $(conf_files) etc/systemd/rblmilter.service.in etc/systemd/rblmilter-watch.service.in
CLEANFILES += etc/systemd/rblmilter.service etc/systemd/rblmilter-watch.service

# By make, not by configure, where the paths still hold ${prefix} unexpanded.
etc/systemd/rblmilter.service: etc/systemd/rblmilter.service.in Makefile
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)sed -e 's|@sbindir[@]|$(sbindir)|' -e 's|@sysconfdir[@]|$(sysconfdir)|' \
		$(srcdir)/etc/systemd/rblmilter.service.in >$@.tmp && mv $@.tmp $@

etc/systemd/rblmilter-watch.service: etc/systemd/rblmilter-watch.service.in Makefile
	@$(MKDIR_P) $(@D)
	$(AM_V_GEN)sed -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|' \
		$(srcdir)/etc/systemd/rblmilter-watch.service.in >$@.tmp && mv $@.tmp $@

# etc/lists.d/x.conf -> $(confdir)/lists.d/x.conf
install-data-local:
	@for f in $(conf_files); do \
		to="$(DESTDIR)$(confdir)/$${f#etc/}"; \
		if test -e "$$to"; then echo "kept $$to"; continue; fi; \
		$(MKDIR_P) "$${to%/*}" && $(INSTALL_DATA) "$(srcdir)/$$f" "$$to" || exit 1; \
	done

uninstall-local:
	@for f in $(conf_files); do \
		to="$(DESTDIR)$(confdir)/$${f#etc/}"; \
		if cmp -s "$(srcdir)/$$f" "$$to"; then rm -f "$$to"; fi; \
	done
	-@rmdir "$(DESTDIR)$(confdir)/lists.d" "$(DESTDIR)$(confdir)/rules.d" "$(DESTDIR)$(confdir)" 2>/dev/null

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = etc/completion/rblctl
