#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# listen, open and send: streams to whoever listens, and jobs for them.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

# listening MAILBOX ARGUMENTS... - starts listen; its pid is in $listen
listening() {
	start listen "$@"
	listen=$pid
	ctl wait "$1" --for=mailbox
}

@test "an inetd: ten open at once, four jobs, every file arrives whole" {
	mkdir files up
	for i in {0..9}; do
		head -c $((i * 700000 / slow)) /dev/urandom >"files/$i"
	done
	start listen up --jobs 4 --count 10 -- sh -c 'gzip > up/$BSTREAM_NOTE.gz'
	listen=$pid
	openers=()
	for i in {0..9}; do
		start open up --note "$i" --timeout 60s <"files/$i"
		openers+=("$pid")
	done
	for pid in "${openers[@]}"; do
		finish "$pid" 0
	done
	finish "$listen" 0
	for i in {0..9}; do
		gzip -dc "up/$i.gz" | cmp - "files/$i"
	done
	[ "$(compgen -G 'up/*' | wc -l)" -eq 10 ]
}

@test "--jobs is how many run at once, and the rest waits in the mailbox" {
	mkfifo gate
	listening box --jobs 2 --count 5 -- sh -c 'echo >"began.$BSTREAM_NOTE"; read line <gate'
	for i in 1 2 3 4 5; do
		ctl send box --note $i
	done
	until_eval '[ "$(compgen -G "began.*" | wc -l)" -ge 2 ]'
	# Two wait at the gate. None of the others begins before one has passed.
	until_eval '[ "$(pgrep -c -P $listen)" -eq 2 ]'
	[ "$(compgen -G 'began.*' | wc -l)" -eq 2 ]
	exec 8<>gate
	for i in 1 2 3 4 5; do
		echo go >&8
	done
	finish "$listen" 0
	[ "$(compgen -G 'began.*' | wc -l)" -eq 5 ]
	exec 8>&-
}

@test "a job knows who sent the message, and what the note was" {
	export BSTREAM_NOTE=mine BSTREAM_FDS=9:r:none
	listening box --count 1 -- sh -c 'echo "$BSTREAM_NOTE|$BSTREAM_PID|$BSTREAM_UID|${BSTREAM_FDS-none}" >got; env | grep -c ^BSTREAM_NOTE= >>got; cat >>got'
	unset BSTREAM_NOTE BSTREAM_FDS
	start open box --note $'two words\n"$(and more)' <<<hello
	sender=$pid
	finish "$sender" 0
	finish "$listen" 0
	[ "$(cat got)" = $'two words\n"$(and more)|'"$sender|$(id -u)"$'|none\n1\nhello' ]
}

@test "without a command: streams go to stdout one after the other, notes stand on lines of their own" {
	listening box --count 4 >got
	ctl open box <<<hello
	ctl send box --note 'a note'
	seq 3 | ctl open box --frame line --capacity 1 --drain | cat
	ctl send box
	finish "$listen" 0
	[ "$(cat got)" = $'hello\na note\n123' ]
	listening box --count 1 --frame line >got
	seq 3 | ctl open box --frame line
	finish "$listen" 0
	[ "$(cat got)" = "$(seq 3)" ]
}

@test "chunks of streams that are put out at once do not mix" {
	local n=$((3000 / slow))
	listening box --count 3 --jobs 3 --frame line >got
	senders=()
	for i in a b c; do
		start open box --frame line --capacity 2 < <(seq -f "$i %g" $n)
		senders+=("$pid")
	done
	for pid in "${senders[@]}"; do
		finish "$pid" 0
	done
	finish "$listen" 0
	for i in a b c; do
		grep "^$i " got | cmp - <(seq -f "$i %g" $n)
	done
	[ "$(wc -l <got)" -eq $((3 * n)) ]
}

