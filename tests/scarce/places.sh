#!/bin/bash
# SPDX-License-Identifier: MIT
# Machines with little: a /dev/shm of 1 MiB and of 64 MiB, a root that cannot be written to, few
# descriptors, a /dev/shm that somebody empties, signals without end. In a mount namespace of its own:
# the machine's own /dev/shm is never touched. TAP; skipped where no such namespace can be had.
# shellcheck disable=SC2317,SC2086 # "expect" calls the functions; what is a number needs no quotes
set -euo pipefail
cd "${top_builddir:-.}"
tool=$PWD/cli/bstreamctl
export BSTREAM_DAEMON=$PWD/daemon/bstreamd

# Outside: what is mounted inside is never seen here, so that the directory can be removed.
if [ "${1:-}" != inside ]; then
	for how in -m -Urm; do
		unshare $how mount -t tmpfs none /dev/shm 2>/dev/null || continue
		work=$(mktemp -d /tmp/bstream-test.XXXXXX)
		trap 'rm -rf --one-file-system "$work"' EXIT
		unshare $how "${BASH_SOURCE[0]}" inside "$work"
		exit
	done
	echo "1..0 # SKIP no mount namespace can be had here"
	exit 0
fi

work=$2
export XDG_RUNTIME_DIR=$work/run TMPDIR=$work
unset BSTREAM_SOCKET BSTREAM_SEALED
mkdir "$work/run"
mount -t tmpfs none "$work/run"
chmod 700 "$work/run"
trap '"$tool" daemon stop >/dev/null 2>&1 || true' EXIT

n=0 status=0
# expect WHAT COMMAND... - one test: the command succeeds; or exits with 77, its last line saying what it
# cannot do without
expect() {
	local what=$1 rc=0
	shift
	n=$((n + 1))
	"$@" >"$work/out" 2>&1 || rc=$?
	case $rc in
	0) echo "ok $n - $what" ;;
	77) echo "ok $n - $what # SKIP $(tail -n 1 "$work/out")" ;;
	*)
		sed 's/^/# /' "$work/out"
		echo "not ok $n - $what"
		status=1
		;;
	esac
}

shm() { # shm SIZE - another /dev/shm
	"$tool" daemon stop >/dev/null 2>&1 || true
	umount /dev/shm 2>/dev/null || true
	mount -t tmpfs -o "size=$1" none /dev/shm
}

# what /dev/shm holds, in KiB
used() { df -k --output=used /dev/shm | tail -n 1; }

# stuff BYTES - that are not all alike
stuff() { head -c "$1" /dev/urandom; }

# A command that must fail, with a word of why, and not by a signal.
fails_saying() {
	local word=$1 rc=0
	shift
	"$@" >"$work/said" 2>&1 || rc=$?
	cat "$work/said"
	[ $rc -ne 0 ] && [ $rc -lt 126 ] && grep -qi -- "$word" "$work/said"
}

too_full() {
	local i=0
	fails_saying 'space\|memory' "$tool" create big || return 1
	while [ $i -lt 500 ] && "$tool" create --capacity 1 --chunk-max 4K "n$i" 2>"$work/said"; do
		i=$((i + 1))
	done
	cat "$work/said"
	[ $i -gt 3 ] && [ $i -lt 500 ] || return 1
	"$tool" ls | grep -c '^n' | grep -qx "$i" || return 1
	echo whole | "$tool" write n0 && [ "$("$tool" read n0)" = whole ] || return 1
	for ((; i > 0; i--)); do "$tool" rm "n$((i - 1))" 2>/dev/null || true; done
	[ "$(used)" -eq 0 ]
}

# transfer NAME BYTES COMMAND... - through a stream, with a command run in the middle of it
transfer() {
	local name=$1 size=$2 reader
	shift 2
	stuff "$size" >"$work/data"
	"$tool" create "$name" || return 1
	"$tool" read --timeout 100 "$name" >"$work/copy" &
	reader=$!
	{ head -c 100000 "$work/data" && "$@" && tail -c +100001 "$work/data"; } |
		"$tool" write --timeout 100 "$name" || return 1
	wait $reader && cmp "$work/data" "$work/copy"
}

