#!/bin/bash
# SPDX-License-Identifier: MIT
# The tree is formatted by clang-format 14 with .clang-format. Mend with
#   clang-format-14 -i FILE
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

format=
for name in clang-format-14 clang-format; do
	if [[ $(command -v $name >/dev/null && $name --version) == *" version 14."* ]]; then
		format=$name
		break
	fi
done
[ -n "$format" ] || skip "clang-format 14 is not installed; other versions disagree with it"

tree_files '*.[ch]' '*.cc' | while read -r file; do
	"$format" --style=file "$file" | cmp -s - "$file" ||
		echo "$file: $("$format" --style=file "$file" | diff - "$file" | rows -c '^>') lines differ"
done | complain "clang-format -i would change"
exit $found
