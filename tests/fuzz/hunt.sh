#!/bin/bash
# SPDX-License-Identifier: MIT
# Lets libFuzzer hunt, in a build directory configured with CC=clang and
# --enable-sanitize=address,undefined,fuzzer-no-link.
# Usage: hunt.sh SECONDS [TARGET...]
# What it learns stays in fuzz-corpus/TARGET of the build directory, what it finds in fuzz-found/. A
# find goes into tests/fuzz/corpus/TARGET, named after what it found, with the mend. --merge in place
# of SECONDS copies from fuzz-corpus to tests/fuzz/corpus the few that reach all that is reached.
set -euo pipefail
top_srcdir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "${top_builddir:-.}"
seconds=${1:?SECONDS [TARGET...]}
shift
[ $# -gt 0 ] || set -- reply segment text wire
export UBSAN_OPTIONS=print_stacktrace=1
for target; do
	kept=$top_srcdir/tests/fuzz/corpus/$target
	mkdir -p "fuzz-corpus/$target" fuzz-found
	if [ "$seconds" = --merge ]; then
		mkdir -p fuzz-merged
		"tests/fuzz/$target" -merge=1 -set_cover_merge=1 -use_counters=0 -max_len=256 \
			-close_fd_mask=2 fuzz-merged "$kept" "fuzz-corpus/$target"
		for file in fuzz-merged/*; do
			cmp -s "$file" "$kept/$(basename "$file")" || mv "$file" "$kept/$(basename "$file" | cut -c-12).bin"
		done
		rm -rf fuzz-merged
		continue
	fi
	"tests/fuzz/$target" -max_total_time="$seconds" -timeout=20 -max_len=2048 -close_fd_mask=2 \
		-print_final_stats=1 -artifact_prefix="fuzz-found/$target-" "fuzz-corpus/$target" "$kept"
done
# libFuzzer leaves without a word to the target, whose directory of segments stays behind.
for dir in /dev/shm/fuzz-*; do
	[ ! -d "$dir" ] || [ -e "/proc/${dir##*-}" ] || rm -rf "$dir"
done
