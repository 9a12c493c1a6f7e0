#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# -p and SIGUSR1: in a terminal, wide, narrow and dumb; in the background; and without one.
# shellcheck disable=SC2016,SC2030,SC2031,SC2119,SC2120,SC2154 # bats runs each test in a subshell of its own

load setup

# terminal COLUMNS COMMAND - a new terminal in which a shell runs it, and then waits
terminal() {
	command -v tmux >/dev/null || skip "tmux is not installed"
	printf '%s\n' "$2" 'echo done; cat' >script
	tmux -S "$dir/tmux" -f /dev/null new-session -d -x "$1" -y 10 "bash -m $dir/script"
	tmux -S "$dir/tmux" set -g status off
	tmux -S "$dir/tmux" resize-window -x "$1" -y 10
}

shown() {
	tmux -S "$dir/tmux" capture-pane -p | grep . || true
}

line='[0-9.]+ ([KMG]i)?B  (0|[0-9.]+ ([KMG]i)?B/s)  fill [0-9]+/[0-9]+'

@test "in a terminal one line changes, and the last one says it all" {
	mkfifo in
	terminal 80 "$BSTREAMCTL write logs -p --capacity 1000 <in"
	exec 9>in
	head -c 3000 /dev/zero >&9
	until_eval '[[ "$(shown)" =~ ^logs\ \ 2\.93\ KiB\ \  ]]'
	head -c 70000 /dev/zero >&9
	until_eval '[[ "$(shown)" =~ ^logs\ \ 71\.3\ KiB\ \  ]]'
	exec 9>&-
	until_eval '[[ $(shown | tail -n 1) == done ]]'
	[[ $(shown | head -n 1) =~ ^logs\ \ $line$ ]]
	[ "$(shown | wc -l)" -eq 2 ]
	ctl rm logs
}

@test "a narrow terminal gets the beginning of it, in one line" {
	mkfifo in
	terminal 18 "$BSTREAMCTL write logs -p <in"
	exec 9>in
	head -c 3000 /dev/zero >&9
	until_eval '[[ "$(shown)" == "logs  2.93 KiB"* ]]'
	head -c 3000 /dev/zero >&9
	until_eval '[[ "$(shown)" == "logs  5.86 KiB"* ]]'
	[ "$(shown | wc -l)" -eq 1 ]
	exec 9>&-
	until_eval '[[ $(shown | tail -n 1) == done ]]'
	[ "$(shown | wc -l)" -eq 2 ]
	ctl rm logs
}

@test "a long name is cut before the figures are" {
	mkfifo in
	name=$(printf 'x%.0s' {1..100})/end
	terminal 60 "$BSTREAMCTL write $name -p <in"
	exec 9>in
	head -c 3000 /dev/zero >&9
	until_eval '[[ "$(shown)" =~ ^~x+/end\ \ $line$ ]]'
	exec 9>&-
	until_eval '[[ $(shown | tail -n 1) == done ]]'
	ctl rm "$name"
}

@test "a dumb terminal gets lines, without control sequences" {
	mkfifo in
	terminal 80 "TERM=dumb $BSTREAMCTL write logs -p <in"
	echo hello >in
	until_eval '[[ $(shown | tail -n 1) == done ]]'
	[[ $(shown | tail -n 2 | head -n 1) =~ ^logs\ \ 6\ B\ \ .*fill\ 1/16$ ]]
	ctl rm logs
}

@test "in the background it leaves the terminal alone, and is not stopped by it" {
	mkfifo in
	terminal 80 "stty tostop; $BSTREAMCTL write logs -p <in & wait; stty -tostop"
	echo hello >in
	until_eval '[[ $(shown | tail -n 1) == done ]]'
	[[ $(shown) != *"fill"* ]]
	[ "$(ctl read logs)" = hello ]
}

@test "without a terminal it prints lines, and a last one" {
	run -0 --separate-stderr eval 'ctl write logs -p <<<hello'
	[ -z "$output" ]
	[[ ${stderr_lines[-1]} =~ ^logs\ \ $line$ ]]
	[[ $stderr != *$'\e'* && $stderr != *$'\r'* ]]
	run -0 --separate-stderr ctl read logs -p
	[ "$output" = hello ]
	[[ ${stderr_lines[-1]} =~ ^logs\ \ 6\ B\ \  ]]
}

@test "each byte counts once, whatever carries it and to however many" {
	head -c 1M /dev/zero >data
	counted() { # LINES... - the last one says 1 MiB
		[[ $(tail -n 1 <<<"$1") == [a-z]*'  1.00 MiB  '* ]]
	}
	for framing in raw fixed:1000; do
		start read a --frame $framing -p >/dev/null 2>said
		reader=$pid
		run -0 --separate-stderr ctl write -p a --frame $framing --drain <data
		counted "$stderr"
		finish "$reader" 0
		counted "$(cat said)"
		start read a >/dev/null
		reader=$pid
		start read b >/dev/null
		run -0 eval "ctl tee -p --frame $framing a b <data 2>&1 >/dev/null"
		counted "$output"
		finish "$reader" 0
		finish "$pid" 0
		ctl create c --capacity 2000
		ctl write c --frame $framing <data
		start read a >/dev/null
		run -0 --separate-stderr ctl tee -p --from c a
		counted "$stderr"
		finish "$pid" 0
	done
}

@test "nothing is said of progress where nobody asked" {
	run -0 --separate-stderr eval 'ctl write logs <<<hello'
	[ -z "$output$stderr" ]
	run -0 --separate-stderr ctl -q read logs -p
	[ -z "$stderr" ]
}

@test "SIGUSR1 prints one line, with and without -p" {
	open_input
	start_command bash -c 'exec "$BSTREAMCTL" write logs 2>said' <in
	ctl wait logs --for=writer
	echo hello >&9
	until_eval '[ "$(field logs written)" = 1 ]'
	kill -USR1 "$pid"
	until_true test -s said
	[[ $(cat said) =~ ^logs\ \ $line$ ]]
	exec 9>&-
	finish "$pid" 0
	[ "$(wc -l <said)" -eq 1 ]
	[ "$(ctl read logs)" = hello ]
}

@test "letters behind -p are letters, what stands behind = is not" {
	run -0 --separate-stderr ctl write logs -pv <<<hello
	[[ $stderr == *"logs: created"*"fill 1/16"* ]]
	run -0 --separate-stderr ctl read -vp logs
	[[ $stderr == *"logs  6 B"* ]]
	run -2 ctl write logs -px
	[[ $output == *"-x: no such option"* ]]
	run -2 ctl write logs -p=x
	[[ $output == *"--progress: cannot be 'x' (it wants json)"* ]]
}

@test "-p=json prints objects" {
	need_json
	run -0 --separate-stderr eval 'ctl write logs --progress=json <<<hello'
	[[ ${stderr_lines[-1]} == '{"v":1,"name":"logs","chunks":1,"bytes":6,'* ]]
	run -0 --separate-stderr ctl read logs -p=json
	[[ ${stderr_lines[-1]} == '{"v":1,"name":"logs","chunks":1,"bytes":6,'* ]]
	run -0 --separate-stderr ctl write logs -p=json <<<hello
	for key in bytes_per_s elapsed_ns in_flight capacity; do
		json $key <<<"${stderr_lines[-1]}" >/dev/null
	done
	ctl rm logs
}
