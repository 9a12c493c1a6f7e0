#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Framing: where input is cut into chunks, and what is put around chunks on output.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

# chunks NAME - how many chunks were written to it
chunks() { field "$1" written; }

@test "an empty input writes no chunk, but the stream ends" {
	for frame in raw line nul len32 fixed:3; do
		ctl write a --frame $frame </dev/null
		[ "$(chunks a)" -eq 0 ]
		[ "$(field a state)" = ended ]
		run -0 ctl read a
		[ -z "$output" ]
	done
}

@test "raw: what one read gives is one chunk, and takes one slot" {
	ctl write a --capacity 1 <<<hello
	[ "$(chunks a)" -eq 1 ]
	[ "$(field a fill)" = 1/1 ]
	[ "$(ctl read a)" = hello ]
	open_input
	start write a <in
	for word in one two three; do
		printf %s $word >&9
		until_eval '[ "$(field a written)" = '${#word}' ] || [ "$(ctl stat a | grep -c "fill *[1-3]/")" -eq 1 ]'
	done
	exec 9>&-
	finish "$pid" 0
	[ "$(ctl read a)" = onetwothree ]
}

@test "raw: files, a file, a device and stdin in between" {
	seq 100000 >file
	: >empty
	start read a >got
	echo tail | ctl write a file empty - /dev/null file
	finish "$pid" 0
	cat file - file <<<tail | cmp - got
	ctl write a /proc/self/status # a file that says it is empty
	ctl read a | grep -q '^Name:'
}

@test "line: a record is a chunk, its newline comes back, a last one without gets one" {
	printf 'one\n\nthree' | ctl write a --frame line
	[ "$(chunks a)" -eq 3 ]
	[ "$(ctl read a --frame line | od -An -c | tr -d ' \n')" = 'one\n\nthree\n' ]
	printf 'one\n\nthree' | ctl write a --frame line
	[ "$(ctl read a)" = onethree ]
}

@test "nul: as line, with zero bytes" {
	printf 'one\0\0three' | ctl write a --frame nul
	[ "$(chunks a)" -eq 3 ]
	[ "$(ctl read a --frame nul | od -An -c | tr -d ' \n')" = 'one\0\0three\0' ]
}

@test "len32: big-endian length before each record, empty ones too" {
	printf '\0\0\0\003one\0\0\0\0\0\0\0\005three' >in
	ctl write a --frame len32 in
	[ "$(chunks a)" -eq 3 ]
	ctl read a --frame len32 | cmp - in
	ctl write a --frame len32 <in
	[ "$(ctl read a --frame line)" = $'one\n\nthree' ]
}

@test "len32: an input that ends inside a record is exit 1, and names the record" {
	printf '\0\0\0\003one\0\0\0\005thr' >in
	run -1 ctl write a --frame len32 in
	[[ $output == *"record 2"* ]]
	run -7 ctl read a
	[[ $output == one* ]]
	printf '\0\0' >in
	run -1 ctl write a --frame len32 in
	run -7 ctl read a
}

@test "fixed: records of N bytes, the last may be short" {
	printf 1234567 >in
	ctl write a --frame fixed:3 <in
	[ "$(chunks a)" -eq 3 ]
	[ "$(ctl read a --frame line)" = $'123\n456\n7' ]
	head -c 100000 /dev/zero >in
	ctl write a --frame fixed:32K in
	[ "$(chunks a)" -eq 4 ]
	ctl read a --frame fixed:32K | cmp - in
	head -c 100000 /dev/zero | ctl write a --frame fixed:32K
	[ "$(chunks a)" -eq 4 ]
	ctl rm a
}

@test "a record larger than chunk-max is exit 1 and names its number and size" {
	{
		echo small
		head -c 70000 /dev/zero | tr '\0' x
		echo
	} >in
	for from in file pipe; do
		if [ $from = file ]; then
			run -1 ctl write a --frame line in
		else
			run -1 eval 'cat in | ctl write a --frame line'
		fi
		[[ $output == *"record 2 has 70000 bytes"*65536* ]]
		run -7 ctl read a --frame line
		[[ $output == small* ]]
	done
	printf '\0\0\0\001x\377\0\0\0' | run -1 ctl write a --frame len32
	run -7 ctl read a
	run -1 ctl write a --chunk-max 4 --frame nul < <(printf '123\0001234567\0')
	[[ $output == *"record 2 has 7 bytes"* ]]
	run -7 ctl read a
	run -1 ctl write a --chunk-max 4 --frame fixed:5 <<<123456
	[[ $output == *"record 1 has 5 bytes"* ]]
	run -7 ctl read a
}

@test "a record without end does not hang, and is named by what is known of it" {
	open_input
	start write a --chunk-max 10 --frame line <in 2>said
	printf 'one\n12345678901234' >&9
	finish "$pid" 1
	grep -q 'record 2 has at least 14 bytes' said
	exec 9>&-
	run -7 ctl read a
}

@test "a record of exactly chunk-max fits, in every framing" {
	printf '1234\n' | ctl write a --chunk-max 4 --frame line
	[ "$(ctl read a)" = 1234 ]
	printf '1234\0' | ctl write a --chunk-max 4 --frame nul
	[ "$(ctl read a)" = 1234 ]
	printf '\0\0\0\0041234' | ctl write a --chunk-max 4 --frame len32
	[ "$(ctl read a)" = 1234 ]
	printf 12341234 | ctl write a --chunk-max 4 --frame fixed:4
	[ "$(ctl read a)" = 12341234 ]
	printf 123412 | ctl write a --chunk-max 4
	[ "$(ctl read a)" = 123412 ]
}

@test "each file's last record ends with the file" {
	printf 'a\nb' >one
	printf 'c\n' >two
	ctl write a --frame line one two
	[ "$(ctl read a --frame line)" = $'a\nb\nc' ]
}

@test "four writers of lines at once: every line whole, each writer's in order" {
	n=20000
	[ "$slow" -eq 1 ] || n=4000
	ctl create a
	writers=()
	for k in 1 2 3 4; do
		start write a --frame line < <(seq -f "writer $k line %.0f $(printf 'x%.0s' $(seq $((k * 7))))" $n)
		writers+=("$pid")
	done
	# No writer may be the last before all have begun.
	until_eval '[ "$(ctl ls --no-headings -o WRITERS a | cut -d" " -f1)" -eq 4 ]'
	ctl read a --frame line >got
	for pid in "${writers[@]}"; do
		finish "$pid" 0
	done
	[ "$(wc -l <got)" -eq $((4 * n)) ]
	for k in 1 2 3 4; do
		grep "^writer $k " got >one
		seq -f "writer $k line %.0f $(printf 'x%.0s' $(seq $((k * 7))))" $n | cmp - one
	done
}

@test "--rate holds the writer back" {
	head -c 40000 /dev/zero >in
	start read a >got
	before=$(date +%s%N)
	ctl write a --rate 100kB in # takes 0.4 s, less what may be saved up
	ms=$((($(date +%s%N) - before) / 1000000))
	finish "$pid" 0
	echo "$ms ms"
	[ $ms -ge 250 ]
	cmp in got
}

@test "--drain returns when the reader has taken all" {
	ctl create a
	start write a --drain <<<hello
	writer=$pid
	ctl wait a --for=writer
	until_eval '[[ $(ctl stat a) == *"writer"*"waits for the reader to take all"* ]]'
	[ "$(ctl read a)" = hello ]
	finish "$writer" 0
}

@test "-p shows name, bytes, rate and fill on stderr; --progress=json an object" {
	# The last line is that of the end; where it takes longer than a second there are others before it.
	run -0 --separate-stderr ctl write a -p <<<hello
	[[ ${stderr_lines[-1]} =~ ^a\ \ 6\ B\ \ [0-9].*\ \ fill\ 1/16$ ]]
	[ -z "$output" ]
	run ! grep -v '^a  [06] B  [0-9]' <<<"$stderr"
	run -0 --separate-stderr ctl read a -p
	[ "$output" = hello ]
	[[ ${stderr_lines[-1]} =~ ^a\ \ 6\ B\ \  ]]
	need_json
	run -0 --separate-stderr ctl write a --progress=json <<<hello
	[[ ${stderr_lines[-1]} == '{"v":1,'* ]]
	[ "$(json bytes <<<"${stderr_lines[-1]}")" = 6 ]
	ctl rm a
}

@test "SIGUSR1 prints one line of progress, from a reader that waits and a writer that waits" {
	open_input
	start read a 2>read-said
	reader=$pid
	start write a <in 2>write-said
	writer=$pid
	# An end that is there may not know so yet itself; once a chunk has passed, both do.
	echo hello >&9
	until_eval '[ "$(field a read)" = 1 ]'
	# Each counts behind the call that passes the chunk, and then waits for the next.
	until_eval '[[ $(ctl stat a) == *"waits for a chunk"* ]]'
	until_true asleep "$writer"
	kill -USR1 "$reader" "$writer"
	until_true test -s read-said
	until_true test -s write-said
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
	for said in read-said write-said; do
		[ "$(wc -l <$said)" -eq 1 ]
		[[ $(cat $said) =~ ^a\ \ 6\ B\ \ [0-9].*\ \ fill\ 0/16$ ]]
	done
}

@test "SIGUSR1 prints one line of progress, from a reader that waits for the name" {
	start read a 2>said
	until_eval 'grep -q "^SigCgt:.*[2367abef]..$" /proc/'"$pid"'/status' # 10 is caught
	for n in 1 2; do
		kill -USR1 "$pid"
		until_eval '[ "$(wc -l <said)" -eq '$n' ]'
	done
	ctl write a </dev/null
	finish "$pid" 0
	[[ $(sort -u said) == 'a  0 B  0' ]]
}

@test "--count leaves after so many chunks; without --keep=reader the stream breaks" {
	printf 'one\ntwo\nthree\n' | ctl write a --frame line
	[ "$(ctl read a --frame line --count 2)" = $'one\ntwo' ]
	run -3 ctl stat a # broken, and the last end has gone
	printf 'one\n' | ctl write a --frame line
	[ "$(ctl read a --frame line --count 2)" = one ]
}
