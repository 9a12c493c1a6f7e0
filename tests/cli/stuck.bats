#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Why a stream stands still: stat, ls and top say it in the same words.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # bats runs each test in a subshell of its own

load setup

# as NAME ARGUMENTS... - bstreamctl in the background, as a process of that name
as() {
	ln -sf "$BSTREAMCTL" "$1"
	start_command "./$1" "${@:2}"
}

# halt PID - stops it, and returns when it has stopped
halt() {
	kill -STOP "$1"
	until_true grep -qs '^State:[[:space:]]*T' "/proc/$1/status"
}

# why NAME - the sentence of stat
why() {
	ctl stat "$1" | sed -n 's/^why  *//p'
}

# everywhere NAME PATTERN - stat, ls, top and their objects say a sentence that matches
everywhere() {
	local name=$1 pattern=$2
	until_eval "[[ \"\$(why $name)\" =~ ^$pattern\$ ]]"
	[[ $(ctl ls --no-headings -o NAME "$name") =~ ^$name\ +$pattern$ ]]
	[[ $(ctl top -b -n 1 "$name" | tail -n 1) =~ \ $pattern$ ]]
	"$BSTREAMCTL" --json --no-start daemon status 2>&1 | grep -q jansson && return
	[[ $(ctl stat --json "$name" | json why) =~ ^$pattern$ ]]
	[[ $(ctl ls --json "$name" | json why) =~ ^$pattern$ ]]
	[[ $(ctl top --json -n 1 "$name" | json why) =~ ^$pattern$ ]]
}

@test "writers that nobody reads from are blocked, no reader" {
	ctl create a --capacity 1
	as producer write a --frame line <<<$'1\n2'
	one=$pid
	as producer write a --frame line <<<$'3\n4'
	until_eval '[[ $(why a) == "2 writers blocked"* ]]'
	everywhere a '2\ writers\ blocked\ [0-9]+\ s,\ no\ reader'
	[ "$(ctl read a --frame line | wc -l)" -eq 4 ]
	finish "$one" 0
	finish "$pid" 0
}

@test "a stopped reader is named, as soon as somebody waits for it" {
	ctl create a --capacity 2
	as consumer read a
	reader=$pid
	ctl wait a --for=reader
	halt "$reader"
	as producer write a --frame line <<<$'1\n2\n3'
	writer=$pid
	everywhere a "1\\ writer\\ blocked\\ [0-9]+\\ s:\\ full,\\ reader\\ consumer\\[$reader\\]\\ is\\ stopped"
	kill -CONT "$reader"
	finish "$writer" 0
	finish "$reader" 0
}

@test "chunks that wait for a stopped reader are said to, with no writer there" {
	ctl create a
	as consumer read a
	reader=$pid
	ctl wait a --for=reader
	halt "$reader"
	ctl write a --frame line <<<$'1\n2\n3'
	everywhere a "3\\ chunks\\ wait:\\ reader\\ consumer\\[$reader\\]\\ is\\ stopped"
	kill -CONT "$reader"
	finish "$reader" 0
}

@test "a reader that is busy with something else is said not to read" {
	mkfifo out
	exec 8<>out
	as consumer read a >out
	reader=$pid
	start_fed "$BSTREAMCTL" -q write a
	writer=$pid
	# The fifo takes 64 KiB, then the reader waits there; writers count after a second.
	everywhere a "1\\ writer\\ blocked\\ [0-9]+\\ s:\\ full,\\ reader\\ consumer\\[$reader\\]\\ does\\ not\\ read"
	kill -KILL "$reader"
	finish "$reader" 137
	finish "$writer" 10
	exec 8>&-
}

@test "a stopped writer is named to the reader that waits for it" {
	open_input
	ctl create a
	as consumer read a
	reader=$pid
	as producer write a <in
	writer=$pid
	ctl wait a --for=writer
	halt "$writer"
	everywhere a "reader\\ waits\\ [0-9]+\\ s:\\ empty,\\ writer\\ producer\\[$writer\\]\\ is\\ stopped"
	kill -CONT "$writer"
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
}

@test "a reader for whom nobody writes is said to wait, and nobody is stuck" {
	ctl create a
	start read a
	everywhere a 'reader\ waits\ [0-9]+\ s,\ no\ writer'
	[[ $(ctl ls --color=always a) != *$'\e[33m'* ]]
	ctl write a </dev/null
	finish "$pid" 0
}

@test "stat says why a stream rests at which nobody is stuck" {
	ctl create a
	[ "$(why a)" = "nothing was written, no writer" ]
	ctl write a <<<hello
	[ "$(why a)" = "1 chunk waits, no reader" ]
	ctl rm a
	ctl create b --keep=writers
	ctl write b <<<hello
	ctl read b >out &
	pids+=($!)
	ctl wait b --for=empty
	ctl eof b
	finish $! 0
	open_input
	ctl create c
	start write c <in
	ctl wait c --for=writer
	echo one >&9
	until_eval '[ "$(field c written)" = 1 ]'
	halt "$pid" # else it finds out, goes, and takes the name along
	run -0 ctl read c --count 1
	run -0 why c
	[ "$output" = "the reader has left" ]
	kill -CONT "$pid"
	finish "$pid" 10
	exec 9>&-
}

@test "a writer that died is told of" {
	ctl create a
	open_input
	start write a <in
	ctl wait a --for=writer
	echo one >&9
	until_eval '[ "$(field a written)" = 1 ]'
	kill -KILL "$pid"
	finish "$pid" 137
	until_eval '[ "$(field a state)" = died ]'
	[ "$(why a)" = "1 chunk waits, no reader, a writer died" ]
	[[ $(ctl ls --no-headings -o NAME a) =~ ^a\ +a\ writer\ died$ ]]
	ctl rm a
}

@test "a process that calls itself strange things is shown without them, and its state is its own" {
	ctl create a --capacity 1
	name=$'x) R 1\e[31m'
	as "$name" read a
	reader=$pid
	ctl wait a --for=reader
	halt "$reader"
	start write a --frame line <<<$'1\n2'
	writer=$pid
	until_eval '[[ $(why a) == *"is stopped" ]]'
	[[ $(why a) == *'reader x) R 1\x1b[31m['"$reader"'] is stopped' ]]
	for what in ls "top -b -n 1" "stat a" "ls --json"; do
		# shellcheck disable=SC2086 # a verb and its options
		[[ $(ctl $what 2>&1) != *$'\e'* ]]
	done
	kill -CONT "$reader"
	finish "$writer" 0
	finish "$reader" 0
}