empty_shm() { "$tool" wait --timeout 20 --reader emptied >/dev/null 2>&1 || true; rm -rf /dev/shm/*; }

emptied() {
	transfer emptied 20000000 empty_shm || return 1
	"$tool" rm emptied 2>/dev/null || true
	"$tool" create emptied && echo again | "$tool" write emptied && [ "$("$tool" read emptied)" = again ]
}

# Signals that the tool handles, at both ends of a transfer, as fast as a shell sends them. (Under
# AddressSanitizer a process looks for leaks as it exits, by tracing itself: stopped and continued
# just then, tracer and process wait for each other for ever.)
signalled() {
	local writer reader
	local -x ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
	stuff 30000000 >"$work/data"
	rm -f "$work/copy"
	"$tool" create storm || return 1
	"$tool" read --timeout 100 storm >"$work/copy" 2>/dev/null &
	reader=$!
	"$tool" write --timeout 100 --rate 30M storm <"$work/data" 2>/dev/null &
	writer=$!
	until [ -s "$work/copy" ]; do
		kill -0 $reader || return 1
	done
	while kill -0 $writer 2>/dev/null; do
		kill -USR1 $writer 2>/dev/null || true
		kill -STOP $writer $reader 2>/dev/null || true
		kill -CONT $writer $reader 2>/dev/null || true
		kill -WINCH $writer $reader 2>/dev/null || true
	done
	wait $writer && wait $reader && cmp "$work/data" "$work/copy"
}

few_descriptors() {
	local limit rc
	"$tool" create few || return 1
	for limit in 4 5 6 7 8 10 12; do # with 3 the program itself cannot be loaded
		rc=0
		(ulimit -n $limit && exec "$tool" stat few) >"$work/said" 2>&1 || rc=$?
		[ $rc -lt 126 ] || { echo "$limit descriptors: exit $rc"; cat "$work/said"; return 1; }
	done
	"$tool" stat few && "$tool" rm few
}

read_only() {
	mount -o remount,ro,bind "$work/run" || return 1
	fails_saying 'permi\|read-only\|broker' "$tool" create unwritable || return 1
	mount -o remount,rw,bind "$work/run" || return 1
}

# A root that nobody can write to, with /dev, /proc, a runtime directory and the build in it. All mounts
# come along: who is root in a user namespace only may not show what lies below one of them.
make_root() {
	local root=$1 here=$2
	mkdir "$root"
	if ! mount --rbind / "$root" || ! mount --bind "$work/run" "$root$work/run" ||
		! mount --bind "$here" "$root$here" || ! mount -o remount,ro,bind "$root"; then
		echo "the root cannot be mounted elsewhere, read-only"
		return 77
	fi
	chroot "$root" true && return
	echo "chroot is not permitted"
	return 77
}

read_only_root() {
	local root=$work/root here=$PWD said
	make_root "$root" "$here" || return
	# shellcheck disable=SC2016 # for the shell inside
	said=$(chroot "$root" bash -c 'set -e
		cd "$1"
		! touch /here 2>/dev/null
		"$2" create onrom
		echo well | "$2" write onrom
		"$2" read onrom
		"$2" daemon stop' bash "$here" "$tool") || return 1
	[ "$said" = well ]
}

echo "1..7"
shm 1m
expect "1 MiB of shared memory: what fits is made, the rest is refused and leaves nothing" too_full
shm 64m
expect "64 MiB of shared memory: a transfer of 50 MB" transfer moderate 50000000 true
expect "shared memory emptied by somebody: a running transfer goes on, and new streams are made" emptied
expect "stopped, continued and signalled at both ends: a transfer of 30 MB" signalled
expect "few descriptors: an error, or what was asked for" few_descriptors
"$tool" daemon stop >/dev/null 2>&1 || true
expect "a runtime directory that cannot be written to is said" read_only
expect "a root that cannot be written to does not matter" read_only_root
exit $status
