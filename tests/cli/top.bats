#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# top as it is used: in a terminal, of several sizes, with keys; and -b, without one.
# shellcheck disable=SC2016,SC2030,SC2031,SC2119,SC2120,SC2154 # bats runs each test in a subshell of its own

load setup

need_screen() {
	command -v tmux >/dev/null || skip "tmux is not installed"
	ldd "$BSTREAMCTL" | grep -q ncurses || skip "built without ncursesw"
}

# terminal COLUMNS LINES COMMAND - a new terminal in which it runs; its exit code comes to code
terminal() {
	tmux -S "$dir/tmux" -f /dev/null new-session -d -x "$1" -y "$2" \
		"$3; echo \$? >'$dir/code.tmp'; mv '$dir/code.tmp' '$dir/code'; cat"
	tmux -S "$dir/tmux" set -g status off
	tmux -S "$dir/tmux" resize-window -x "$1" -y "$2"
}

# shown - what stands in the terminal now; -e: with colours
shown() {
	tmux -S "$dir/tmux" capture-pane -p "$@"
}

keys() {
	tmux -S "$dir/tmux" send-keys "$@"
}

# until_shown PATTERN - until the screen has it
until_shown() {
	until_eval "shown | grep -q -e '$1'" || {
		shown
		return 1
	}
}

# A stream that is full and whose writer waits, one with a chunk, and an empty one.
three_streams() {
	ctl create full --capacity 2
	start write full --frame line <<<$'1\n2\n3'
	writer=$pid
	ctl write chunk <<<hello
	ctl create empty
	until_eval 'ctl ls full | grep -q blocked'
}

three_streams_end() {
	ctl read full >/dev/null
	finish "$writer" 0
	ctl rm chunk empty
}

