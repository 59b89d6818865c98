# Installed as they are here, so that README.md's links hold.
docsdir = $(docdir)/docs
dist_doc_DATA = README.md
dist_docs_DATA = \
	docs/control-protocol.md \
	docs/design.md \
	docs/farm.md \
	docs/health.md \
	docs/import.md \
	docs/lists.md \
	docs/operate.md \
	docs/privacy.md \
	docs/rules.md \
	docs/performance.md \
	docs/performance-entries.svg \
	docs/performance-lists.svg \
	docs/performance-sessions.svg \
	docs/postfix.md \
	docs/security.md \
	docs/sendmail.md \
	docs/testing.md
