#!/bin/sh
# SPDX-License-Identifier: MIT
# The bytes of a segment and of the socket are what the golden files say, and every name of the two
# headers is printed there. After a change that is meant (with a new version number):
#   tests/print_contracts layout >tests/golden/layout.txt
set -eu
here=$(dirname "$0")
print=${top_builddir:-.}/tests/print_contracts
status=0

[ "$(uname -m)" = x86_64 ] || [ "$(uname -m)" = aarch64 ] || {
	echo "skipped: the golden files are those of 64-bit little-endian machines"
	exit 77
}
[ -x "$print" ] || {
	echo "skipped: $print is not built"
	exit 77
}
for contract in layout wire; do
	"$print" $contract | diff -u "$here/$contract.txt" - || status=1
	# No constant or struct may be missing from what is printed (defaults are no contract).
	sed -nE -e 's/^#define (BS_[A-Z0-9_]+)[[:space:]].*/\1/p' -e 's/^	(BS_REQ_[A-Z_]+).*/\1/p' \
		-e 's/^struct (bs_[a-z_]+) \{.*/\1/p' "$here/../../proto/$contract.h" |
		grep -vE '_DEFAULT$' | while read -r name; do
		grep -qE "^$name " "$here/$contract.txt" || echo "$name is not in $contract.txt"
	done | { ! grep .; } || status=1
done
exit $status
