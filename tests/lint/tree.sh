# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the lints share: where the tree is, which files are ours, and how a lint speaks.
# Sourced, never run. A lint exits 0 (clean), 1 (found something, printed file:line) or 77 (skipped).
#
# The source tree is found from the lint's own path. The build tree is $top_builddir, or the
# working directory if it looks like one, or else there is none and what needs it skips.
set -euo pipefail
shopt -s lastpipe # so that "... | complain" can note what it found
export LC_ALL=C

top_srcdir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ -n "${top_builddir:-}" ]; then
	top_builddir=$(cd "$top_builddir" && pwd)
elif [ -e config.status ]; then
	top_builddir=$PWD
fi
cd "$top_srcdir"

# tree_files PATTERN... - our own files that match a shell pattern, one a line ("*" crosses "/"). In
# a checkout they are what git tracks or would; without git they are told by their endings.
tree_files() {
	local file pattern
	if [ -e .git ] && command -v git >/dev/null; then
		git -c safe.directory='*' ls-files --cached --others --exclude-standard
	else
		find . -type f -not -path './build*' -printf '%P\n' | rows -xE \
			'(.*/)?([^/]*\.(c|h|cc|in|py|sh|bash|bats|pml|scd|md|mk|am|ac)|quickstart|check|NEWS|run|install|packages)' |
			grep -vxE '(.*/)?(config\.h(\.in)?|Makefile\.in)'
	fi | sort | while read -r file; do
		[ -f "$file" ] || continue
		for pattern; do
			# shellcheck disable=SC2053 # it is a pattern
			if [[ $file == $pattern ]]; then
				echo "$file"
				break
			fi
		done
	done
}

skip() {
	echo "skipped: $1"
	exit 77
}

# need_command NAME - skips unless it is there
need_command() {
	command -v "$1" >/dev/null || skip "$1 is not installed"
}

# need_build [FILE...] - skips unless there is a build tree with these files
need_build() {
	[ -n "${top_builddir:-}" ] || skip "no build tree: run it there, or set top_builddir"
	local file
	for file; do
		[ -e "$top_builddir/$file" ] || skip "$file is not built"
	done
}

# build_variable NAME - as the build's Makefile has it
build_variable() {
	sed -n "s/^$1 = //p" "$top_builddir/Makefile"
}

# rows ARGUMENTS - grep, for which finding nothing is no failure
rows() {
	grep "$@" || [ $? -eq 1 ]
}

# complain WHAT - reads findings; if there are any, prints them under @WHAT and notes the failure
found=0 # the lint's exit status
complain() {
	local findings
	findings=$(cat)
	[ -n "$findings" ] || return 0
	printf '%s:\n%s\n' "$1" "$findings"
	# shellcheck disable=SC2034 # read by the lint
	found=1
}

# Nothing found is nothing looked at, and no success.
[ -n "$(tree_files Makefile.am)" ] || { echo "the tree's files cannot be listed"; exit 1; }
