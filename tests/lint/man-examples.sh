#!/bin/bash
# SPDX-License-Identifier: MIT
# The C under EXAMPLES in the man pages compiles: each block between ``` is a file of its own.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"
need_build Makefile

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for page in man/*.[37].scd; do
	awk -v out="$work/$(basename "$page" .scd)" '
	/^# / { examples = ($2 == "EXAMPLES") }
	/^```/ { if (inside) { close(file); inside = 0 } else if (examples) { file = out "-" ++n ".c"; inside = 1 }; next }
	inside { print > file }' "$page"
done

shopt -s nullglob
blocks=("$work"/*.c)
echo "${#blocks[@]} examples"
for block in "${blocks[@]}"; do
	grep -q '#include' "$block" || continue # shell, not C
	# shellcheck disable=SC2046 # a compiler may be several words
	$(build_variable CC) -std=gnu11 -Ilib -Wall -Wextra -Werror -fsyntax-only "$block" 2>&1 |
		sed "s|$work/||" | complain "man/$(basename "${block%-*}").scd"
done
exit $found
