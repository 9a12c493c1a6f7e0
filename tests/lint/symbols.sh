#!/bin/bash
# SPDX-License-Identifier: MIT
# What libbstream.so exports = what lib/bstream.h declares = what its symbol map lists = what the
# section 3 pages name.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"
header=lib/bstream.h

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Every declaration begins with BSTREAM_API in the first column; its name is the word before '('.
sed -nE '/^BSTREAM_API /{:a; /;/!{N; ba}; s/^[^(]*[^[:alnum:]_]([[:alnum:]_]+)\(.*/\1/p}' $header |
	sort >"$work/header"
[ -s "$work/header" ] || { echo "$header declares nothing?"; exit 1; }

# same WHAT FILE - complains where a list differs from the header's
same() {
	comm -13 "$work/header" "$2" | complain "$1, but $header does not declare"
	comm -23 "$work/header" "$2" | complain "$header declares, but not so: $1"
}

# The NAME section of a page is "one, two - what they do".
for page in man/*.3.scd; do
	awk '/^# /{ name = ($2 == "NAME") } name && !/^#/' "$page" | sed 's/ - .*//' |
		tr -cs '[:alnum:]_' '\n' | rows '^bstream_'
done | sort >"$work/man"
same "a page in man/*.3.scd names it" "$work/man"
uniq -d "$work/man" | complain "named by two pages"

if [ -e lib/libbstream.map ]; then
	sed 's|/\*.*\*/||' lib/libbstream.map | rows -oE '\bbstream_[a-z0-9_]+[[:space:]]*;' |
		tr -d '; \t' | sort >"$work/map"
	same "lib/libbstream.map lists it" "$work/map"
else
	echo "lib/libbstream.map is not there" | complain "no symbol map"
fi

so=${top_builddir:-}/lib/.libs/libbstream.so
if [ -e "$so" ]; then
	# Version names are exported too, as absolute symbols: not functions.
	nm -D --defined-only "$so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		rows -vE '^(_init|_fini|__(start|stop|asan|ubsan|tsan|sanitizer|odr_asan).*)$' | sort -u >"$work/so"
	same "libbstream.so exports it" "$work/so"
else
	echo "note: libbstream.so is not built, so what it exports was not compared"
fi
exit $found
