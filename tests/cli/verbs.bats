#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What each verb prints and how it exits, where no two processes have to meet.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

@test "help lists every verb on stdout and exits 0" {
	run -0 --separate-stderr ctl help
	[ -z "$stderr" ]
	for verb in create write read tee exec open send listen ls stat top rm eof wait bench daemon doctor completion help; do
		[[ $output == *$'\n'"  $verb "* ]]
	done
	run -0 ctl --help
	[[ $output == usage:* ]]
}

@test "VERB --help has usage, two examples and options, needs no broker and no name" {
	for verb in create write read tee exec open send listen ls stat top rm eof wait bench daemon doctor completion help; do
		run -0 --separate-stderr ctl "$verb" --help
		[ -z "$stderr" ]
		[[ ${lines[0]} == "usage: bstreamctl [GLOBAL] $verb"* ]]
		[ "$(sed -n '/^examples:/,/^$/p' <<<"$output" | grep -c '^  ')" -eq 2 ]
		[[ $output == *"--help"* ]]
		[ "$output" = "$(ctl help "$verb")" ]
		[ "$output" = "$(ctl -h "$verb")" ]
	done
	[ "$(broker_pid)" -eq 0 ]
}

@test "write's help has every option of write and create" {
	run -0 ctl write --help
	for option in --capacity --chunk-max --max-writers --keep --mode --sealed --no-create \
		--frame --timeout --drain --rate -p; do
		[[ $output == *"$option"* ]]
	done
}

# options_of VERB - the options of its own that help knows, in all their spellings
options_of() {
	ctl help "$1" | sed '/^global options/,$d' | sed -nE 's/^  (-[^ [,]*)[^ ,]*(, (--[a-z-]*))?.*/\1\n\3/p' | grep . || true
}

