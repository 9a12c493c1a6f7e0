#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What README, bstreamctl(1) and bstream-tutorial(7) show of -p, ls, stat and top is what these print: each scene
# is set up again, and compared word by word. What is never twice the same is made so on both sides first: pids,
# times, dates, users, sizes and rates, the figures of a stream that flows, and how wide columns are. (doctor's
# capture is in doctor.bats.)
# shellcheck disable=SC2016,SC2154 # awk's and sed's own; what bats and setup.bash set

load setup

top=$BATS_TEST_DIRNAME/../..
manual=$top/man/bstreamctl.1.scd

# captured FILE PATTERN - the lines from the first one that matches to the next command, or the block's end
captured() {
	awk -v first="$2" '!inside && $0 ~ first { inside = 1 } inside && /^(\$ |```)/ { exit } inside' "$1"
}

normal() {
	LC_ALL=C.UTF-8 sed -E '
		s/  +/ /g
		s/ +$//
		s/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}/DATE/
		s/\[[0-9]+\]/[PID]/g
		s/\b(user|owner) [^ ,]+/\1 USER/
		s/[0-9.]+ [KMGT]?i?B\b/SIZE/g
		s/ [0-9.]+ ?(ms|s|m)\b/ TIME/g
		s/ [0-9]+ chunks?/ N chunks/g
		s/writers [0-9]+ times?, the reader [0-9]+/writers N times, the reader N/
		s/ flowing ([^ ]* )?[0-9]+\/16( [0-9]+)? SIZE\/s( [0-9]+)?/ flowing FIGURES/
		s/SIZE\/s fill [0-9]+/SIZE\/s fill N/'
}

# same WANTED COMMAND... - it prints that, both made normal, now or after a while
same() {
	local end=$((SECONDS + deadline))
	normal <<<"$1" >wanted
	[ -s wanted ]
	until "${@:2}" | normal | diff -u wanted - >differs; do
		[ $SECONDS -lt $end ] || {
			cat differs
			return 1
		}
		read -rt 0.05 <> <(:) || true
	done
}

# as NAME ARGUMENTS... - bstreamctl in the background, as a process of that name
as() {
	ln -sf "$BSTREAMCTL" "$1"
	start_command "./$1" "${@:2}"
}

# feed NAME [OPTIONS...] - a producer that never ends
feed() {
	ln -sf "$BSTREAMCTL" producer
	start_fed ./producer -q write "$@"
}

# terminal LINES COMMAND - a new terminal in which it runs
terminal() {
	command -v tmux >/dev/null || skip "tmux is not installed"
	tmux -S "$dir/tmux" -f /dev/null new-session -d -x 100 -y "$1" "$2; cat"
	tmux -S "$dir/tmux" set -g status off
	tmux -S "$dir/tmux" resize-window -x 100 -y "$1"
}

# shown - what stands there, without empty lines
shown() {
	tmux -S "$dir/tmux" capture-pane -p | grep . || true
}

# last_shown - the last of these lines alone
last_shown() {
	shown | tail -n 1
}

@test "README: two terminals, of which one waits until the other reads" {
	seq 1000000 >file
	terminal 10 "$BSTREAMCTL write -p backup <file"
	same "$(captured "$top/README.md" '^backup .*fill 16')" last_shown
	same "$(captured "$top/README.md" '^NAME .*CHUNKS ')" ctl ls
	ctl read backup | cmp - file
	same "$(captured "$top/README.md" '^backup .*/s ')" last_shown
}

@test "README: a reader whose writer was killed" {
	open_input
	start write log <in
	ctl wait log --for=writer
	echo begun >&9
	until_eval '[ "$(field log written)" = 1 ]'
	kill -KILL "$pid"
	finish "$pid" 137
	read_log() {
		ctl read log 2>&1 || echo $?
	}
	[ "$(read_log)" = "$(captured "$top/README.md" '^begun')" ]
}

@test "the tutorial: a writer without a reader" {
	start write numbers < <(seq 1000000)
	same "$(captured "$top/man/bstream-tutorial.7.scd" '^NAME ')" ctl ls
	[ "$(ctl read numbers | tail -n 1)" = 1000000 ]
	finish "$pid" 0
}

@test "bstreamctl(1): a stream that has ended and was not read" {
	seq 3 | ctl write numbers --frame line
	same "$(captured "$manual" '^NAME .*READER  AGE')" ctl ls
	ctl rm numbers
}

@test "bstreamctl(1): a stream that flows and one that is stuck, and stat of this one" {
	feed logs
	start read logs >/dev/null
	for _ in 1 2 3; do
		start_fed "$BSTREAMCTL" -q write raw
	done
	same "$(captured "$manual" '^NAME .*READER   ')" ctl ls
	same "$(captured "$manual" '^name  *raw')" ctl stat raw
	ctl rm raw
}

@test "README, bstreamctl(1): top, in UTF-8 and in ASCII" {
	command -v tmux >/dev/null || skip "tmux is not installed"
	ldd "$BSTREAMCTL" | grep -q ncurses || skip "built without ncursesw"
	open_input
	start write crashed <in
	ctl wait crashed --for=writer
	echo hello >&9
	until_eval '[ "$(field crashed written)" = 1 ]'
	kill -KILL "$pid"
	finish "$pid" 137
	ctl create jobs
	as consumer read jobs >jobs.out
	ctl wait jobs --for=reader
	kill -STOP "$pid"
	feed jobs
	for _ in 1 2 3; do
		feed raw/camera-2
	done
	feed logs/app --rate 1M
	as consumer read logs/app >/dev/null
	terminal 12 "LC_ALL=C.UTF-8 '$BSTREAMCTL' top -d 1; LC_ALL=C '$BSTREAMCTL' top -d 1"
	without_keys() {
		shown | grep -v '^ *h help\|^q quit'
	}
	same "$(captured "$top/README.md" '^4 streams')" without_keys
	tmux -S "$dir/tmux" send-keys q
	same "$(captured "$manual" '^4 streams')" without_keys
	tmux -S "$dir/tmux" send-keys q
	ctl rm crashed jobs raw/camera-2 logs/app
}
