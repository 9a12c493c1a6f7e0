#!/bin/bash
# SPDX-License-Identifier: MIT
# Words that may not stand in the code, and why.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

mapfile -t all < <(tree_files '*' | rows -vE '^(LICENSE|tests/lint/words\.sh)$')
mapfile -t product < <(tree_files 'lib/*.[ch]' 'proto/*.[ch]' 'daemon/*.[ch]' 'cli/*.[ch]')
mapfile -t unordered < <(printf '%s\n' "${product[@]}" | rows -vE '^(proto/atomic\.h|cli/.*)$')
mapfile -t examples < <(tree_files 'examples/*.[ch]')
mapfile -t tests_c < <(tree_files 'tests/*.[ch]')
mapfile -t tests_sh < <(tree_files 'tests/*.sh' 'tests/*.bats' 'tests/*.bash' | rows -v '^tests/lint/')

# no WHY PATTERN FILE... - complains of each line that matches
no() {
	local why=$1 pattern=$2
	shift 2
	[ $# -eq 0 ] || rows -nIE -e "$pattern" /dev/null "$@" | complain "$why"
}

no "what is to be done stands in an issue, not in the code" \
	'\b(TODO|FIXME|XXX|HACK)\b' "${all[@]}"
no "volatile orders nothing: use the named operations of proto/atomic.h" \
	'(^|[^_[:alnum:]])volatile($|[^_[:alnum:]])' "${product[@]}" "${examples[@]}"
no "no stack of unknown size" \
	'\balloca\b' "${product[@]}"
no "no lock lives in shared memory: its list pointers are the peer's to write" \
	'pthread_mutexattr_setrobust|PTHREAD_MUTEX_ROBUST' "${product[@]}"
no "memory orders are named operations, and stand in proto/atomic.h" \
	'\bmemory_order_|\b__(atomic|sync)_' \
	"${unordered[@]}"
# A test waits for what it waits for. Where time itself is tested, the line says "sleep: why".
{
	rows -nIE -e '\b(u|nano|clock_nano)?sleep[[:space:]]*\(' /dev/null "${tests_c[@]}"
	rows -nIE -e '(^|[;&|({[:space:]])sleep[[:space:]]+[0-9.$"]' /dev/null "${tests_sh[@]}"
} | rows -v 'sleep: ' |
	complain "no sleeps in tests: wait for the thing itself (or say 'sleep: why' on the line)"
exit $found
