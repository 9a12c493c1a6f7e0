# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the shell tests share: a broker of its own for each test, processes that are waited for and
# never outlive their test, and the proof that nothing is left.
#
# A test runs in a directory of its own, $dir, which is also its runtime directory. "make check"
# runs it in the build tree, where bstreamctl and bstreamd are; $BSTREAMCTL names another one.
bats_require_minimum_version 1.5.0

: "${BSTREAMCTL:=$PWD/cli/bstreamctl}"
export BSTREAMCTL
export slow=1 # more in a build with sanitizers: what takes long is then done less often
if grep -qas -e libasan -e libtsan -e __tsan_init -e __asan_init "$BSTREAMCTL"; then
	slow=5
fi
deadline=$((slow * ${BSTREAM_TEST_DEADLINE:-120})) # seconds after which something hangs

setup() {
	dir=$(mktemp -d "${TMPDIR:-/tmp}/bstream-cli.XXXXXX")
	cd "$dir" || return
	export XDG_RUNTIME_DIR=$dir
	unset BSTREAM_SOCKET BSTREAM_FENCES NO_COLOR
	socket=$dir/bstream/broker.sock
	pids=()
}

teardown() {
	local pid code=0
	close_terminal
	for pid in "${pids[@]}"; do
		kill -CONT "$pid" 2>/dev/null && kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	"$BSTREAMCTL" -q --no-start daemon stop || [ $? -eq 4 ] || code=1
	nothing_left || code=1
	cd / && rm -rf "$dir"
	return $code
}

# close_terminal - ends the tmux at $dir/tmux, if there is one, and all that runs in it
close_terminal() {
	local processes process server leader
	[ -S "$dir/tmux" ] || return 0
	# Each pane's process leads a session of its own.
	processes=$(tmux -S "$dir/tmux" list-panes -a -F '#{pid} #{pane_pid}' 2>/dev/null |
		while read -r server leader; do
			echo "$server"
			pgrep -s "$leader"
		done)
	tmux -S "$dir/tmux" kill-server 2>/dev/null || true
	for process in $processes; do
		until_true gone "$process" || echo "in the terminal, process $process hangs"
	done
}

# Fails if this test's broker, or anybody who knew it, left something behind.
nothing_left() {
	local found
	found=$(compgen -G "/dev/shm/$(segment_prefix "$socket")*") && {
		echo "segments left: $found"
		xargs rm -f <<<"$found"
		return 1
	}
	[ ! -e "$socket" ] || {
		echo "socket left: $socket"
		return 1
	}
	found=$(our_processes)
	[ -z "$found" ] || {
		echo "processes left:"
		# shellcheck disable=SC2086 # a list
		ps -o pid,stat,args -p "$(echo $found | tr ' ' ,)"
		return 1
	}
}

