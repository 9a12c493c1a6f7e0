#!/bin/bash
# SPDX-License-Identifier: MIT
# Another processor: what was built for aarch64 in the working directory, run by qemu-user. The fuzz
# corpora go through; the tool and the broker, each an emulated process, move bytes and lines of several
# writers, and tell a writer that was killed from one that closed.
#
# What it shows: that nothing depends on this processor's instructions, sizes, alignment or byte-wise
# luck, and that the kernel interfaces we use are there. What it cannot: on an x86 host qemu runs the
# emulated loads and stores in the order of the host's, which is stronger than aarch64's, so an order that
# is missing in the code would not show. For that stands doc/memory-model.md, ThreadSanitizer, and a run of
# ./check on such a machine. TAP.
set -euo pipefail
top_srcdir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d /tmp/bstream-test.XXXXXX)
emulate=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
tool=("${emulate[@]}" "$PWD/cli/bstreamctl")
export XDG_RUNTIME_DIR=$work TMPDIR=$work BSTREAM_DAEMON=$work/bstreamd
unset BSTREAM_SOCKET
printf '#!/bin/sh\nexec %s %q "$@"\n' "${emulate[*]}" "$PWD/daemon/bstreamd" >"$BSTREAM_DAEMON"
chmod +x "$BSTREAM_DAEMON"
trap '"${tool[@]}" daemon stop >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

n=0 status=0
# shellcheck disable=SC2317 # expect calls them
corpus() { "${emulate[@]}" "tests/fuzz/$1" "$top_srcdir/tests/fuzz/corpus/$1"/*; }

# shellcheck disable=SC2317
bytes() {
	head -c 20000000 /dev/urandom >"$work/data"
	"${tool[@]}" read --timeout 100 bytes >"$work/copy" &
	"${tool[@]}" write --timeout 100 bytes <"$work/data"
	wait $! && cmp "$work/data" "$work/copy"
}

# shellcheck disable=SC2317
lines() {
	local i
	"${tool[@]}" create --capacity 4 --keep=writers lines
	"${tool[@]}" read --timeout 100 --frame line lines >"$work/copy" &
	local reader=$! writers=()
	for i in 1 2 3 4; do
		seq -f "$i %g" 1 5000 | "${tool[@]}" write --timeout 100 --frame line lines &
		writers+=($!)
	done
	wait "${writers[@]}" && "${tool[@]}" eof lines && wait "$reader"
	for i in 1 2 3 4; do
		grep "^$i " "$work/copy" | cmp - <(seq -f "$i %g" 1 5000) || return 1
	done
}

# shellcheck disable=SC2317
death() {
	local rc=0
	"${tool[@]}" create torn
	mkfifo "$work/fifo"
	exec 3<>"$work/fifo" # which keeps it open
	"${tool[@]}" write --frame line torn <"$work/fifo" 3>&- &
	echo half >&3
	"${tool[@]}" wait --timeout 50 --writer torn
	until "${tool[@]}" stat torn | grep -q '1 chunk'; do :; done
	kill -KILL $!
	"${tool[@]}" read --timeout 50 torn >"$work/copy" || rc=$?
	[ "$(cat "$work/copy")" = half ] && [ "$rc" -ne 0 ] && [ "$rc" -ne 124 ]
}

# expect WHAT COMMAND...
expect() {
	local what=$1
	shift
	n=$((n + 1))
	if "$@" >"$work/out" 2>&1; then
		echo "ok $n - $what"
	else
		tail -n 20 "$work/out" | sed 's/^/# /'
		echo "not ok $n - $what"
		status=1
	fi
}

echo "1..7"
for target in reply segment text wire; do
	expect "the $target corpus" corpus $target
done
expect "20 MB through a stream" bytes
expect "lines of four writers, each in order" lines
expect "a writer that is killed" death
exit $status