@test "a message without a read end: the command gets an empty stdin" {
	listening box --count 1 -- sh -c 'wc -c; echo "$BSTREAM_NOTE"' >got <<<"not this"
	ctl send box --note hello
	finish "$listen" 0
	[ "$(cat got)" = $'0\nhello' ]
}

@test "a note does nothing to a terminal" {
	command -v script >/dev/null || skip "no script(1)"
	script -qec "\"$BSTREAMCTL\" listen box --count 1" /dev/null >got </dev/null 3>&- &
	pids+=($!)
	ctl wait box --for=mailbox
	ctl send box --note $'red \e[31m \r\a'
	wait $!
	grep -qF 'red \x1b[31m \x0d\x07' got
	run -1 grep -q $'\e' got
}

@test "--json prints each message as an object, v first; what cannot be UTF-8 is in hex, too" {
	need_json
	listening box --count 3 --json >got
	ctl send box --note $'ä "quoted"\e'
	ctl send box --note $'\xff'
	ctl open box --note stream <<<"not printed"
	finish "$listen" 0
	[ "$(grep -c '^{"v":1,' got)" -eq 3 ]
	[ "$(wc -l <got)" -eq 3 ]
	grep -qF '"note":"ä \"quoted\"\u001B"' got
	[ "$(sed -n 1p got | json stream)" = false ]
	[ "$(sed -n 2p got | json note_hex)" = ff ]
	[ "$(sed -n 3p got | json note)" = stream ]
	[ "$(sed -n 3p got | json stream)" = true ]
	[ "$(sed -n 3p got | json uid)" = "$(id -u)" ]
	[ "$(sed -n 3p got | json mailbox)" = box ]
}

