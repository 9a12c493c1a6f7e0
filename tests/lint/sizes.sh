#!/bin/bash
# SPDX-License-Identifier: MIT
# No function over 80 lines, no .c file over 600. A table is not a function. Tests may have long
# files, but not long functions.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

mapfile -t files < <(tree_files '*.[ch]' '*.cc')
mapfile -t limited < <(tree_files '*.c' '*.cc' | rows -v '^tests/')
[ ${#files[@]} -gt 0 ] || skip "no C yet"

# Kernel style: a function's braces stand in the first column, and what comes before is not '='.
awk '
FNR == 1 { start = 0 }
/^\{/ && before !~ /=[[:space:]]*$/ { start = FNR; head = before }
/^\}/ && start {
	if (FNR - start - 1 > 80)
		printf "%s:%d: %d lines: %s\n", FILENAME, start, FNR - start - 1, head
	start = 0
}
{ before = $0 }' "${files[@]}" | complain "functions over 80 lines"

[ ${#limited[@]} -eq 0 ] ||
	awk '{ n[FILENAME] = FNR } END { for (f in n) if (n[f] > 600) print f ": " n[f] " lines" }' \
		"${limited[@]}" | sort | complain "files over 600 lines"
exit $found
