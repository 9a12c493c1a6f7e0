#!/bin/bash
# SPDX-License-Identifier: MIT
# Every system call that library, broker and tool make by a name of its own fails in turn (faults.c), or
# stands here with the reason why not. So what is added later cannot be forgotten. TAP.
set -euo pipefail
top_srcdir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "${top_builddir:-.}"

exempt() {
	cat <<'LIST'
getpid getppid getuid geteuid getegid umask time exit alarm sched_yield: cannot fail
close close_range munmap unlink unlinkat inotify_rm_watch shutdown kill: it was to go, and counts as gone
clock_gettime timerfd_settime lseek prctl: fail for a wrong argument only
clock_nanosleep: a nap, and what comes next looks at the clock
access faccessat getpgid getpgrp getrlimit getrusage getsockname ioctl: a question; "no" is an answer
statfs: doctor's question; it says that it could not look
chmod chdir setsid setrlimit setsockopt: of what is our own and there
dup2: onto a number that is open, before exec
LIST
}

echo "1..1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo '#include <sys/syscall.h>' | ${CC:-cc} -E -dM - | sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p' |
	sort -u >"$work/calls"
shopt -s nullglob
objects=(lib/.libs/*.o lib/*.o proto/.libs/*.o proto/*.o daemon/*.o cli/*.o)
nm -u "${objects[@]}" | sed -n 's/^ *U \([a-z0-9_]*\)\(@.*\)\?$/\1/p' | sort -u >"$work/used"
sed -n '/^scarce_calls/,/[^\\]$/p' "$top_srcdir/tests/scarce/local.mk" | tr -cs 'a-z0-9_' '\n' >"$work/known"
exempt | sed 's/:.*//' | tr ' ' '\n' >>"$work/known"
comm -12 "$work/calls" "$work/used" >"$work/made"
sort -u "$work/known" | comm -23 "$work/made" - >"$work/forgotten"
sed 's/^/# neither fails in turn nor is exempt: /' "$work/forgotten"
if [ -s "$work/made" ] && [ ! -s "$work/forgotten" ]; then
	echo "ok 1 - $(wc -l <"$work/made") system calls are known here"
else
	echo "not ok 1 - every system call is known here"
	exit 1
fi
