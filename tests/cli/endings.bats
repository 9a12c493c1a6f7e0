#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Who comes first, who leaves first, who dies: what the other side learns, and how it exits.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

# writer_waits NAME - starts a writer of NAME that has written "hello" and waits on its stdin, fd 9
writer_waits() {
	open_input
	start write "$1" <in
	writer=$pid
	printf hello >&9
	ctl wait "$1" --for=exists
	until_eval "[ \"\$(field $1 written)\" = 1 ]"
}

@test "the reader is first" {
	start read a >got
	reader=$pid
	[ "$(ctl ls --no-headings)" = "" ]
	ctl write a <<<hello
	finish "$reader" 0
	[ "$(cat got)" = hello ]
}

@test "the writer is first" {
	writer_waits a
	start read a >got
	reader=$pid
	printf ' world' >&9
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
	[ "$(cat got)" = "hello world" ]
}

@test "the writer is done before any reader comes: the data waits, then the end" {
	ctl write a <<<hello
	[ "$(field a state)" = ended ]
	[ "$(ctl read a)" = hello ]
	run -3 ctl stat a
}

@test "the reader is killed: a writer that waits for room exits 10" {
	ctl create a --capacity 1
	mkfifo out
	exec 9<>out # and nobody takes what is read
	start read a >out
	reader=$pid
	ctl wait a --for=reader # else it may be killed before it comes, and the writer waits for the next
	start write a </dev/zero
	writer=$pid
	until_eval '[[ $(ctl stat a) == *"writer"*"waits for room"* ]]'
	kill -KILL "$reader"
	finish "$writer" 10
	finish "$reader" 137
	exec 9>&-
}

@test "the reader is killed: a writer that waits on its stdin exits 10" {
	writer_waits a
	start read a >got
	reader=$pid
	until_true test -s got
	kill -KILL "$reader"
	finish "$writer" 10
	finish "$reader" 137
	exec 9>&-
}

@test "the reader is killed: a writer that is held back by its rate exits 10" {
	start write a --rate 1 --frame line < <(yes | head -c 1000)
	writer=$pid
	start read a >got
	reader=$pid
	until_true test -s got
	kill -KILL "$reader"
	finish "$writer" 10
	finish "$reader" 137
}

@test "the reader leaves: the writer exits 10 and says so in one line" {
	ctl create a
	start write a </dev/zero 2>said
	ctl read a --count 3 >got
	finish "$pid" 10
	[ "$(wc -l <said)" -eq 1 ]
	grep -q '^bstreamctl: a: the reader is gone' said
}

@test "the writer is killed: the reader delivers all that was committed, and exits 7" {
	writer_waits a
	start read a >got 2>said
	reader=$pid
	kill -KILL "$writer"
	finish "$reader" 7
	finish "$writer" 137
	exec 9>&-
	[ "$(cat got)" = hello ]
	grep -q '^bstreamctl: a: a writer died' said
}

@test "the writer is killed before a reader comes: the data waits, then exit 7" {
	writer_waits a
	kill -KILL "$writer"
	finish "$writer" 137
	exec 9>&-
	until_eval '[ "$(field a state)" = died ]'
	run -7 --separate-stderr ctl read a
	[ "$output" = hello ]
}

@test "SIGINT, SIGTERM and SIGPIPE do what they do to cat, without a word" {
	for signal in INT TERM; do
		# Background processes of a script ignore SIGINT; these are to have it.
		start_command env --default-signal=INT "$BSTREAMCTL" read a 2>said
		reader=$pid
		start_command env --default-signal=INT "$BSTREAMCTL" write a </dev/zero 2>>said >/dev/null
		writer=$pid
		ctl wait a --for=exists
		ctl wait a --for=reader
		ctl wait a --for=writer
		kill -$signal "$writer"
		finish "$writer" $((128 + $(kill -l $signal)))
		finish "$reader" 7
		grep -v 'a writer died' said && return 1
		[ "$(wc -l <said)" -eq 1 ]
	done >/dev/null
	start_fed "$BSTREAMCTL" write a 2>said
	writer=$pid
	[ "$("$BSTREAMCTL" read a | head -n 1)" = y ]
	finish "$writer" 10
}

@test "a writer that fails ends as died, also when its input fails" {
	printf 'ok\n' >good
	run -1 ctl write a good /proc/self/mem
	run -7 ctl read a
	[[ $output == ok* ]]
}

@test "exit 9: the read end is held, the stream has ended" {
	ctl create a
	start read a
	ctl wait a --for=reader
	run -9 ctl read a
	[[ $output == *"another process holds the read end"* ]]
	ctl write a </dev/null
	finish "$pid" 0
	ctl write a <<<hello
	run -9 ctl write a <<<more
	[[ $output == *"--keep=writers"* ]]
	[ "$(ctl read a)" = hello ]
}

@test "exit 5: too many writers" {
	ctl create a --max-writers 1
	open_input
	start write a <in
	ctl wait a --for=writer
	run -5 ctl write a <<<more
	[[ $output == *"too many writers"* ]]
	exec 9>&-
	finish "$pid" 0
	ctl rm a
}

@test "exit 10: the stream was broken before" {
	writer_waits a
	kill -STOP "$writer" # else it finds out, goes, and takes the name along
	ctl read a --count 1
	run -10 ctl write a <<<more
	run -10 ctl read a
	kill -CONT "$writer"
	finish "$writer" 10
	exec 9>&-
}

@test "rm while a writer waits on its stdin: nobody can come to read, exit 10" {
	writer_waits a
	ctl rm a
	finish "$writer" 10
	exec 9>&-
}

@test "many create, write, read and remove one name at once, and nobody hangs" {
	for _ in 1 2 3 4 5 6 7 8; do
		start_command bash -c 'for i in 1 2 3 4 5 6 7 8 9 10; do
			echo hello | "$BSTREAMCTL" -q write a
			case $? in 0 | 9 | 10) ;; *) exit 1 ;; esac
			"$BSTREAMCTL" -q read a --no-wait >/dev/null
			case $? in 0 | 3 | 7 | 9 | 10) ;; *) exit 1 ;; esac
		done'
	done
	for pid in "${pids[@]}"; do
		finish "$pid" 0
	done
	ctl rm -f a
}

# switches PID - context switches of all threads of a process so far
switches() {
	awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$1"/task/*/status
}

# quiet PID - it has slept for a while
quiet() {
	local before
	before=$(switches "$1")
	asleep "$1" || return 1
	sleep 0.1 # sleep: for six times the last of a broker's looks
	asleep "$1" && [ "$(switches "$1")" -eq "$before" ]
}

@test "an idle blocked reader switches context at most 4 times a second, the broker never" {
	! grep -qas __tsan_init "$BSTREAMCTL" || skip "the thread sanitizer has a thread of its own, which wakes up"
	ctl create a
	start read a
	reader=$pid
	ctl wait a --for=reader
	until_eval '[[ $(ctl stat a) == *"waits for a chunk"* ]]'
	broker=$(broker_pid)
	until_true quiet "$broker" # what it does after a question is done
	before=$(switches "$reader") broker_before=$(switches "$broker") began=${EPOCHREALTIME/[.,]/}
	sleep 5 # sleep: idleness is what is tested
	reader_did=$(($(switches "$reader") - before)) us=$((${EPOCHREALTIME/[.,]/} - began))
	broker_did=$(($(switches "$broker") - broker_before))
	echo "reader $reader_did, broker $broker_did"
	[ $reader_did -le $((4 * us / 1000000)) ]
	[ $broker_did -eq 0 ]
	ctl write a </dev/null
	finish "$reader" 0
}
