#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Streams between containers that share nothing but the broker's socket: each has a pid, an IPC and a
# mount namespace of its own, another /dev/shm, and the socket alone of the directory it is in.
# shellcheck disable=SC2154 # dir, socket and deadline are setup.bash's

load setup

setup_containers() {
	[ "$(id -u)" -eq 0 ] || skip "only root can make these namespaces"
	unshare --mount --ipc --pid --fork --mount-proc mount -t tmpfs none /mnt 2>/dev/null ||
		skip "no namespaces here"
}

# contained ARGUMENTS... - bstreamctl in a container of its own
contained() {
	# shellcheck disable=SC2016 # for the shell inside
	timeout -k 5 "$deadline" unshare --mount --ipc --pid --fork --kill-child --mount-proc sh -ec '
		mount -t tmpfs none /mnt
		touch /mnt/broker.sock
		mount --bind "$1" /mnt/broker.sock
		mount -t tmpfs none /dev/shm
		mount -t tmpfs none "$2"
		export BSTREAM_SOCKET=/mnt/broker.sock
		shift 2
		exec "$@"' sh "$socket" "$dir" "$BSTREAMCTL" --no-start "$@" 3>&-
}

start_system_broker() {
	mkdir -m 755 bstream
	export BSTREAM_SOCKET=$socket
	mkdir -m 755 no-rules # and not this machine's
	"$BSTREAM_DAEMON" --system --access "$PWD/no-rules" 3>&- & # stopped by teardown
	until_true ctl --no-start daemon status
}

@test "two containers stream to each other at the machine's broker" {
	setup_containers
	start_system_broker
	seq 10000 >numbers
	contained create --capacity 4 s
	contained write s <numbers &
	contained read s >got
	wait $!
	cmp numbers got
}

@test "two containers stream to each other at a user's broker" {
	setup_containers
	ctl daemon start
	seq 10000 >numbers
	contained create --capacity 4 s
	run -0 ctl stat s
	[[ $output =~ sealed\ +yes ]]
	contained write s <numbers &
	contained read s >got
	wait $!
	cmp numbers got
	# What is made outside is had inside.
	ctl create --capacity 4 t
	contained write t <<<hello
	run -0 ctl read t
	[ "$output" = hello ]
}

@test "a container that shares /dev/shm makes streams too" {
	setup_containers
	ctl daemon start
	timeout -k 5 "$deadline" unshare --mount "$BSTREAMCTL" write s <<<hello
	run -0 ctl stat s
	[[ $output =~ sealed\ +yes ]]
	run -0 ctl read s
	[ "$output" = hello ]
}

@test "a death in a container is noticed outside" {
	setup_containers
	start_system_broker
	ctl create --capacity 4 s
	mkfifo feed
	contained write s <feed &
	writer=$!
	exec 9>feed
	echo something >&9
	ctl read s >got 3>&- 9>&- &
	reader=$!
	until_true grep -q something got
	pkill -KILL -P "$(pgrep -P $writer)" || kill -KILL $writer
	code=0
	wait $reader || code=$?
	exec 9>&-
	wait $writer || true
	[ $code -eq 7 ]
}
