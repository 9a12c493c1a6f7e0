#!/bin/bash
# SPDX-License-Identifier: MIT
# mandoc has nothing to say against the man pages as built.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"
need_command mandoc

pages=$top_srcdir/man
[ ! -e "${top_builddir:-$top_srcdir}/man/bstream.7" ] || pages=${top_builddir:-$top_srcdir}/man
[ -e "$pages/bstream.7" ] || skip "the pages are not built"

cd "$pages"
for page in *.[1-8]; do
	grep -q '^\.so ' "$page" || mandoc -T lint -W warning "$page" || true
done 2>&1 | complain "mandoc -T lint says"

# A page that only points to another points to one that is there.
rows -H '^\.so ' ./*.[1-8] | sed -E 's|^\./([^:]+):\.so man[1-8]/(.*)|\1 \2|' | while read -r page target; do
	[ -e "$target" ] || echo "$page: no $target"
done | complain "links to pages that are not there"

# Each example is shown.
for example in "$top_srcdir"/examples/*.c; do
	grep -qx "@example ${example##*/}" "$top_srcdir/man/bstream-examples.7.scd" || echo "${example##*/}"
done | complain "examples that bstream-examples(7) does not show"
exit $found
