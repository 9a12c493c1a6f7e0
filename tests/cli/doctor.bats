#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# doctor: each fault is made on purpose, where it is nobody else's, and is found and explained.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

# finds PATTERN [ARGUMENTS...] - doctor exits 1, and one line of it matches
finds() {
	local pattern=$1
	shift
	run -1 ctl "$@" doctor
	[ "$(grep -cE -e "$pattern" <<<"$output")" -eq 1 ] || {
		echo "no line matches $pattern"
		return 1
	}
	# Every line says what to do.
	run ! grep -vE -e '^[^:]+: .* \(.+\)$' <<<"$output"
}

# need_elsewhere - skips where elsewhere cannot be, which it could not say itself under "run"
need_elsewhere() {
	unshare -rm true 2>/dev/null || skip "no user namespaces here"
}

# elsewhere SCRIPT - runs it as root of a new user namespace, with mounts and a /dev/shm of its own
elsewhere() {
	deadline=$deadline unshare -rm bash -ec 'mount -t tmpfs -o size=64m none /dev/shm; eval "$1"' - "$1"
}

@test "where nothing is wrong, doctor says so and exits 0" {
	need_elsewhere
	run -0 elsewhere '"$BSTREAMCTL" doctor'
	[ "$output" = "nothing is wrong" ]
	run -0 elsewhere '"$BSTREAMCTL" doctor -v'
	[ "${#lines[@]}" -eq 10 ]
	[[ $output != *"("*")"$'\n' ]]
	[ "$(broker_pid)" -eq 0 ]
}

@test "a stale socket" {
	ctl create a
	broker=$(broker_pid)
	kill -KILL "$broker"
	until_true gone "$broker"
	finds "^$socket: stale: nobody listens.*\\(bstreamctl daemon start "
	ctl daemon start
	ctl rm a
}

@test "a socket that is none, and one whose directory is not there" {
	mkdir -m 700 bstream
	echo no >bstream/broker.sock
	finds "^$socket: it cannot be connected to"
	rm -r bstream
	BSTREAM_SOCKET=$dir/none/socket finds "^$dir/none: the broker's socket cannot be made there"
	finds "its path cannot be: File name too long" --socket "/tmp/$(printf 'a%.0s' {1..107})" || true
}

@test "a wrong runtime directory" {
	XDG_RUNTIME_DIR=$dir/none TMPDIR=$dir finds '^XDG_RUNTIME_DIR: .*/none: No such file'
	: >file
	XDG_RUNTIME_DIR=$dir/file TMPDIR=$dir finds '^XDG_RUNTIME_DIR: .*/file is no directory'
	XDG_RUNTIME_DIR=here TMPDIR=$dir finds "^XDG_RUNTIME_DIR: 'here' is not absolute"
	mkdir open
	mkdir -m 755 open/bstream
	XDG_RUNTIME_DIR=$dir/open finds '^runtime directory: .* open to others \(.*chmod 700'
	if [ "$(id -u)" -eq 0 ]; then
		mkdir other
		chown 12345 other
		XDG_RUNTIME_DIR=$dir/other TMPDIR=$dir finds '^XDG_RUNTIME_DIR: .*/other belongs to user 12345'
	fi
}

@test "a broker that is stopped" {
	ctl create a
	broker=$(broker_pid)
	kill -STOP "$broker"
	finds "^$socket: the broker does not answer"
	kill -CONT "$broker"
	ctl rm a
}

@test "a broker whose program was replaced" {
	mkdir bin
	cp "$(dirname "$BSTREAMCTL")/../daemon/bstreamd" bin/
	BSTREAM_DAEMON=$dir/bin/bstreamd ctl create a
	rm bin/bstreamd
	finds '^broker [0-9]+: its program was replaced'
	ctl rm a
}

@test "a bstreamd that is not there, and one of another version" {
	BSTREAM_DAEMON=$dir/none finds "^$dir/none: the broker's program cannot be started"
	printf '#!/bin/sh\necho "bstreamd 7.0.0 (wire 99, layout 99)"\n' >bstreamd
	chmod +x bstreamd
	BSTREAM_DAEMON=$dir/bstreamd finds "^$dir/bstreamd: its version is not that of this program"
}

@test "a small /dev/shm, one that is read-only, and one that is no tmpfs" {
	need_elsewhere
	run -1 elsewhere 'mount -o remount,size=4m /dev/shm; "$BSTREAMCTL" doctor'
	[[ $output == "/dev/shm: 4.00 MiB left of 4.00 MiB: "*"--shm-size"* ]]
	run -1 elsewhere 'mount -o remount,ro /dev/shm; "$BSTREAMCTL" doctor'
	[[ $output == "/dev/shm: it is read-only ("* ]]
	run -1 elsewhere 'umount /dev/shm; mount --bind /proc /dev/shm; "$BSTREAMCTL" doctor'
	[[ $output == "/dev/shm: it is no tmpfs"* ]]
	run -1 elsewhere 'chmod 555 /dev/shm; exec setpriv --bounding-set -all "$BSTREAMCTL" doctor'
	[[ $output == "/dev/shm: no file can be made there: Permission denied (chmod 1777 /dev/shm)" ]]
}

