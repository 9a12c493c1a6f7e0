#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# exec: a command between streams, how it exits, and what each side learns of it.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

@test "stdin from a stream, stdout to a stream, and a clean end" {
	head -c 5000000 /dev/urandom >data
	start write raw data
	writer=$pid
	start exec -i raw -o packed -- gzip -c
	exec=$pid
	ctl read packed | gzip -dc | cmp - data
	finish "$writer" 0
	finish "$exec" 0
}

@test "a command that fails: exec exits as it does, the reader gets what was written and exits 7" {
	run -3 ctl exec -o a -- sh -c 'echo part; exit 3'
	[ -z "$output" ]
	run -7 --separate-stderr ctl read a
	[ "$output" = part ]
}

@test "a command that is killed: 128+N, and the reader exits 7" {
	run -137 ctl exec -o a -- sh -c 'echo part; kill -KILL $$'
	run -7 --separate-stderr ctl read a
	[ "$output" = part ]
}

@test "125, 126, 127, and no stream is made or broken for a command that is not there" {
	ctl write in <<<hello
	run -127 ctl exec -i in -o out -- "$dir/nobody"
	[[ $output == *"no such command"* ]]
	run -127 ctl exec -i in -o out no-such-command
	echo 'echo no' >script
	run -126 ctl exec -i in -o out "$dir/script"
	[[ $output == *"cannot be run: Permission denied"* ]]
	run -126 ctl exec -r in "$dir"
	[ "$(ctl ls --no-headings -o NAME)" = in ]
	# What looks like a program, and turns out to be none.
	echo '#!/nobody' >script
	chmod +x script
	run -126 ctl exec -r in -- "$dir/script"
	run -126 ctl exec -i in -- "$dir/script"
	[ "$(ctl read in)" = hello ]
	# (The leak sanitizer cannot do without descriptors.)
	# shellcheck disable=SC2046 # a list
	run -125 env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" bash -c 'ulimit -n 32; exec "$BSTREAMCTL" exec "$@"' - $(printf -- '-w out%d ' {1..40}) true
	[[ $output == *"Too many open files"* ]]
}

@test "wrong usage: no command, no stream, no name" {
	for arguments in "" "-o a" "-- true" "-o /a true" "-r .a true" "-z a true"; do
		# shellcheck disable=SC2086 # a list
		run -2 ctl exec $arguments
		[ "$(wc -l <<<"$output")" -eq 1 ]
	done
	run -124 ctl exec -i nobody --timeout 50ms -- true
	run -3 ctl exec -o nobody --no-create -- true
}

@test "what stands behind the command's name is the command's" {
	[ "$(ctl exec -o a printf '%s-' -v --json -- -h && ctl read a)" = "-v---json-----h-" ]
}

@test "a command that leaves its stdin unread and exits is not waited on: the writer exits 10" {
	start write a </dev/zero
	writer=$pid
	run -5 ctl exec -i a -- sh -c 'exit 5'
	finish "$writer" 10
	# Nor if nothing ever comes.
	open_input
	start write b <in
	writer=$pid
	ctl wait b --for=writer
	ctl exec -i b -- true
	finish "$writer" 10
	exec 9>&-
}

@test "a kept stream goes on where a command left it" {
	head -c 1M /dev/urandom >data
	ctl create a --keep=reader
	ctl write a <data
	ctl exec -i a -- true
	ctl read a --no-wait >left
	size=$(stat -c %s left)
	[ "$size" -ge $((800 * 1024)) ] # what was in the pipe is gone, as in any pipe
	tail -c "$size" data | cmp - left
	# With the read end itself there is no pipe.
	ctl create b --keep=reader
	seq 3 | ctl write b --frame line
	ctl exec -r b -- true
	[ "$(ctl read b --frame line)" = "$(seq 3)" ]
}

@test "a command that closes its stdout and lives on: the end comes with its own, and says how it exited" {
	mkfifo gate
	start exec -o a -- sh -c 'echo all; exec >&-; read line <gate; exit $line'
	exec=$pid
	start read a >got
	reader=$pid
	until_true test -s got
	kill -0 "$reader"
	echo 4 >gate
	finish "$exec" 4
	finish "$reader" 7
	[ "$(cat got)" = all ]
}

@test "a grandchild that holds the stdout is waited for, as a pipe would" {
	mkfifo gate
	start exec -o a -- sh -c '(read line <gate; echo late) & echo early'
	exec=$pid
	start read a >got
	reader=$pid
	until_true grep -q early got
	echo go >gate
	finish "$exec" 0
	finish "$reader" 0
	[ "$(cat got)" = $'early\nlate' ]
	# And a signal ends the wait.
	start exec -o b -- sh -c 'sh -c "echo \$\$ >pid; read line <gate" & :'
	exec=$pid
	start read b
	reader=$pid
	until_true test -s pid
	until_eval '! ps -o args= --ppid $exec | grep -q .'
	until_eval 'kill -TERM $exec; gone $exec' || true
	finish "$exec" 143
	finish "$reader" 7
	echo go >gate
	until_true gone "$(cat pid)"
}

@test "exec itself is killed: the reader exits 7, and the command's pipes close" {
	open_input
	start write a <in
	writer=$pid
	start exec -i a -o b -- sh -c 'echo $$ >pid; cat; echo end >ended; echo more; echo never >never'
	exec=$pid
	start read b >got
	reader=$pid
	echo hello >&9
	until_true test -s got
	kill -KILL "$exec"
	finish "$exec" 137
	finish "$reader" 7
	finish "$writer" 10
	until_true gone "$(cat pid)"
	[ -e ended ]   # it saw the end of its stdin
	[ ! -e never ] # and died of SIGPIPE
	exec 9>&-
}

