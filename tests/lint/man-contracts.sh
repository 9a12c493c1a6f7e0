#!/bin/bash
# SPDX-License-Identifier: MIT
# bstream-layout(7) and bstream-wire(7) have every field of the golden files with its offset and
# size, every request with its number, and the versions.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

for contract in layout wire; do
	page=man/bstream-$contract.7.scd
	# Structures that only nest others are shown as the picture of the segment.
	awk '/^bs_/ { in_struct = ($1 != "bs_segment") } /^    / && in_struct { print $2, $3, $1 }' \
		tests/golden/$contract.txt | while read -r offset bytes field; do
		grep -qE "^ *$offset +${bytes//./\\.} +$field( |$)" $page ||
			echo "$page: no row '$offset $bytes $field'"
	done
	version=$(awk -v name="BS_${contract^^}_VERSION" '$1 == name { print $2 }' tests/golden/$contract.txt)
	grep -q "$contract version $((version))\\b" $page || echo "$page: not about version $((version))"
done | complain "the pages about bytes do not say what the golden files do"

awk '/^BS_REQ_/ && $1 != "BS_REQ_COUNT" { print $1, $2 }' tests/golden/wire.txt |
	while read -r name number; do
		grep -qE "^ *$((number)) +${name#BS_REQ_} " man/bstream-wire.7.scd ||
			echo "man/bstream-wire.7.scd: no row '$((number)) ${name#BS_REQ_}'"
	done | complain "requests that bstream-wire(7) has not"
exit $found