@test "-b prints a table for each look, as many as -n says" {
	three_streams
	run -0 ctl top -b -n 2 -d 0.1
	[ ${#lines[@]} -eq 8 ]
	[[ ${lines[0]} =~ ^NAME\ +STATE\ +FILL\ +RATE\ +CHUNKS/S\ +CHUNKS\ +WRITERS\ +READER\ +AGE$ ]]
	[ "${lines[4]}" = "${lines[0]}" ]
	[[ $output == *$'\n\nNAME'* ]]
	[[ $output =~ full\ +full\ +2/2\ +0\ +0\ +2\ +1\ +-\ +[0-9]+s\ +1\ writer\ blocked\ [0-9]+\ s,\ no\ reader ]]
	[ "$(ctl top -b -n 1 'f*' | wc -l)" -eq 2 ]
	three_streams_end
}

@test "without a terminal, and on a dumb one, top is as with -b" {
	ctl create a
	run -0 ctl top -n 1
	[[ ${lines[0]} == NAME* ]]
	[[ $output != *$'\e'* ]]
	run -0 ctl top -n 1 </dev/null
	[[ ${lines[1]} == "a "* ]]
	if command -v script >/dev/null; then
		run -0 script -qec "TERM=dumb $BSTREAMCTL top -n 1 -d 0.1" /dev/null
		[[ $output == NAME* ]]
		[[ $output != *$'\e'* ]]
	fi
	ctl rm a
}

@test "--sort takes every column of ls, in any case, and -r turns it round" {
	three_streams
	names() {
		ctl top -b -n 1 -d 0.1 "$@" | awk 'NR > 1 { print $1 }' | xargs
	}
	[ "$(names --sort NAME)" = "chunk empty full" ]
	[ "$(names --sort name -r)" = "full empty chunk" ]
	[ "$(names --sort FILL)" = "full chunk empty" ]
	[ "$(names --sort chunks)" = "full chunk empty" ]
	[ "$(names --sort BLOCKED)" = "full chunk empty" ]
	[ "$(names --sort STATE)" = "full chunk empty" ]
	[ "$(names --sort AGE)" = "full chunk empty" ]
	[ "$(names --sort RATE)" = "chunk empty full" ]
	for column in CHUNKS/S WRITERS READER BYTES READ CHUNK-MAX MODE USER KEEP WAITS; do
		ctl top -b -n 1 -d 0.01 --sort $column >/dev/null
	done
	run -2 ctl top --sort frobs
	[[ $output == "bstreamctl: --sort: no column 'frobs'"* ]]
	three_streams_end
}

@test "the rate is that of now" {
	start_fed "$BSTREAMCTL" -q write a --rate 4M
	writer=$pid
	start read a >/dev/null
	reader=$pid
	ctl wait a --for=writer
	until_eval '[[ $(ctl top -b -n 1 -d 0.1 | tail -n 1) =~ ^a\ +flowing\ .*\ [0-9.]+\ [KM]iB/s\  ]]'
	kill "$reader"
	finish "$reader" 143
	finish "$writer" 10
}

@test "--json prints an object for each stream and look" {
	need_json
	ctl create a
	ctl create b
	ctl top --json -n 2 -d 0.1 >objects
	[ "$(grep -c '^{"v":1,"name":' objects)" -eq 4 ]
	for key in state why bytes_per_s chunks_per_s looked_ns capacity; do
		head -n 1 objects | json $key >/dev/null || [ $key = why ]
	done
	ctl rm a b
}

@test "top starts no broker a second time, and shows what flows while none is there" {
	ctl create a
	start_command bash -c 'exec "$BSTREAMCTL" top -b -d 0.05 >out'
	until_true grep -qs '^a ' out
	broker=$(broker_pid)
	kill -KILL "$broker"
	until_true gone "$broker"
	: >out
	n() { grep -c '^a ' out; }
	until_eval '[ "$(n)" -gt 2 ]'
	[ "$(broker_pid)" -eq 0 ]
	ctl rm a
	until_eval '[ "$(tail -n 1 out | cut -d " " -f 1)" = NAME ]'
	kill "$pid"
	finish "$pid" 143
}

@test "no broker and --no-start is exit 4" {
	run -4 ctl --no-start top -b -n 1
}

@test "top only reads: no lock, no descriptor and no mapping for writing" {
	ctl write a <<<hello
	start_command bash -c 'exec "$BSTREAMCTL" top -b -d 0.05 >out'
	until_true grep -qs '^a ' out
	run -0 grep -F /dev/shm/ "/proc/$pid/maps"
	[[ $output != *" rw-s "* ]]
	for fd in "/proc/$pid/fd"/*; do
		[[ $(readlink "$fd") == /dev/shm/* ]] || continue
		seen=$fd
		[[ $(awk '$1 == "flags:" { print $2 }' "/proc/$pid/fdinfo/${fd##*/}") =~ 0$ ]]
		run ! grep -q '^lock:' "/proc/$pid/fdinfo/${fd##*/}"
	done
	[ -n "$seen" ]
	kill "$pid"
	finish "$pid" 143
	[ "$(ctl read a)" = hello ]
}

@test "the screen shows bars, rates, and who is stuck; with less room it leaves columns out" {
	need_screen
	three_streams
	terminal 120 12 "LC_ALL=C.UTF-8 '$BSTREAMCTL' top -d 0.1 --sort FILL"
	until_shown '█████ 2/2 .* 1 writer blocked [0-9]* [sm], no reader'
	until_shown '^chunk .*█░░░░░░░░░ 1/16 '
	until_shown '^empty .*░░░░░░░░░░ 0/16 '
	until_shown '^3 streams, 0 flowing, 1 stuck '
	until_shown '^NAME *STATE *FILL\* *RATE *CHUNKS/S *WRITERS *READER *AGE'
	tmux -S "$dir/tmux" resize-window -x 50 -y 12
	until_eval 'shown | grep -q "READER" && ! shown | grep -q AGE'
	until_shown '└ 1 writer blocked'
	tmux -S "$dir/tmux" resize-window -x 30 -y 8
	until_eval '! shown | grep -q READER'
	until_shown '^full .* full  *2/2'
	tmux -S "$dir/tmux" resize-window -x 8 -y 2
	tmux -S "$dir/tmux" resize-window -x 1 -y 1
	tmux -S "$dir/tmux" resize-window -x 200 -y 60
	until_shown 'AGE'
	keys q
	until_true test -s code
	[ "$(cat code)" -eq 0 ]
	three_streams_end
}

@test "what does not fit says so: names, sentences, keys; and in 80 columns nothing of an end is lost" {
	need_screen
	three_streams
	name=$(printf 'x%.0s' {1..190})/end
	ctl create "$name"
	terminal 60 20 "LC_ALL=C.UTF-8 '$BSTREAMCTL' top -d 0.1 --sort FILL"
	until_shown '^xxxxx*…  new '
	until_shown '^q quit .*  + - speed *$' # and not "s", of "space pause"
	keys h
	until_eval 'screen=$(shown) && [[ $screen == *"who is stuck on whom"* && $screen != *…* ]]'
	tmux -S "$dir/tmux" resize-window -x 80 -y 24
	keys h Enter
	until_shown "^writer  bstreamctl\\[$writer\\]  *[0-9]* .* waits for room, [0-9]* [sm]$"
	until_shown '^END  *PROCESS  *.*BYTES  DOES$'
	tmux -S "$dir/tmux" resize-window -x 60 -y 20
	until_eval 'shown | grep -q "^END  *PROCESS  .*DOES$" && ! shown | grep -q CHUNKS'
	until_shown "^writer  bstreamctl\\[$writer\\] .* waits for room, [0-9]* [sm]$"
	keys q
	until_true test -s code
	ctl rm "$name"
	three_streams_end
}

@test "ls in a terminal: a sentence that does not fit stands below" {
	need_screen
	three_streams
	terminal 70 12 "'$BSTREAMCTL' ls --color=never"
	until_shown '^    1 writer blocked [0-9]* [sm], no reader$'
	ctl ls full | grep -q '^full .* 1 writer blocked' # where nothing has a width
	three_streams_end
}

@test "a terminal without UTF-8 gets ASCII; NO_COLOR, and it has no colour" {
	need_screen
	three_streams
	terminal 100 12 "LC_ALL=C '$BSTREAMCTL' top -d 0.1; NO_COLOR=1 '$BSTREAMCTL' top -d 0.1"
	until_shown '########## 2/2'
	until_eval '[[ $(shown -e) == *$'"'\\e[33m'"'* ]]'
	keys q
	until_eval '[[ $(shown -e) == *2/2* && $(shown -e) != *$'"'\\e[33m'"'* ]]'
	keys q
	until_true test -s code
	three_streams_end
}

@test "keys: the cursor, the ends of a stream, sorting, help, pause, speed" {
	need_screen
	three_streams
	terminal 100 16 "'$BSTREAMCTL' top -d 0.1 --sort NAME"
	until_shown '^NAME\*'
	keys Down Down Enter
	until_shown '^full$'
	until_shown '^why  *1 writer blocked'
	until_shown "^writer  bstreamctl\\[$writer\\] .* waits for room"
	until_shown '^reader  *none'
	keys Up
	until_shown '^empty$'
	keys Escape
	until_shown '^NAME\*'
	keys s
	until_shown 'STATE\*'
	keys S
	until_shown '^NAME\*'
	keys r
	until_shown 'by NAME reversed'
	until_eval '[[ $(shown | sed -n 3p) == full* ]]'
	keys h
	until_shown 'any key: back'
	keys x
	until_shown 'every 0.1 s'
	keys -
	until_shown 'every 0.2 s'
	keys +
	until_shown 'every 0.1 s'
	keys Space
	until_shown 'paused'
	ctl create new
	keys Space
	until_shown '^new '
	ctl rm new
	until_eval '! shown | grep -q "^new "'
	keys q
	until_true test -s code
	[ "$(cat code)" -eq 0 ]
	three_streams_end
}

@test "more streams than lines: the window follows the cursor" {
	need_screen
	for i in {10..30}; do
		ctl create "s/$i" --capacity 1 --chunk-max 1
	done
	terminal 80 10 "'$BSTREAMCTL' top -d 0.1 --sort NAME"
	until_shown '^s/16'
	run ! eval 'shown | grep -q ^s/17'
	keys End
	until_eval 'screen=$(shown) && [[ $screen == *s/30* && $screen != *s/23* ]]'
	keys PPage
	until_shown '^s/23'
	keys Home
	until_shown '^s/10'
	keys q
	until_true test -s code
	ctl rm s/{10..30}
}

@test "top leaves the terminal as it was, and dies by the signal that ends it" {
	need_screen
	ctl create a
	terminal 80 10 "stty -g >before; bash -c 'echo \$\$ >pid; exec \"$BSTREAMCTL\" top'; \
		echo \$? >died; stty -g >after"
	until_shown '^a '
	kill -TERM "$(cat pid)"
	until_true test -s code
	[ "$(cat died)" -eq 143 ]
	cmp before after
	ctl rm a
}

@test "-n leaves the screen by itself" {
	need_screen
	terminal 80 10 "'$BSTREAMCTL' top -n 2 -d 0.1"
	until_true test -s code
	[ "$(cat code)" -eq 0 ]
}
