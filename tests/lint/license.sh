#!/bin/bash
# SPDX-License-Identifier: MIT
# Every file says its licence in its first three lines. Data that cannot hold a comment is exempt,
# by its ending.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

tree_files '*' | while read -r file; do
	case $file in
	LICENSE | *.gitignore | debian/changelog | debian/source/format | *.csv | *.json | *.bin | *.expected | *.png | *.svg) continue ;;
	esac
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: MIT' || echo "$file"
done | complain "no line with SPDX-License-Identifier: MIT near the top"
exit $found
