#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs every fuzz target over its corpus: what was once found, and what reaches every corner.
# TAP. To run one: tests/fuzz/wire FILE...
set -euo pipefail
top_srcdir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "${top_builddir:-.}"
shopt -s nullglob

targets=(reply segment text wire)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
n=0 status=0
echo "1..${#targets[@]}"
for target in "${targets[@]}"; do
	n=$((n + 1))
	files=("$top_srcdir/tests/fuzz/corpus/$target"/*)
	if [ ${#files[@]} -gt 0 ] && timeout -k 5 300 "tests/fuzz/$target" "${files[@]}" >"$log" 2>&1; then
		echo "ok $n - $target: ${#files[@]} inputs"
	else
		tail -n 40 "$log" | sed 's/^/# /'
		echo "not ok $n - $target"
		status=1
	fi
done
exit $status
