#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# tee: one input, many streams; slow readers, and readers that leave.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

# readers NAME... - starts a reader of each into got.NAME; their pids are in $readers[NAME]
readers() {
	declare -gA readers=()
	local name
	for name; do
		start read "$name" >"got.$name"
		readers[$name]=$pid
	done
}

@test "stdin goes to stdout and to every stream, which are made like write makes them" {
	head -c 3000000 /dev/urandom >data
	readers a b c
	ctl tee a b c --capacity 3 --chunk-max 2K <data >out
	cmp data out
	for name in a b c; do
		finish "${readers[$name]}" 0
		cmp data got.$name
	done
}

@test "records stay whole, and stdout gets the input as it is" {
	printf 'one\ntwo\nthree' >data
	[ "$(ctl tee a b --frame line <data | od -c)" = "$(od -c <data)" ]
	[ "$(field a written)" = 3 ]
	[ "$(ctl read a --frame line --count 2)" = $'one\ntwo' ]
	[ "$(ctl read b --frame line)" = $'one\ntwo\nthree' ]
}

@test "three readers, one leaves early: the others get all, tee says so and exits 10" {
	head -c $((20000000 / slow)) /dev/urandom >data
	readers a c
	start read b --count 5
	early=$pid
	run -10 --separate-stderr eval 'ctl tee a b c <data >out'
	[[ $stderr == "bstreamctl: b: the reader is gone (the other streams go on)" ]]
	finish "$early" 0
	finish "${readers[a]}" 0
	finish "${readers[c]}" 0
	cmp data out
	cmp data got.a
	cmp data got.c
}

@test "a reader that leaves while tee waits for input is noticed, and stdout goes on" {
	open_input
	readers a
	start tee a <in >out 2>said
	tee=$pid
	echo one >&9
	until_true test -s got.a
	kill -KILL "${readers[a]}"
	until_true test -s said
	grep -qx 'bstreamctl: a: the reader is gone (what it had not read is lost)' said
	echo two >&9
	exec 9>&-
	finish "$tee" 10
	[ "$(cat out)" = $'one\ntwo' ]
	finish "${readers[a]}" 137
}

@test "a slow stream is waited for, and meanwhile the others have the chunk" {
	ctl create slow --capacity 1
	ctl create fast --capacity 4
	start tee slow fast --frame line < <(seq 3) >out
	tee=$pid
	until_eval '[[ $(ctl stat slow) == *"waits for room"* ]]'
	[ "$(field slow written)" = 1 ]
	[ "$(field fast written)" = 2 ]
	[ "$(ctl read slow --frame line)" = $'1\n2\n3' ]
	finish "$tee" 0
	[ "$(ctl read fast --frame line)" = $'1\n2\n3' ]
}

@test "--slow=skip: a full stream loses chunks, which are counted; the others lose none" {
	ctl create slow --capacity 2
	ctl create fast --capacity 9
	run -0 --separate-stderr eval 'seq 9 | ctl tee slow fast --slow=skip --frame line'
	[ "$output" = "$(seq 9)" ]
	[ "$stderr" = "bstreamctl: slow: 7 of 9 chunks skipped, 7 B (it was full)" ]
	[ "$(ctl read slow --frame line)" = $'1\n2' ]
	[ "$(ctl read fast --frame line)" = "$(seq 9)" ]
}

@test "--from copies a stream chunk by chunk, its read end is given up chunk by chunk, stdout is silent" {
	ctl create src --chunk-max 100K
	{
		printf '%070000d\n' 1
		echo two
	} >data
	ctl write src --frame line <data
	run -0 ctl tee --from src a b
	[ -z "$output" ]
	[ "$(field a written)" = 2 ]
	ctl read a --frame line | cmp data
	ctl read b --frame line | cmp data
	run -3 ctl stat src
}

@test "--from a stream whose writer died: the copies end as died, exit 7" {
	open_input
	start write src <in
	writer=$pid
	echo hello >&9
	readers a
	start tee --from src a
	tee=$pid
	until_true test -s got.a
	kill -KILL "$writer"
	finish "$tee" 7
	finish "${readers[a]}" 7
	finish "$writer" 137
	exec 9>&-
	[ "$(cat got.a)" = hello ]
}

@test "--from when every reader has left: exit 10, and a kept source keeps what was not taken" {
	ctl create src --keep=reader
	seq 5 | ctl write src --frame line
	ctl create a --capacity 1
	start tee --from src a
	tee=$pid
	ctl read a --frame line --count 1 >got
	finish "$tee" 10
	[ "$(cat got)" = 1 ]
	left=$(ctl read src --frame line)
	[[ $'\n'$(seq 5) == *$'\n'"$left" ]] # what a had in it is lost, the rest is there
	[ -n "$left" ]
}

@test "--from while nothing comes: every reader leaving is noticed" {
	open_input
	start write src <in
	writer=$pid
	readers a b
	start tee --from src a b
	tee=$pid
	echo hello >&9
	until_true test -s got.a
	until_true test -s got.b
	kill -KILL "${readers[a]}" "${readers[b]}"
	finish "$tee" 10
	finish "$writer" 10
	exec 9>&-
	finish "${readers[a]}" 137
	finish "${readers[b]}" 137
}

@test "stdout closed: tee dies of SIGPIPE as cat does, and its streams end as died" {
	readers a
	run -0 eval 'yes | (ctl tee a; echo $? >&9) 9>code | head -n 1'
	[ "$output" = y ]
	[ "$(cat code)" -eq 141 ]
	finish "${readers[a]}" 7
}

@test "interrupted, its streams end as died" {
	open_input
	readers a b
	start tee a b <in
	tee=$pid
	echo hello >&9
	until_true test -s got.b
	kill -TERM "$tee"
	finish "$tee" 143
	finish "${readers[a]}" 7
	finish "${readers[b]}" 7
	exec 9>&-
}

@test "what cannot be: no name, itself, --frame with --from, a chunk too large, a stream that has ended" {
	run -2 ctl tee
	run -2 ctl tee --slow=perhaps a
	run -2 ctl tee --from src a src
	[[ $output == *"cannot be copied into itself"* ]]
	run -2 ctl tee --from src --frame line a
	run -2 ctl tee --from /src a
	run -3 ctl tee --no-create a </dev/null
	run -124 ctl tee --from src a --timeout 50ms
	ctl create a --chunk-max 10
	ctl write src <<<"more than ten bytes"
	run -1 ctl tee --from src a
	[[ $output == "bstreamctl: a: chunk 1 has 20 bytes, chunk-max is 10 (create"* ]]
	run -7 ctl read a
	ctl write src <<<again
	ctl write over <<<ended
	run -9 ctl tee --from src new over
	[ "$(ctl read src)" = again ] # nobody had taken it
	run -7 ctl read new
	ctl rm over
}
