#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# How the broker comes up, and in what circumstances bstreamctl can be called.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

@test "the first who needs a broker starts it" {
	[ "$(broker_pid)" -eq 0 ]
	ctl ls
	[ "$(broker_pid)" -gt 0 ]
}

@test "a broker started from \$(...) holds none of the caller's descriptors" {
	exec 7<"$0"
	output=$(ctl ls --no-headings 2>&1) # would not return if it held the pipe
	[ -z "$output" ]
	broker=$(broker_pid)
	for fd in "/proc/$broker/fd/"*; do
		target=$(readlink "$fd") || continue
		[[ $target != "$0" && $target != pipe:* ]]
	done
	[ "$(readlink "/proc/$broker/cwd")" != "$dir" ]
	exec 7<&-
}

@test "twenty at once that find no broker start one" {
	for i in {1..20}; do
		start_command "$BSTREAMCTL" create "s$i"
	done
	for pid in "${pids[@]}"; do
		finish "$pid" 0
	done
	[ "$(ctl ls --no-headings | wc -l)" -eq 20 ]
	# One broker, and nobody else who still has to do with this directory.
	[ "$(our_processes)" -eq "$(broker_pid)" ]
	ctl rm s{1..20}
}

@test "--no-start: no broker is exit 4" {
	run -4 ctl --no-start ls
	[[ $output == *"no broker"* ]]
	run -4 ctl --no-start create a
	run -4 ctl --no-start read a
	run -4 ctl --no-start write a <<<hello
	[ ! -e "$socket" ]
}

@test "a broker that cannot be started is exit 4" {
	BSTREAM_DAEMON=/nonexistent run -4 ctl ls
	BSTREAM_DAEMON=/bin/false run -4 ctl ls
}

@test "--socket and BSTREAM_SOCKET name another broker" {
	ctl create a
	ctl --socket "$dir/two.sock" create b
	[ "$(ctl ls --no-headings -o NAME)" = a ]
	[ "$(BSTREAM_SOCKET=$dir/two.sock ctl ls --no-headings -o NAME)" = b ]
	[ "$(BSTREAM_SOCKET=$dir/none.sock ctl --socket "$dir/two.sock" ls --no-headings -o NAME)" = b ]
	ctl rm a
	ctl --socket "$dir/two.sock" rm b
	ctl --socket "$dir/two.sock" daemon stop
	[ ! -e "$dir/two.sock" ]
}

@test "--system without the machine's broker is exit 4" {
	[ ! -e /run/bstream/broker.sock ] || skip "this machine has one"
	for verb in ls "daemon start" "create a" "listen a"; do
		# shellcheck disable=SC2086 # a verb and its operand
		run -4 ctl --system $verb
		[[ $output == *": no broker ("*"systemctl start bstreamd.socket)" ]]
	done
}

@test "something else at the socket is exit 8 or 4, not a hang" {
	mkdir -p "$dir/bstream"
	chmod 700 "$dir/bstream"
	perl -MIO::Socket::UNIX -e '
		$s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $ARGV[0], Listen => 5) or die;
		open F, ">", "ready"; close F; sleep 1000' "$socket" 3>&- & # sleep: it is killed
	pids+=($!)
	until_true test -e ready
	run ctl --no-start ls
	[ "$status" -eq 8 ] || [ "$status" -eq 4 ]
	rm "$socket"
}

@test "descriptors 0 to 2 may be closed" {
	ctl create a <&- >&- 2>&-
	ctl write a <&-
	[ "$(ctl read a)" = "" ]
	echo hello | ctl write a >&- 2>&-
	start read a <&- >got 2>&-
	finish "$pid" 0
	[ "$(cat got)" = hello ]
	ctl ls <&- >&- 2>&-
	echo hello | "$BSTREAMCTL" write a 2>&-
	"$BSTREAMCTL" read a >&- # to nowhere, but it is read
	run -3 ctl stat a
}

@test "started with descriptors 0 to 2 closed, the broker works" {
	"$BSTREAMCTL" daemon start <&- >&- 2>&-
	broker=$(broker_pid)
	[[ $(readlink "/proc/$broker/fd/0") = socket:* ]] # its own: what it has closed goes there
	for fd in 1 2; do
		[ "$(readlink "/proc/$broker/fd/$fd")" = /dev/null ]
	done
	[ "$(ctl write a <<<hello && ctl read a)" = hello ]
}

@test "the broker is stopped in the middle of nothing: streams wait for the next one" {
	ctl write a <<<hello
	ctl daemon stop
	[ "$(broker_pid)" -eq 0 ]
	[ "$(ctl read a)" = hello ]
}

@test "SIGTERM ends the broker cleanly: no socket stays" {
	ctl daemon start
	broker=$(broker_pid)
	kill -TERM "$broker"
	until_true gone "$broker"
	[ ! -e "$socket" ]
}
