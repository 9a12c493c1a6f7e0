#!/bin/bash
# SPDX-License-Identifier: MIT
# The hot paths in instructions and system calls: what a clock cannot tell on a busy machine. Counts
# are the difference between a long and a short run of pump, for one chunk written and read. The
# bounds stand in the table below; to raise one is to say why in the commit.
set -u
pump=${top_builddir:-.}/tests/hotpath/pump
bstreamd=${top_builddir:-.}/daemon/bstreamd
work=$(mktemp -d)
broker=
trap 'broker_end; rm -rf "$work"' EXIT
short=10000 long=110000
n=0 bad=0

# path | bytes a chunk | instructions a chunk, write and read together, with the C library's memcpy
bounds() {
	cat <<'TABLE'
copy|0|200
copy|16|205
copy|64|350
copy|1024|605
place|64|370
onward|64|370
several|64|435
many|64|250
spans|64|200
TABLE
}

# System calls to create a stream, open both its ends, remove and close it: of the program, and of its broker.
names_bound=80 broker_bound=115

say() { # what, whether, detail
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1: $3"
	else
		echo "not ok $n - $1: $3"
		bad=1
	fi
}

[ -x "$pump" ] || { echo "1..0 # SKIP $pump is not built"; exit 77; }

if command -v strace >/dev/null && strace -c -o "$work/probe" true 2>/dev/null; then
	for path in copy place onward several many spans; do
		for count in $short $long; do
			strace -f -o "$work/calls.$count" "$pump" "$path" "$count" 64 || bad=1
		done
		calls=$(($(wc -l <"$work/calls.$long") - $(wc -l <"$work/calls.$short")))
		say "$path: no system call while both sides are awake" "$((calls != 0))" \
			"$calls more in $((long - short)) more chunks"
	done
else
	n=$((n + 1)) && echo "ok $n - system calls # SKIP there is no strace that works here"
fi

broker_end() { # the traced one; the tracer goes with it
	[ -n "$broker" ] || return
	kill "$(sed -n '1s/ .*//p' "$log")"
	wait "$broker"
	broker=
}

# The same difference, of a broker and of its client.
names_calls() { # count
	log=$work/broker.$1
	strace -f -o "$log" "$bstreamd" --socket "$work/socket" 2>/dev/null &
	broker=$!
	until [ -S "$work/socket" ] || ! kill -0 "$broker" 2>/dev/null; do :; done
	BSTREAM_SOCKET=$work/socket BSTREAM_DAEMON=/bin/false strace -f -o "$work/names.$1" "$pump" names "$1" 0 || bad=1
	broker_end
}

if [ -s "$work/probe" ]; then
	names_calls 10
	names_calls 60
	calls=$((($(wc -l <"$work/names.60") - $(wc -l <"$work/names.10")) / 50))
	say "names: at most $names_bound system calls of the program" "$((calls > names_bound))" "$calls"
	calls=$((($(wc -l <"$work/broker.60") - $(wc -l <"$work/broker.10")) / 50))
	say "names: at most $broker_bound system calls of the broker" "$((calls > broker_bound))" "$calls"
fi

instructions() { # path, size, count
	valgrind --tool=callgrind --callgrind-out-file="$work/out" "$pump" "$1" "$3" "$2" >"$work/log" 2>&1
	sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/log"
}

if command -v valgrind >/dev/null; then
	while IFS='|' read -r path size bound; do
		many=$(instructions "$path" "$size" $long) few=$(instructions "$path" "$size" $short)
		if [ -z "$many" ] || [ -z "$few" ]; then
			n=$((n + 1)) && echo "ok $n - instructions # SKIP valgrind says: $(grep -m 1 debuginfo "$work/log")"
			break
		fi
		each=$(((many - few) / (long - short)))
		say "$path, $size bytes: at most $bound instructions a chunk" "$((each > bound || each < 20))" "$each"
	done < <(bounds)
else
	n=$((n + 1)) && echo "ok $n - instructions # SKIP there is no valgrind"
fi
echo "1..$n"
exit $bad
