#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Streams that outlive their users: kept read ends, kept write ends, eof, and a broker that dies.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

# size FILE
size() {
	stat -c %s "$1"
}

@test "workers are killed and replaced in the middle of 200 MB: nothing is lost, only the unreleased chunk comes again" {
	local record=65536 n=$((3200 / slow)) from=0 k end=$((SECONDS + deadline))
	# Records with their numbers, a chunk each.
	awk -v n=$n -v size=$record 'BEGIN { for (i = 1; i <= n; i++) printf "%0*d\n", size - 1, i }' >data
	ctl create a --keep=reader
	open_input # held open: the stream does not end before the last worker is there
	start write a --frame fixed:$record <in
	writer=$pid
	start_command cat data >in
	cat=$pid
	for _ in 1 2 3 4 5; do
		: >part
		start read a >part
		# At full speed, so without a pause between looks.
		until [ "$(size part)" -gt $((n * record / 25)) ] || [ "$(field a read)" -eq $n ]; do
			[ $SECONDS -lt $end ]
		done
		kill -KILL "$pid"
		finish "$pid" 137
		# What it wrote begins where the one before left off, and a part of a record can only be
		# the last. The next begins with the record this one was at or, if it was killed between
		# write and release, with the one before.
		cmp part <(tail -c +$((from * record + 1)) data | head -c "$(size part)")
		k=$((from + $(size part) / record))
		from=$(field a read)
		[ "$from" -eq $k ] || [ "$from" -eq $((k - 1)) ]
	done
	start read a >part
	reader=$pid
	finish "$cat" 0
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
	tail -c +$((from * record + 1)) data | cmp - part
	run -3 ctl stat a
}

@test "a chunk that stdout has not taken comes again, the writer does not notice" {
	ctl create a --keep=reader --capacity 2
	open_input
	start write a --frame line <in
	writer=$pid
	printf 'one\ntwo\n' >&9
	mkfifo stuck
	exec 8<>stuck # takes 64 KiB
	head -c 65536 /dev/zero >&8
	start read a --frame line >stuck
	reader=$pid
	ctl wait a --for=reader
	until_eval 'grep -q pipe_write "/proc/$reader/wchan" || [ "$(cat "/proc/$reader/wchan")" = 0 ] && [ "$(field a written)" = 2 ]'
	kill -KILL "$reader"
	finish "$reader" 137
	exec 8>&-
	[ "$(ctl read a --frame line --count 1)" = one ]
	echo three >&9
	exec 9>&-
	finish "$writer" 0
	[ "$(ctl read a --frame line)" = $'two\nthree' ]
}

@test "read --count hands the read end back; without --keep it breaks the stream" {
	ctl create a --keep=reader
	seq 9 | ctl write a --frame line
	[ "$(ctl read a --frame line --count 2)" = $'1\n2' ]
	[ "$(field a state)" = ended ]
	[ "$(ctl read a --frame line --count 0)" = "" ]
	[ "$(ctl read a --frame line --count 3)" = $'3\n4\n5' ]
	run -124 ctl read b --timeout 50ms
	[ "$(ctl read a --frame line)" = $'6\n7\n8\n9' ]
	run -3 ctl read a --no-wait
	seq 9 | ctl write b --frame line
	[ "$(ctl read b --frame line --count 2)" = $'1\n2' ]
	run -3 ctl read b --no-wait
}

@test "a reader that is interrupted, or whose stdout closes, leaves the read end, too" {
	ctl create a --keep=reader
	start_fed "$BSTREAMCTL" write a --frame line
	writer=$pid
	[ "$("$BSTREAMCTL" read a --frame line | head -n 1)" = y ]
	start read a --frame line >got
	reader=$pid
	until_true test -s got
	kill -TERM "$reader"
	finish "$reader" 143
	[ "$(ctl read a --frame line --count 2)" = $'y\ny' ]
	kill -0 "$writer"
	ctl rm a
	finish "$writer" 10
}

@test "twenty race for a kept read end in turns, and every record is read" {
	local n=$((200 / slow))
	ctl create a --keep=reader
	start write a --frame line < <(seq $n)
	writer=$pid
	for _ in {1..8}; do
		start_command bash -c 'while "$BSTREAMCTL" -q read a --no-wait --frame line --count 3; c=$?; [ $c = 0 ] || [ $c = 9 ]; do :; done
			[ $c = 3 ]' >>got
	done
	for pid in "${pids[@]}"; do
		[ "$pid" = "$writer" ] || finish "$pid" 0
	done
	finish "$writer" 0
	sort -n got | uniq | cmp - <(seq $n)
	[ "$(wc -l <got)" -eq $n ]
}

@test "--keep=writers: one writer after another, no end before eof" {
	ctl create a --keep=writers
	start read a >got
	reader=$pid
	ctl write a <<<one
	ctl write a <<<two
	ctl wait a --for=empty
	[ "$(cat got)" = $'one\ntwo' ]
	run -124 ctl wait a --for=end --timeout 50ms
	kill -0 "$reader"
	ctl eof a
	finish "$reader" 0
	run -3 ctl eof a
}

@test "eof before the last writer leaves, and before any reader comes" {
	ctl create a --keep
	open_input
	start write a <in
	writer=$pid
	echo hello >&9
	until_eval '[ "$(field a written)" = 1 ]'
	ctl eof a
	ctl eof a # again is nothing
	[ "$(field a state)" != ended ]
	exec 9>&-
	finish "$writer" 0
	[ "$(ctl read a)" = hello ]
	# One that nobody has ever written to ends as well.
	ctl create b --keep=writers
	ctl eof b
	run -0 ctl read b --timeout 20s
	[ -z "$output" ]
}

@test "--keep=writers: a writer that died is not forgotten at the end" {
	ctl create a --keep=writers
	open_input
	start write a <in
	writer=$pid
	echo half >&9
	until_eval '[ "$(field a written)" = 1 ]'
	kill -KILL "$writer"
	finish "$writer" 137
	exec 9>&-
	ctl write a <<<more
	ctl eof a
	run -7 --separate-stderr ctl read a
	[ "$output" = $'half\nmore' ]
}

@test "a kept stream survives the broker's SIGKILL, with its data and with its ends" {
	ctl create a --keep
	seq 3 | ctl write a --frame line
	kill -KILL "$(broker_pid)"
	[ "$(ctl read a --frame line --count 1)" = 1 ]
	kill -KILL "$(broker_pid)"
	seq 4 5 | ctl write a --frame line
	open_input
	start write a --frame line <in
	writer=$pid
	start read a --frame line >got
	reader=$pid
	ctl wait a --for=empty
	kill -KILL "$(broker_pid)"
	echo 6 >&9
	until_true grep -q 6 got
	kill -KILL "$reader"
	finish "$reader" 137
	echo 7 >&9
	[ "$(ctl read a --frame line --count 1)" = 7 ]
	[ "$(cat got)" = $'2\n3\n4\n5\n6' ]
	exec 9>&-
	finish "$writer" 0
	kill -KILL "$(broker_pid)"
	ctl eof a
	run -0 ctl read a --timeout 20s
	[ -z "$output" ]
}