@test "signals go on to the command, and exec exits as it does" {
	mkfifo hold
	start_command env --default-signal=INT "$BSTREAMCTL" exec -o a -- bash -c \
		'trap "echo int; exit 9" INT; trap "echo usr" USR1; echo ready; while :; do read -rt 0.1 <>hold; done'
	exec=$pid
	start read a >got
	reader=$pid
	until_true grep -q ready got
	kill -USR1 "$exec"
	until_true grep -q usr got
	kill -INT "$exec"
	finish "$exec" 9
	finish "$reader" 7
	[ "$(cat got)" = $'ready\nusr\nint' ]
	open_input
	start exec -o a -- sh -c 'echo ready; exec cat' <in
	exec=$pid
	start read a >got
	reader=$pid
	until_true grep -q ready got
	kill -TERM "$exec"
	finish "$exec" 143
	finish "$reader" 7
	exec 9>&-
}

@test "an input that was cut short: the command sees its end, the output ends as died, exit 7" {
	open_input
	start write a <in
	writer=$pid
	start exec -i a -o b -- cat 2>said
	exec=$pid
	start read b >got
	reader=$pid
	printf hello >&9
	until_true test -s got
	kill -KILL "$writer"
	finish "$exec" 7
	finish "$reader" 7
	finish "$writer" 137
	exec 9>&-
	grep -q '^bstreamctl: a: a writer died' said
	# A command that fails says more than that.
	start write c </dev/null
	finish "$pid" 0
	run -3 ctl exec -i c -- sh -c 'cat; exit 3'
}

@test "the output's reader leaves: the command is told by SIGPIPE" {
	start exec -o a -- yes
	exec=$pid
	ctl read a --count 2 >got
	finish "$exec" 141
	# One that does not mind is not the one to say it.
	start exec -o b -- bash -c 'trap "" PIPE; while echo y 2>/dev/null; do :; done; exit 0'
	exec=$pid
	ctl read b --count 2 >got
	finish "$exec" 10
}

@test "-r and -w are inherited ends, listed in BSTREAM_FDS, and nothing else is inherited" {
	ctl write a <<<hello
	ctl create c
	run -0 ctl exec -w b -r a -w c -- bash -c 'echo "$BSTREAM_FDS"; cd /proc/self/fd; for fd in *; do
		case $(readlink $fd) in /dev/shm/* | /memfd:*) echo $fd ;; esac; done; exit 0'
	[[ ${lines[0]} =~ ^([0-9]+):w:b,([0-9]+):r:a,([0-9]+):w:c$ ]]
	[ "$(printf '%s\n' "${lines[@]:1}" | sort -n | xargs)" = \
		"$(printf '%s\n' "${BASH_REMATCH[@]:1:3}" | sort -n | xargs)" ]
	run -7 ctl read b # nobody attached and closed it
	run -7 ctl read c
	run -0 env BSTREAM_FDS=9:r:old "$BSTREAMCTL" exec -o d -- sh -c 'echo "${BSTREAM_FDS-none}"'
	[ "$(ctl read d)" = none ]
}

@test "a descriptor that the caller passes on keeps its number" {
	ctl create a
	exec 7<"$BATS_TEST_FILENAME"
	run -0 ctl exec -r a -w b -- sh -c 'readlink /proc/self/fd/7; echo "$BSTREAM_FDS"'
	exec 7<&-
	[ "${lines[0]}" = "$(readlink -f "$BATS_TEST_FILENAME")" ]
	[[ ${lines[1]} != *7:* ]]
	run -7 ctl read b
}

@test "a program attaches the ends it inherited, and its output ends as it closes them" {
	example=${BSTREAMCTL%/cli/*}/examples/inherited-ends
	[ -x "$example" ] || skip "the examples are not built"
	seq -f 'line %g' 1000 >data
	start exec -r a -w b --capacity 4 -- "$example"
	exec=$pid
	start read b --frame line >got
	reader=$pid
	ctl write a --frame line <data
	finish "$exec" 0
	finish "$reader" 0
	sed 's|.*|\U&|' data | cmp - got
	# It takes a chunk from a kept stream only when its answer is there.
	ctl create c --keep=reader
	ctl create d --capacity 2
	ctl write c --frame line < <(head -n 10 data)
	start exec -r c -w d -- "$example"
	exec=$pid
	until_eval '[[ $(ctl stat d) == *"waits for room"* ]]'
	kill -KILL "$exec"
	finish "$exec" 137
	run -7 --separate-stderr ctl read d --frame line
	[ "$output" = $'LINE 1\nLINE 2' ]
	[ "$(ctl read c --frame line)" = "$(sed -n 3,10p data)" ]
}

@test "two that feed each other both start, whoever is first" {
	start exec -i there -o back -- cat
	one=$pid
	start exec -i back -o there -- sh -c 'echo ping; read line; echo "$line" >got; exit 0'
	two=$pid
	finish "$two" 0
	[ "$(cat got)" = ping ]
	# Whether cat sees its end, or its reader's leave, first is open.
	finish "$one" 0 || [ "$code" -eq 10 ]
}
