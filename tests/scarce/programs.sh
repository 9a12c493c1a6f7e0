#!/bin/bash
# SPDX-License-Identifier: MIT
# The tool and the broker with every system call failing in turn (faults.h). The tool says so by an exit
# code, and is not killed by what it did; the broker goes on or leaves, and the next one finds all that
# was there. In the end nothing is left. Without BSTREAM_LONG the calls are sampled, at an offset that
# changes. TAP.
set -euo pipefail
cd "${top_builddir:-.}"
here=$PWD
work=$(mktemp -d /tmp/bstream-test.XXXXXX)
export XDG_RUNTIME_DIR=$work TMPDIR=$work BSTREAM_DAEMON=$here/daemon/bstreamd
unset BSTREAM_SOCKET BSTREAM_SEALED
tool=$here/cli/bstreamctl faulty=$here/tests/scarce/bstreamctl faulty_broker=$here/tests/scarce/bstreamd
log=$work/log
runs=${BSTREAM_LONG:+100000}
runs=${runs:-40} # for each verb; about

# shellcheck disable=SC2317 # the trap calls it
clean() {
	"$tool" daemon stop >"$work/out" 2>&1 || true
	rm -rf "$work"
}
trap clean EXIT

n=0 status=0
result() { # result OK WHAT
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		status=1
	fi
}

# run_verb ARGUMENT... - the faulty tool, with the input that all of them get, by a pipe whose other side
# may be told that nobody reads it. Its exit code.
run_verb() {
	timeout -s KILL 60 "$faulty" "$@" < <(printf 'one\ntwo\n') >"$work/out" 2>&1
}

# prepare VERB - a stream "s" with two chunks, anew; none for create
prepare() {
	"$tool" rm s >/dev/null 2>&1 || true
	[ "$1" = create ] || printf 'a\nb\n' | "$tool" write --frame line s >/dev/null 2>&1
}

# did VERB - it said that it succeeded, and has: all of the input, or of the stream, and nothing else
did() {
	case $1 in
	read) [ "$(<"$work/out")" = ab ] ;;
	write) [ "$("$tool" read --timeout 10 s 2>&1)" = $'abone\ntwo' ] ;;
	esac
}

# each_fault VERB ARGUMENT... - the verb, with each of its calls failing
each_fault() {
	local k calls stride rc bad='' tried=0 e more
	prepare "$1"
	rm -f "$log"
	BSTREAM_FAULT=1000000 BSTREAM_FAULT_LOG=$log run_verb "$@" || true
	calls=$(sed -n 's/^left \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	stride=$(((${calls:-0} * 2 + runs - 1) / runs))
	[ "$stride" -gt 0 ] || stride=1
	for ((k = RANDOM % stride; k < ${calls:-0}; k += stride)); do
		more=1
		for ((e = 0; more; e++)); do
			prepare "$1"
			rm -f "$log"
			rc=0
			BSTREAM_FAULT=$k,$e BSTREAM_FAULT_LOG=$log run_verb "$@" || rc=$?
			more=$(sed -n 's/^left [0-9]* \([01]\) .*/\1/p' "$log" | tail -n 1)
			tried=$((tried + 1))
			# EPIPE on stdout: it dies of SIGPIPE as cat does, before it could log anything.
			if [ $rc -eq 141 ] && [ -z "$more" ]; then
				more=1
				continue
			fi
			if [ -z "$more" ] || [ $rc -ge 126 ]; then
				bad="call $k, error $e: exit $rc: $(tail -n 3 "$work/out" | tr '\n' ' ')"
				break 2
			fi
			if [ $rc -eq 0 ] && ! did "$1"; then
				bad="call $k, error $e: it succeeded, with $(tail -n 3 "$work/out" | tr '\n' ' ')"
				break 2
			fi
		done
	done
	[ -z "$bad" ] || echo "# $bad"
	[ -z "$bad" ] && [ $tried -gt 5 ]
	result $? "bstreamctl $*: $tried faults in $calls calls"
}

# session - what a broker is asked for in its life. Whatever of it works.
session() {
	"$tool" create s
	printf 'one\ntwo\n' | "$tool" write --timeout 5 s
	"$tool" ls
	"$tool" stat s
	"$tool" read --timeout 5 s
	"$tool" rm s
	"$tool" daemon stop
}

# each_fault_of_broker - a session, with each call of every broker that serves it failing
each_fault_of_broker() {
	local k calls stride bad='' tried=0 e more
	rm -f "$log"
	BSTREAM_DAEMON=$faulty_broker BSTREAM_FAULT=1000000 BSTREAM_FAULT_LOG=$log session >"$work/out" 2>&1 || true
	calls=$(sed -n 's/^left \([0-9]*\) .*/\1/p' "$log" | sort -n | tail -n 1)
	stride=$(((${calls:-0} * 2 + runs - 1) / runs))
	[ "$stride" -gt 0 ] || stride=1
	for ((k = RANDOM % stride; k < ${calls:-0}; k += stride)); do
		more=1
		for ((e = 0; more; e++)); do
			: >"$log"
			set +e
			export -f session
			BSTREAM_DAEMON=$faulty_broker BSTREAM_FAULT=$k,$e BSTREAM_FAULT_LOG=$log tool=$tool \
				timeout -s KILL 120 bash -c session >"$work/out" 2>&1
			[ $? -ne 137 ] || bad="a session took more than two minutes"
			"$tool" daemon stop >/dev/null 2>&1 # one that would not leave
			BSTREAM_DAEMON=$here/daemon/bstreamd "$tool" rm s >/dev/null 2>&1
			set -e
			tried=$((tried + 1))
			more=$(sed -n 's/^left [0-9]* \([01]\) .*/\1/p' "$log" | sort | tail -n 1)
			[ -n "$more" ] || more=0
			# The first process of a broker leaves by _exit, the second by exit, and none is killed.
			[ "$(grep -c '^came' "$log")" -eq "$(grep -c '^left' "$log")" ] ||
				grep -q 'fork' "$log" || bad="a broker died"
			! grep -qE 'Sanitizer|runtime error' "$work/out" || bad="a sanitizer spoke"
			"$tool" create again >/dev/null 2>&1 && "$tool" rm again >/dev/null 2>&1 ||
				bad="no broker can be had afterwards"
			"$tool" daemon stop >/dev/null 2>&1 || bad="it would not stop"
			[ -z "$bad" ] || break 2
		done
	done
	[ -z "$bad" ] || { echo "# call $k, error $e: $bad"; sed 's/^/# /' "$log" "$work/out"; }
	[ -z "$bad" ] && [ $tried -gt 5 ]
	result $? "bstreamd: $tried faults in $calls calls"
}

echo "1..7"
"$tool" daemon start >/dev/null
each_fault create s || true
each_fault write --timeout 2 s || true
each_fault read --timeout 2 s || true
each_fault ls || true
each_fault stat s || true
"$tool" rm s >/dev/null 2>&1 || true
"$tool" daemon stop >/dev/null 2>&1 || true
each_fault_of_broker || true
"$tool" daemon stop >/dev/null 2>&1 || true
left=$(find "$work" -name broker.sock | wc -l)
result "$left" "nothing is left"
exit $status
