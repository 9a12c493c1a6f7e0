#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The machine's broker and two users of it, as root plays them.
# shellcheck disable=SC2119,SC2120,SC2154 # dir, socket and deadline are setup.bash's, stderr is bats's

load setup

anna=61001 bert=61002

# as UID ARGUMENTS... - bstreamctl as another user
as() {
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups timeout "$deadline" "$BSTREAMCTL" "$@"
}

start_system_broker() {
	[ "$(id -u)" -eq 0 ] || skip "only root can play several users"
	command -v setpriv >/dev/null || skip "no setpriv"
	setpriv --reuid $anna --regid $anna --clear-groups "$BSTREAMCTL" --version >/dev/null 2>&1 ||
		skip "another user cannot run $BSTREAMCTL"
	chmod 755 "$dir"
	mkdir -m 755 bstream
	export BSTREAM_SOCKET=$socket
	"$BSTREAM_DAEMON" --system "$@" 3>&- & # stopped by teardown, which then looks for its socket
	until_true ctl --no-start daemon status
}

@test "a denial is exit 5, and names both users and the right that was missing" {
	start_system_broker
	run -0 as $anna create s
	run -5 --separate-stderr as $bert read --no-wait s
	[[ $stderr == *"$bert lacks the right to read here, it is $anna's"*"mode 0600"* ]]
	run -5 --separate-stderr as $bert write --no-create s </dev/null
	[[ $stderr == *"$bert lacks the right to write"* ]]
	run -5 --separate-stderr as $bert rm s
	[[ $stderr == *"$bert lacks ownership"* ]]
	run -5 --separate-stderr as $bert stat s
	run -0 as $bert ls
	[[ $output != *" s "* ]]
	run -0 as $anna rm s
}

@test "a stream of many is made with --mode and --group" {
	start_system_broker
	run -5 --separate-stderr as $anna create --mode 0660 --group $bert s
	[[ $stderr == *"$anna does not belong to the group $bert"* ]]
	run -2 as $anna create --group no-such-group-here s
	run -0 as $anna create --mode 0606 --capacity 4 s
	as $anna write s <<<hello
	run -0 as $bert read s
	[ "$output" = hello ]
}

@test "the machine's broker is root's to stop" {
	start_system_broker
	run -5 as $anna daemon stop
	run -0 ctl daemon stop
}

@test "quotas are options, shown, and named when they are used up" {
	start_system_broker --quota streams=1 --quota bytes=1G
	run -0 as $anna create s
	run -5 --separate-stderr as $anna create t
	[[ $stderr == *"over quota: $anna has used up his streams, 1 "* ]]
	run -0 as $anna daemon status
	[[ $output == *"streams, 1 of 1"* && $output == *"of 1073741824"* ]]
	run -0 as $bert create t
	run -2 "$BSTREAM_DAEMON" --system --quota sheep=1
	run -2 "$BSTREAM_DAEMON" --system --quota streams=many
	run -2 "$BSTREAM_DAEMON" --system --quota streams=1KB
}
