#!/bin/bash
# SPDX-License-Identifier: MIT
# Every shell script passes shellcheck. An exception stands in the script, with its reason.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"
need_command shellcheck

mapfile -t scripts < <(tree_files '*' | while read -r file; do
	case $file in
	*.sh | *.bash | *.bats) echo "$file" ;;
	*) head -n 1 "$file" | grep -aqE '^#!.*\b(ba)?sh$' && echo "$file" ;;
	esac || true
done)
{ shellcheck -x -P SCRIPTDIR -f gcc "${scripts[@]}" || true; } | complain "shellcheck says"
exit $found