@test "bstreamctl(1) has every verb and every option of help" {
	page=$BATS_TEST_DIRNAME/../../man/bstreamctl.1.scd
	options_of create | sort >of-create
	[ -s of-create ]
	for verb in $(ctl help | sed -n '/^verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		grep -q "^\*bstreamctl\* \*$verb\*" "$page"
		[ "$verb" != help ] || continue
		awk -v verb="$verb" '/^#/ { inside = $1 == "##" && $2 == verb } inside' "$page" >section
		[ -s section ]
		options_of "$verb" | sort >of-verb
		if grep -q 'options of \*create\*' section; then
			comm -23 of-verb of-create >of-verb-alone
			mv of-verb-alone of-verb
		fi
		while read -r option; do
			grep -qF -e "*$option*" section || {
				echo "$verb: nothing of $option"
				return 1
			}
		done <of-verb
	done
}

@test "--version names the versions of wire and layout" {
	run -0 ctl --version
	[[ $output =~ ^bstreamctl\ [0-9.]+\ \(.*wire\ [0-9]+,\ layout\ [0-9]+\)$ ]]
	run -0 ctl -V
}

@test "wrong usage is exit 2, one line on stderr, nothing on stdout" {
	while read -r line; do
		read -ra arguments <<<"$line"
		run -2 --separate-stderr ctl "${arguments[@]}"
		[ -z "$output" ]
		[[ $stderr == "bstreamctl: "* ]]
		[ "$(wc -l <<<"$stderr")" -eq 1 ]
	done <<-'EOL'
		frobnicate
		help frobnicate
		--frobnicate
		-Z
		--json=3 ls
		--color=sometimes ls
		--user --system ls
		create
		create a b
		create a --capacity
		create a --capacity many
		--socket=
		--socket= ls
		create a --capacity -1
		create a --capacity 99999999999
		create a --chunk-max 64Q
		create a --chunk-max 0
		create a --max-writers 0
		create a --max-writers 5000
		create a --mode 8
		create a --mode 01777
		create a --keep=nobody
		write
		write a --frame words
		write a --frame fixed:0
		write a --frame fixed:
		write a --rate fast
		write a --timeout soon
		read
		read a b
		read a --count some
		ls -o NAME,FROBS
		stat
		rm
		wait a
		wait a --for=godot
		eof
		daemon
		daemon dance
	EOL
	ctl -q daemon stop || [ $? -eq 4 ]
}

@test "names that cannot be are exit 2, and are printed without their control bytes" {
	for name in '' /a .a 'a b' $'a\nb' $'a\e[31m' 'ä' 'a:b' "$(printf 'a%.0s' {1..201})"; do
		for verb in create write read stat rm eof "wait --for=exists"; do
			# shellcheck disable=SC2086 # a verb and its option
			run -2 ctl $verb "$name"
			[ "$(wc -l <<<"$output")" -eq 1 ]
			[[ $output != *$'\e'* ]]
		done
	done
	[[ $(ctl rm $'a\e[31m' 2>&1) == *'a\x1b[31m'* ]]
}

@test "names may have 200 bytes of what is allowed" {
	name=$(printf 'a%.0s' {1..192})-_./Zz09
	[ ${#name} -eq 200 ]
	ctl create "$name"
	[ "$(ctl ls --no-headings -o NAME)" = "$name" ]
	ctl rm "$name"
}

@test "create makes a stream that waits for its reader; a second one is exit 9" {
	ctl create a
	run -9 ctl create a
	[[ $output == "bstreamctl: a: "* ]]
	[ "$(field a state)" = new ]
	ctl rm a
	ctl create a
	ctl rm a
}

@test "create takes capacity, chunk-max, max-writers and mode" {
	ctl create a --capacity 3 --chunk-max 2K --max-writers=5 --mode 0640
	run -0 ctl stat a
	[[ $output == *"0/3 chunks"* ]]
	[[ $output == *"2.00 KiB"* ]]
	[[ $output == *"5 at most"* ]]
	[[ $output == *"mode 0640"* ]]
	ctl create b --capacity 0
	[ "$(field b fill)" = 0/1 ]
	ctl rm a b
}

@test "no space for a stream is exit 6, and nothing is made" {
	run -6 ctl create a --chunk-max 1G --capacity $(($(df --output=size -BG /dev/shm | tail -n 1 | tr -dc 0-9) + 9))
	run -0 ctl ls --no-headings
	[ -z "$output" ]
}

@test "a stream that does not exist is exit 3" {
	for verb in "read --no-wait" "write --no-create" stat rm eof "wait --for=empty" "wait --for=end"; do
		# shellcheck disable=SC2086 # a verb and its option
		run -3 ctl $verb nobody </dev/null
		[[ $output == "bstreamctl: nobody: no such stream"* ]]
	done
}

@test "rm removes several, goes on after one that is not there, and -f does not mind" {
	ctl create a
	ctl create b
	run -3 ctl rm a nobody b
	[ "$(wc -l <<<"$output")" -eq 1 ]
	[ -z "$(ctl ls --no-headings)" ]
	run -0 ctl rm -f nobody
	[ -z "$output" ]
}

@test "-q says nothing but on wrong usage, -v says more" {
	run -3 ctl -q stat nobody
	[ -z "$output" ]
	run -2 ctl -q stat
	[ -n "$output" ]
	run -0 ctl -v create a
	[[ $output == "bstreamctl: a: created" ]]
	run -0 ctl -v eof a
	[[ $output == "bstreamctl: a: no write end is kept any more ("* ]]
	run -0 ctl -v rm a
	[ "$output" = "bstreamctl: a: removed" ]
	run -0 ctl -v rm -f a
	[ "$output" = "bstreamctl: a: was not there" ]
	run -0 ctl rm -f a
	[ -z "$output" ]
}

@test "--socket: a path that cannot be is wrong usage, and says what is wrong with it" {
	run -2 ctl --socket '' ls
	[ "$output" = "bstreamctl: --socket: is empty (it wants the path of a broker's socket)" ]
	run -2 ctl --socket "$(printf '%0200d' 1)" ls
	[ "$output" = "bstreamctl: --socket: the path is too long (choose a shorter one)" ]
}

@test "exit 8: what is no stream, or one of a layout or with features that are not known, in words of its own" {
	local at bytes words
	while read -r at bytes words; do
		ctl create a
		# shellcheck disable=SC2059 # bytes
		printf "$bytes" | dd of="$(compgen -G "/dev/shm/$(segment_prefix "$socket")*")" bs=1 seek="$at" conv=notrunc status=none
		for verb in 'read a' 'write a' 'stat a'; do
			# shellcheck disable=SC2086 # a verb and its operand
			run -8 ctl $verb </dev/null
			[[ $output == "bstreamctl: a: $words"* ]]
			[ "$(wc -l <<<"$output")" -eq 1 ]
		done
		ctl rm a
	done <<-'EOL'
		0 B not a stream, or a corrupt one
		8 \t the stream is of layout 9, this bstreamctl knows layout 1 (
		12 \200 this bstreamctl does not know the features 0x80 of the stream's layout 1 (
	EOL
}

@test "timeouts are exit 124: for the name, for data, for room, for the reader, for a wait" {
	run -124 ctl read nobody --timeout 50ms
	run -124 ctl write nobody --no-create --timeout 0.05 </dev/null
	run -124 ctl wait nobody --for=exists --timeout 50ms
	ctl create a --capacity 1
	run -124 ctl wait a --for=reader --timeout 0
	run -124 ctl write a --frame line --timeout 50ms <<<$'one\ntwo'
	run -7 ctl read a --frame line
	[[ ${lines[0]} == one ]]
	ctl create b
	run -124 ctl write b --drain --timeout 50ms <<<x
	[[ $output == *"timed out"* ]]
	ctl rm b
	ctl create c
	run -124 ctl read c --timeout 50ms
}

@test "ls shows name, state, fill, chunks, rate, writers, reader and age" {
	run -0 ctl ls
	[[ $output =~ ^NAME\ +STATE\ +FILL\ +CHUNKS\ +RATE\ +WRITERS\ +READER\ +AGE$ ]]
	ctl create new/one
	ctl write waiting <<<hello
	ctl create full --capacity 1
	start write full --frame line <<<$'one\ntwo'
	writer=$pid
	until_eval '[[ $(ctl stat full) == *"waits for room"* ]]'
	run -0 ctl ls
	[[ ${lines[1]} =~ ^full\ +full\ +1/1\ +1\ +0\ +1\ +-\ +[0-9]+s\ +1\ writer\ blocked\ [0-9]+\ s,\ no\ reader$ ]]
	[[ ${lines[2]} =~ ^new/one\ +new\ +0/16\ +0\ +0\ +0\ +-\ +[0-9]+s$ ]]
	[[ ${lines[3]} =~ ^waiting\ +ended\ +1/16\ +1\ +0\ +0\ +-\ +[0-9]+s$ ]]
	ageless() { # the age and the time that somebody is blocked go on between two looks
		ctl "$@" | sed -E 's/ +/ /g; s/[0-9]+ ?[sm]\b/AGE/g'
	}
	[ "$(ageless)" = "$(ageless ls)" ]
	[[ $(ageless) == *" AGE 1 writer blocked AGE, no reader"* ]]
	[ "$(ctl read full --frame line)" = $'one\ntwo' ]
	finish "$writer" 0
	ctl rm new/one waiting
}

@test "ls takes patterns, columns and --no-headings, and colours when told" {
	ctl create log/a
	ctl create log/b
	ctl create other
	[ "$(ctl ls --no-headings -o name 'log*')" = $'log/a\nlog/b' ]
	[ "$(ctl ls --no-headings -o NAME other 'lo?/b')" = $'log/b\nother' ]
	[ -z "$(ctl ls --no-headings nobody)" ]
	[ "$(ctl ls -o NAME,CHUNK-MAX,KEEP other | tail -1)" = "other  64.0 KiB   -" ]
	[[ $(ctl ls --color=always) == *$'\e['* ]]
	[[ $(ctl ls --color=never) != *$'\e['* ]]
	[[ $(ctl ls) != *$'\e['* ]]
	ctl rm log/a log/b other
}

@test "ls colours a terminal, but not a dumb one, none of unknown kind, and not with NO_COLOR" {
	command -v script >/dev/null || skip "no script(1)"
	in_terminal() {
		env "$@" script -qec "\"$BSTREAMCTL\" ls" /dev/null </dev/null
	}
	ctl create a
	[[ $(in_terminal TERM=xterm) == *$'\e['*NAME* ]]
	[[ $(in_terminal TERM=xterm NO_COLOR=) == *$'\e['*NAME* ]]
	for setting in TERM=dumb TERM= '-u TERM' 'TERM=xterm NO_COLOR=1'; do
		# shellcheck disable=SC2086 # words for env
		run -0 in_terminal $setting
		[[ $output == *NAME* ]]
		[[ $output != *$'\e'* ]]
	done
	ctl rm a
}

@test "stat shows both ends with pid, command and user, and what they wait for" {
	ctl create a
	start read a
	reader=$pid
	ctl wait a --for=reader
	user=$(id -un 2>/dev/null || id -u)
	until_eval '[[ $(ctl stat a) == *"reader"*"waits for a chunk, "* ]]'
	run -0 ctl stat a
	[[ $output == *"bstreamctl[$reader], user $user, 0 chunks, 0 B, waits for a chunk, "* ]]
	open_input
	start write a <in
	writer=$pid
	ctl wait a --for=writer
	run -0 ctl stat a
	[[ $output == *"writer"*"bstreamctl[$writer], user $user"* ]]
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
}

@test "wait waits for a name, a reader, a writer, an empty stream and an end" {
	for what in exists reader writer; do
		start wait a --for=$what
		eval "$what=\$pid"
		[ $what != exists ] || { ctl create a && finish "$exists" 0; }
	done
	open_input
	start read a >out
	read=$pid
	finish "$reader" 0
	start write a <in
	write=$pid
	finish "$writer" 0
	echo hello >&9
	until_true test -s out
	ctl wait a --for=empty
	start wait a --for=end
	end=$pid
	until_true grep -qsF /dev/shm/ "/proc/$end/maps" # it looks at the stream
	exec 9>&-
	finish "$end" 0
	finish "$write" 0
	finish "$read" 0
	[ "$(cat out)" = hello ]
}

@test "eof leaves a stream alone that keeps no writers" {
	ctl create a
	ctl eof a
	[ "$(field a state)" = new ]
	ctl rm a
}

@test "daemon starts, shows and stops the broker; without one, status and stop are exit 4" {
	run -4 ctl daemon status
	run -4 ctl daemon stop
	run -0 ctl daemon start
	[ -z "$output" ]
	run -0 ctl -v daemon start
	[[ $output == *"running already"* ]]
	run -0 ctl daemon status
	[[ $output =~ versions\ +wire\ [0-9]+,\ layout\ [0-9]+,\ features\ 0x[0-9a-f]+ ]]
	[[ $output =~ pid\ +[0-9]+ ]]
	broker=$(broker_pid)
	run -0 ctl daemon stop
	gone "$broker"
	run -4 ctl daemon status
}

@test "output that cannot be written is exit 1" {
	[ -e /dev/full ] || skip "no /dev/full"
	run -1 eval 'ctl ls >/dev/full'
	[[ $output == *"stdout: No space left on device"* ]]
	ctl write a <<<hello
	run -1 eval 'ctl read a >/dev/full'
	[[ $output == *"stdout: No space left on device"* ]]
}

@test "input that cannot be read is exit 1, and makes no stream" {
	run -1 ctl write a "$dir/none"
	run -1 ctl write a "$dir"
	run -0 ctl ls --no-headings
	[ -z "$output" ]
}

@test "--json: ls prints one object a line, with v first and the keys of struct bstream_stat" {
	need_json
	ctl create a --capacity 3 --chunk-max 2K
	ctl write b <<<hello
	ctl --json ls >objects
	[ "$(wc -l <objects)" -eq 2 ]
	[ "$(grep -c '^{"v":1,' objects)" -eq 2 ]
	while read -r object; do
		for key in name capacity chunk_max max_writers keep mode uid gid in_flight writers \
			reader flags reader_pid writer_pid chunks_written chunks_read \
			chunks_abandoned bytes_written bytes_read writer_waits reader_waits \
			created_ns; do
			json $key <<<"$object" >/dev/null
		done
	done <objects
	[ "$(head -1 objects | json chunk_max)" = 2048 ]
	[ "$(tail -1 objects | json bytes_written)" = 6 ]
	[ "$(tail -1 objects | json in_flight)" = 1 ]
	[ "$(ctl ls --json)" = "$(ctl --json)" ]
	ctl rm a b
}

@test "--json: stat prints one object a stream, with its ends" {
	need_json
	ctl create a
	ctl create b
	start read a
	ctl wait a --for=reader
	run -0 ctl stat --json a b
	[ ${#lines[@]} -eq 2 ]
	[ "$(json reader_pid <<<"${lines[0]}")" = "$pid" ]
	[[ $(json ends <<<"${lines[0]}") == *'"command":'*'"bstreamctl"'* ]]
	[ "$(json ends <<<"${lines[1]}")" = "[]" ]
	ctl rm b
	ctl write a </dev/null
	finish "$pid" 0
}

@test "--json: daemon status prints one object with the pid" {
	need_json
	ctl daemon start
	run -0 ctl daemon status --json
	[[ $output == '{"v":1,"pid":'* ]]
	pid=$(json pid <<<"$output")
	[ -e "/proc/$pid" ]
	[ "$(broker_pid)" -eq "$pid" ]
}

@test "a sealed stream says so, and has no file" {
	run -0 ctl create --sealed --capacity 4 s
	run -0 ctl stat s
	[[ $output =~ sealed\ +yes ]]
	printf 'hello' | run -0 ctl write s
	run -0 ctl read s
	[ "$output" = hello ]
	run -0 env BSTREAM_SEALED=1 "$BSTREAMCTL" create t
	run -0 ctl stat t
	[[ $output =~ sealed\ +yes ]]
	run -0 ctl rm t
}
