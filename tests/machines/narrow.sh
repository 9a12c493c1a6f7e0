#!/bin/bash
# SPDX-License-Identifier: MIT
# A build for 32 bits is refused by configure, which says why.
set -euo pipefail
configure=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/configure
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo 'int main(void) { return sizeof(void *) != 4; }' >narrow.c
if ! { gcc -m32 -o narrow narrow.c && ./narrow; } >/dev/null 2>&1; then
	echo "skipped: gcc -m32 makes nothing that runs here"
	exit 77
fi
if "$configure" CC='gcc -m32' --without-jansson >out 2>&1; then
	echo "configure accepts a build for 32 bits"
	exit 1
fi
tail -n 3 out
grep -q 'error: bstream needs a 64-bit machine' out