@test "the capture in bstreamctl(1) is what doctor prints" {
	need_elsewhere
	page=$BATS_TEST_DIRNAME/../../man/bstreamctl.1.scd
	run -1 elsewhere '
		mount -t tmpfs none /run; mkdir -p -m 700 /run/user/1000; export XDG_RUNTIME_DIR=/run/user/1000
		"$BSTREAMCTL" daemon start
		kill -KILL $("$BSTREAMCTL" daemon status | sed -n "s/^pid *//p")
		until "$BSTREAMCTL" doctor -v | grep -q stale; do :; done
		fallocate -l 60M /dev/shm/full
		"$BSTREAMCTL" doctor'
	diff <(awk '/^\$ bstreamctl doctor$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$page") - <<<"$output"
}

@test "membarrier that is not permitted" {
	without=$(dirname "$BSTREAMCTL")/../tests/cli/without_membarrier
	[ -x "$without" ] || skip "tests/cli/without_membarrier is not built"
	run -1 "$without" "$BSTREAMCTL" doctor
	[[ $output == *"membarrier: membarrier(2) is not permitted here ("*"BSTREAM_FENCES=1"* ]]
	BSTREAM_FENCES=1 run "$without" "$BSTREAMCTL" doctor
	[[ $output != *membarrier:* ]]
}

@test "no inotify instance left, and no watch" {
	need_elsewhere
	run -1 elsewhere 'echo 0 >/proc/sys/user/max_inotify_instances; "$BSTREAMCTL" doctor'
	[[ $output == "inotify: this user has no instance left"*"max_user_instances"* ]]
	run -1 elsewhere 'echo 0 >/proc/sys/user/max_inotify_watches; "$BSTREAMCTL" doctor'
	[[ $output == "inotify: this user has no watch left"*"max_user_watches"* ]]
}

@test "few descriptors" {
	run -1 bash -c 'ulimit -n 40; exec "$BSTREAMCTL" doctor'
	[[ $output == *"ulimit -n: 40 descriptors are few"* ]]
}

@test "leftovers: of a killed broker, of one elsewhere, of makers that died, of a starter" {
	need_elsewhere
	run -1 elsewhere '
		"$BSTREAMCTL" create a; "$BSTREAMCTL" create b
		kill -KILL $("$BSTREAMCTL" daemon status | sed -n "s/^pid *//p")
		until "$BSTREAMCTL" doctor -v | grep -q stale; do :; done
		touch -d "1 hour ago" /dev/shm/bstream.*
		>/dev/shm/bstream.new.0123456789abcdef
		>/dev/shm/bstream.0123456789abcdef.0123456789abcdef.0123456789abcdef
		>"$XDG_RUNTIME_DIR/bstream/broker.sock~"
		touch -d "1 hour ago" /dev/shm/bstream.* "$XDG_RUNTIME_DIR/bstream/broker.sock~"
		"$BSTREAMCTL" doctor || code=$?
		rm "$XDG_RUNTIME_DIR/bstream/broker.sock"*
		exit $code'
	[[ $output == *"/dev/shm/$(segment_prefix "$socket")*: 2 files, "*" of a broker that was killed ("*"daemon start"* ]]
	[[ $output == *"/dev/shm/bstream.new.*: 1 file, "*"(rm /dev/shm/bstream.new.*)"* ]]
	[[ $output == *"/dev/shm/bstream.0123456789abcdef.*: 1 file, "*" at another socket"* ]]
	[[ $output == *"broker.sock~: whoever was starting a broker died on the way (remove it)"* ]]
}

@test "streams in use are no leftovers" {
	need_elsewhere
	run -0 elsewhere '
		"$BSTREAMCTL" create a
		touch -d "1 hour ago" /dev/shm/bstream.*
		"$BSTREAMCTL" doctor
		"$BSTREAMCTL" rm a; "$BSTREAMCTL" daemon stop'
	[ "$output" = "nothing is wrong" ]
}

@test "--json: one object for each check, with what to do; -q: the exit code alone" {
	need_json
	BSTREAM_DAEMON=$dir/none run -1 ctl --json doctor
	[ "$(grep -c '^{"v":1,"check":' <<<"$output")" -eq "${#lines[@]}" ]
	grep -q '"check":"daemon","ok":false,.*"advice":"install it' <<<"$output"
	grep -q '"check":"kernel","ok":true' <<<"$output"
	BSTREAM_DAEMON=$dir/none run -1 ctl -q doctor
	[ -z "$output" ]
}
