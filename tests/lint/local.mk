# SPDX-License-Identifier: MIT
# Each runs alone too: tests/lint/words.sh. What a lint is for stands at its head.
lints = \
	tests/lint/format.sh \
	tests/lint/header.sh \
	tests/lint/includes.sh \
	tests/lint/license.sh \
	tests/lint/man-contracts.sh \
	tests/lint/man-examples.sh \
	tests/lint/man.sh \
	tests/lint/names.sh \
	tests/lint/shell.sh \
	tests/lint/sizes.sh \
	tests/lint/symbols.sh \
	tests/lint/words.sh
dist_check_SCRIPTS += $(lints)
EXTRA_DIST += tests/lint/tree.sh .ci/run .ci/install .ci/packages .clang-format
# They look at the sources, which a sanitizer does not change.
if !SANITIZE
TESTS += $(lints)
endif

# A file called check cannot stand in EXTRA_DIST: there it is the target of that name, and making a
# tarball would run every test.
dist-hook:
	cp -p $(srcdir)/check $(distdir)/check
