# Installed beside each other, so that the links between them hold.
dist_doc_DATA = README.md \
	docs/lists.md \
	docs/postfix.md \
	docs/sendmail.md