# The name that every segment of the broker at this socket begins with: FNV-1a of the path.
segment_prefix() {
	local hash=$((0xcbf29ce484222325)) i code
	for ((i = 0; i < ${#1}; i++)); do
		printf -v code %d "'${1:i:1}"
		hash=$(((hash ^ code) * 0x100000001b3))
	done
	printf 'bstream.%016x.' $hash
}

# Processes that were executed with this test's runtime directory.
our_processes() {
	local process
	env -u XDG_RUNTIME_DIR grep -lzsxF "XDG_RUNTIME_DIR=$dir" /proc/[0-9]*/environ |
		while IFS=/ read -r _ _ process _; do
			echo "$process"
		done
}

# ctl ARGUMENTS... - bstreamctl, which may not hang
ctl() {
	timeout -k 5 $deadline "$BSTREAMCTL" "$@"
}

# start ARGUMENTS... - bstreamctl in the background; its pid is in $pid
start() {
	start_command "$BSTREAMCTL" "$@"
}

# start_command COMMAND... - the same with any command, which may be redirected. It has neither of
# the descriptors of bats (3) and open_input (9).
start_command() {
	"$@" <&0 3>&- 9>&- &
	pid=$!
	pids+=("$pid")
}

# start_fed COMMAND... - the same, fed with lines for as long as it lives. $pid is the command's own, as with the
# others: behind a pipe it would be that of a shell, and what teardown kills would not be dead.
start_fed() {
	start_command "$@" < <(unset XDG_RUNTIME_DIR && exec yes 2>/dev/null 3>&- 9>&-)
}

# open_input - makes a fifo, in, for the stdin of others; what is written to descriptor 9 comes
# there, and closing that ends it
open_input() {
	mkfifo in
	exec 9<>in
}

# finish PID CODE - waits for a started process, which must exit with CODE; how it did is in $code
finish() {
	local i
	code=0
	timeout $deadline tail --pid="$1" -s 0.05 -f /dev/null || {
		echo "process $1 hangs: $(tr '\0' ' ' <"/proc/$1/cmdline")"
		return 1
	}
	wait "$1" || code=$?
	for i in "${!pids[@]}"; do
		[ "${pids[i]}" != "$1" ] || unset "pids[i]"
	done
	[ "$code" -eq "$2" ] || {
		echo "process $1 exited $code, not $2"
		return 1
	}
}

# field NAME FIELD... - numbers of a stream, by stat's words: state fill written read
field() {
	ctl stat "$1" | awk -v field="$2" '$1 == field { print $2; exit }'
}

# broker_pid - 0 if there is none
broker_pid() {
	ctl --no-start daemon status 2>/dev/null | awk '$1 == "pid" { pid = $2 } END { print pid + 0 }'
}

# gone PID - a process that has ended, with every thread of it, so that its descriptors are closed; whether its
# parent has noticed is not ours
gone() {
	! grep -qs '^State:[[:space:]]*[A-Y]' "/proc/$1"/task/*/status
}

# asleep PID - its first thread would not run, if it got the CPU
asleep() {
	grep -qs '^State:[[:space:]]*S' "/proc/$1/task/$1/status"
}

# until_true COMMAND... - tries again until it succeeds, for what cannot be waited for otherwise
until_true() {
	local end=$((SECONDS + deadline))
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.02 <> <(:) || true
	done
}

# until_eval TEXT - the same with a piece of shell
until_eval() {
	until_true eval "$1"
}

# surroundings - what a script out of a document finds: bstreamctl, a compiler's way to the library, the Python
# module. It is pkg-config that is not real, and tells the paths of the build tree.
surroundings() {
	local top_builddir
	top_builddir=$(cd "$(dirname "$BSTREAMCTL")/.." && pwd)
	mkdir bin
	ln -s "$BSTREAMCTL" bin/bstreamctl
	printf '#!/bin/sh\necho "-I%s/lib" "-L%s/lib/.libs" -lbstream "-Wl,-rpath,%s/lib/.libs"\n' \
		"$(cd "$BATS_TEST_DIRNAME/../.." && pwd)" "$top_builddir" "$top_builddir" >bin/pkg-config
	chmod +x bin/pkg-config
	export PATH=$dir/bin:$PATH BSTREAM_LIBRARY=$top_builddir/lib/.libs/libbstream.so.0
	export PYTHONPATH=$BATS_TEST_DIRNAME/../../python PYTHONDONTWRITEBYTECODE=1
	BSTREAM_DAEMON=$(dirname "$BSTREAMCTL")/../daemon/bstreamd
	export BSTREAM_DAEMON
}

# need_json - skips the test in a build without jansson
need_json() {
	"$BSTREAMCTL" --json --no-start --version >/dev/null 2>&1 || skip "built without jansson"
	"$BSTREAMCTL" --json --no-start daemon status 2>&1 | grep -q jansson &&
		skip "built without jansson"
	command -v jq >/dev/null || command -v python3 >/dev/null || skip "neither jq nor python3"
}

# json KEY - reads one object from stdin and prints that member of it; fails if it is no JSON
json() {
	if command -v jq >/dev/null; then
		jq -er "if has(\"$1\") then .$1 | tostring else error(\"no $1\") end"
	else
		python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)[sys.argv[1]]).strip("\""))' "$1"
	fi
}
