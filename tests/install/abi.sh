#!/bin/bash
# SPDX-License-Identifier: MIT
# What programs were compiled against still holds: the library's functions and the public structures
# are those of the kept dump. Functions may be added; nothing may change or go. A change that is meant
# (CONTRIBUTING.md, "ABI") renews the dump: tests/install/abi.sh --renew, in the build tree.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
library=$build/lib/.libs/libbstream.so.0
golden=$here/../golden/libbstream.abi
skip() {
	echo "skipped: $1"
	exit 77
}
command -v abidiff >/dev/null || skip "abidiff is not installed (abigail-tools)"
[ -e "$library" ] || skip "the shared library is not built"
[ "$(uname -m)" = x86_64 ] || skip "the dump is that of x86-64"
readelf -S "$(readlink -f "$library")" | grep '\.debug_info' >/dev/null || skip "built without -g"

work=$(mktemp -d "${TMPDIR:-/tmp}/bstream-abi.XXXXXX")
trap 'rm -rf "$work"' EXIT
now=$work/now.abi
# Only what the public header shows, and nothing of this machine's paths.
mkdir "$work/headers"
cp "$here/../../lib/bstream.h" "$work/headers"
abidw --headers-dir "$work/headers" --exported-interfaces-only --drop-private-types \
	--no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --out-file "$now" "$library"
if [ "${1:-}" = --renew ]; then
	sed -E -e "1a <!-- SPDX-License-Identifier: MIT -->" -e "s| path='[^']*/([a-z]+/[a-z]+\.c)'| path='\1'|" \
		"$now" >"$golden"
	exit
fi
status=0
abidiff --no-added-syms "$golden" "$now" || status=$?
[ $((status & 3)) -eq 0 ] || echo "abidiff failed: $status"
abidiff "$golden" "$now" 2>/dev/null | grep -E "Added (function|variable)" || true
[ $status -eq 0 ]
