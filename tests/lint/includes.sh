#!/bin/bash
# SPDX-License-Identifier: MIT
# Folders look one way only:
#   proto/ -> libc    lib/ -> proto    daemon/ -> proto    cli/, examples/ -> bstream.h alone
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

# edges FOLDER - every include between our own files: "file:line: folder/header"
edges() {
	local file line header path
	tree_files "$1/*.[ch]" "$1/*.cc" "$1/*.cpp" | while read -r file; do
		rows -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' "$file" |
			sed -E 's/^([0-9]+):[^"<]*["<]([^">]+)[">].*/\1 \2/' |
			while read -r line header; do
				for path in "${file%/*}/$header" "$header" "lib/$header"; do
					[ -e "$path" ] || continue
					echo "$file:$line: $(realpath -m --relative-to=. "$path")"
					break
				done
			done
	done
}

# only FOLDER ALLOWED - complains of every edge out of FOLDER that does not match ALLOWED
only() {
	edges "$1" | rows -vE ": ($1/[^ ]*|$2|config\.h)$" | complain "$1/ may not look there"
}

only proto '-'
only lib 'proto/.*'
only daemon 'proto/.*'
only cli 'lib/bstream\.h'
only examples 'lib/bstream\.h'

# What is linked may not look elsewhere either.
# linked FOLDER PATTERN - the lines of its local.mk that match, comments aside
linked() {
	sed 's/#.*//' "$1/local.mk" | rows -nE "$2" | sed "s|^|$1/local.mk:|"
}

linked daemon 'lib/|libbstream' | complain "daemon/ does without the library"
linked cli 'proto/|libbsproto|daemon/' | complain "cli/ has bstream.h alone"
exit $found