@test "a job that fails is said, and exit 1 at the end; the others are served" {
	listening box --count 4 -- sh -c 'cat >>got; test "$BSTREAM_NOTE" != bad || exit 3; test "$BSTREAM_NOTE" != worse || kill -9 $$' 2>said
	for note in good bad worse good; do
		ctl open box --note $note <<<$note
	done
	finish "$listen" 1
	[ "$(cat got)" = $'good\nbad\nworse\ngood' ]
	[ "$(cat said)" = "bstreamctl: box: sh exited 3 (its note: 'bad')
bstreamctl: box: sh was killed by signal 9 (its note: 'worse')" ]
}

@test "a sender that dies: the job sees its end, listen says so and exits 1" {
	open_input
	listening box --count 1 -- sh -c 'cat >got' 2>said
	start open box <in
	sender=$pid
	echo half >&9
	until_true test -s got
	kill -KILL "$sender"
	finish "$sender" 137
	finish "$listen" 1
	exec 9>&-
	[ "$(cat got)" = half ]
	grep -q '^bstreamctl: box: a writer died' said
}

@test "a command that does not read: the sender exits 10, listen goes on" {
	listening box --count 2 -- true
	run -10 eval 'ctl open box </dev/zero'
	[[ $output == "bstreamctl: box: the reader is gone"* ]]
	open_input
	start open box <in
	finish "$pid" 10
	exec 9>&-
	finish "$listen" 0
}

@test "listen is killed: who was being read exits 10, and so does who was waiting" {
	mkfifo gate
	exec 8<>gate
	listening box -- sh -c 'echo $$ >job; read line <gate' 8>&-
	start open box </dev/zero
	first=$pid
	until_true test -s job
	start open box </dev/zero
	second=$pid
	kill -KILL "$listen"
	finish "$listen" 137
	finish "$first" 10
	finish "$second" 10 || [ "$code" -eq 3 ] # it had come too late
	run -3 ctl send box
	echo go >&8
	until_true gone "$(cat job)" # it was nobody's child any more
	exec 8>&-
}

@test "SIGQUIT: nothing more is received, what has begun ends well, and another listens meanwhile" {
	listening box --jobs 2 -- sh -c 'cat >"got.$BSTREAM_NOTE"'
	local old=$listen
	open_input
	start open box --note first <in
	sender=$pid
	echo one >&9
	until_true grep -qs one got.first
	kill -QUIT "$old"
	until_eval '! ctl -q wait box --for=mailbox --timeout 0'
	listening box --count 1 -- sh -c 'cat >"got.$BSTREAM_NOTE"'
	ctl open box --note second <<<other
	finish "$listen" 0
	[ "$(cat got.second)" = other ]
	echo two >&9
	exec 9>&-
	finish "$sender" 0
	finish "$old" 0
	[ "$(cat got.first)" = $'one\ntwo' ]
}

@test "SIGQUIT while every job is busy counts at once; a job that fails is exit 1; idle, it is exit 0" {
	mkfifo gate
	exec 8<>gate
	listening box -- sh -c 'echo >began; read line <gate; exit 3' 2>said
	ctl send box
	until_true test -e began
	kill -QUIT "$listen"
	until_eval '! ctl -q wait box --for=mailbox --timeout 0'
	echo go >&8
	finish "$listen" 1
	[ "$(cat said)" = "bstreamctl: box: sh exited 3 (its note: '')" ]
	listening box 8>&-
	kill -QUIT "$listen"
	finish "$listen" 0
	exec 8>&-
}

@test "SIGTERM cuts, behind SIGQUIT, too: the command sees an end, who writes exits 10" {
	local before signals
	for signals in TERM "QUIT TERM"; do
		listening box -v -- sh -c 'echo $$ >job; cat >got; echo ended >>got' 2>said
		start open box </dev/zero
		before=$pid
		until_true test -s got
		for signal in $signals; do
			kill -"$signal" "$listen"
			[ "$signal" != QUIT ] || until_true grep -q 'told to end, jobs that go on: 1' said
		done
		finish "$listen" 143
		finish "$before" 10
		until_true gone "$(cat job)" # it was nobody's child any more
		tail -c 6 got | grep -qa ended
		rm got
	done
}

@test "a command has those signals blocked that listen was started with" {
	listening box --count 1 -- grep SigBlk /proc/self/status >got
	ctl send box
	finish "$listen" 0
	start_command grep SigBlk /proc/self/status >expected
	finish "$pid" 0
	cmp got expected
}

@test "listen cannot print: that is said once, and is exit 125" {
	for json in '' --json; do
		[ -z "$json" ] || (need_json) || continue
		# shellcheck disable=SC2086 # none, or one word
		listening box $json >/dev/full 2>said
		ctl send box --note hello
		finish "$listen" 125
		[ "$(cat said)" = 'bstreamctl: stdout: No space left on device' ]
	done
}

@test "nobody listens: exit 3; --timeout waits for somebody, or is exit 124" {
	run -3 ctl open box <<<hello
	[[ $output == "bstreamctl: box: nobody listens there ("* ]]
	run -3 ctl send box
	run -3 ctl send box --reader nobody
	run -124 ctl open box --timeout 50ms <<<hello
	run -124 ctl send box --timeout 50ms
	start send box --note hello --timeout 60s
	sender=$pid
	start listen box --count 1 >got
	listen=$pid
	finish "$sender" 0
	finish "$listen" 0
	[ "$(cat got)" = hello ]
}

@test "a mailbox that is full: --timeout is exit 124, without it room is waited for" {
	mkfifo gate
	exec 8<>gate
	listening box -- sh -c 'echo $$ >>begun; read line <gate' 8>&-
	local n=0 job
	until [ $n -gt 10000 ] || ! ctl -q send box --timeout 50ms; do n=$((n + 1)); done
	[ $n -ge 16 ]
	run -124 ctl send box --timeout 50ms
	[[ $output == "bstreamctl: box: timed out: the mailbox is full" ]]
	ctl write a <<<"not lost"
	run -124 ctl send box --reader a --timeout 50ms
	[ "$(ctl read a --no-wait)" = "not lost" ]
	start send box
	echo go >&8
	finish "$pid" 0
	until_eval '[ "$(wc -l <begun)" -eq 2 ]'
	kill -TERM "$listen"
	finish "$listen" 143
	echo go >&8
	while read -r job; do
		until_true gone "$job" # the second was nobody's child any more
	done <begun
	exec 8>&-
}

@test "send --reader moves a stream's read end, with the chunks in it; its writer goes on" {
	listening box --count 1 -- sh -c 'echo "$BSTREAM_NOTE"; cat' >got
	open_input
	start write a --frame line <in
	writer=$pid
	echo one >&9
	until_eval '[ "$(field a written)" = 1 ]'
	ctl send box --reader a --note n1
	until_true grep -q one got
	[ "$(field a reader | grep -c "$listen")" -eq 1 ]
	printf ' two' >&9
	exec 9>&-
	finish "$writer" 0
	finish "$listen" 0
	[ "$(cat got)" = $'n1\none two' ]
}

@test "send --reader: what cannot be sent stays where it was" {
	seq 3 | ctl write a --frame line
	run -3 ctl send box --reader a
	[ "$(field a state)" = ended ]
	listening box --count 1 >got
	run -3 ctl send box --reader nobody
	run -2 ctl send box --reader /nobody
	run -2 ctl send box --reader a --note "$(printf '%04097d' 1)"
	start read b
	reader=$pid
	ctl create b
	ctl wait b --for=reader
	run -9 ctl send box --reader b
	ctl write b </dev/null
	finish "$reader" 0
	[ "$(ctl read a --frame line)" = "$(seq 3)" ]
	ctl send box --note "$(printf '%04096d' 1)"
	finish "$listen" 0
	[ "$(wc -c <got)" -eq 4097 ]
}

@test "a kept stream's read end that was sent comes back to its name when the job is done with it" {
	ctl create a --keep=reader
	head -c 1M /dev/urandom >data
	ctl write a <data
	listening box --count 1 -- true
	ctl send box --reader a
	finish "$listen" 0
	ctl read a --no-wait >left
	tail -c "$(stat -c %s left)" data | cmp - left
	[ -s left ]
}

@test "open has write's ways: files, framing, rate, drain, progress" {
	listening box --count 1 --frame line >got
	echo one >a
	printf two >b
	run -0 --separate-stderr ctl open box --frame line --drain --rate 1M -p a b
	[[ $stderr == "box  6 B"* ]] || [[ $stderr == *"box  "*" B  "* ]]
	[ "$(cat got)" = $'one\ntwo' ]
	finish "$listen" 0
	run -1 ctl open box a "$dir/none"
	run -2 ctl open box --chunk-max 0 <a || [ "$status" -eq 3 ]
	run -2 ctl open box --keep a
}

@test "exit 9: another one listens; 126 and 127: no command to run; 2: wrong usage" {
	listening box
	run -9 ctl listen box
	[[ $output == "bstreamctl: box: another process listens there"* ]]
	kill -TERM "$listen"
	finish "$listen" 143
	run -127 ctl listen box -- "$dir/nobody"
	run -126 ctl listen box -- "$dir"
	run -2 ctl listen
	run -2 ctl listen /box
	run -2 ctl listen box --jobs 0
	run -2 ctl listen box --jobs many
	run -2 ctl open
	run -2 ctl send
	run -2 ctl send box two
	run -0 ctl listen box --count 0
}

@test "a mailbox and a stream of one name do not meet" {
	listening a --count 1 >got
	ctl write a <<<stream
	ctl open a <<<mail
	finish "$listen" 0
	[ "$(cat got)" = mail ]
	[ "$(ctl read a)" = stream ]
}

@test "a broker that is killed: listen registers again" {
	listening box --count 2 >got
	ctl send box --note one
	until_true grep -q one got
	kill -KILL "$(broker_pid)"
	ctl send box --note two --timeout 60s
	finish "$listen" 0
	[ "$(cat got)" = $'one\ntwo' ]
}
