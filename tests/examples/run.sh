#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the examples as their heads say they are used, with a broker of their own, and looks at what
# they print. TAP. Run it in the build tree, or set top_builddir.
set -u
export LC_ALL=C
build=$(cd "${top_builddir:-.}" && pwd)
bin=$build/examples

run=$(mktemp -d /tmp/bstream-examples.XXXXXX)
export XDG_RUNTIME_DIR=$run BSTREAM_SOCKET=$run/broker.sock BSTREAM_DAEMON=$build/daemon/bstreamd
cd "$run" || exit 99

# Segments are called after the FNV-1a hash of the broker's socket (proto/meeting.c).
hash=$((0xcbf29ce484222325))
for ((i = 0; i < ${#BSTREAM_SOCKET}; i++)); do
	printf -v byte %d "'${BSTREAM_SOCKET:i:1}"
	hash=$(((hash ^ byte) * 0x100000001b3))
done
printf -v segments '/dev/shm/bstream.%016x.*' "$hash"

# Nothing here takes a second; whatever hangs is killed, broker included.
limit() { timeout -s KILL 60 "$@"; }
# shellcheck disable=SC2317 # it is reached, by trap
cleanup() {
	limit "$build/cli/bstreamctl" -q --no-start daemon stop >/dev/null 2>&1
	rm -rf "$run"
}
trap cleanup EXIT

n=0 failed=0
# is WHAT GOT WANTED
is() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf 'got: %s\nwanted: %s\n' "$2" "$3" | sed 's/^/# /'
		failed=1
	fi
}

limit "$bin/reader" numbers >got &
reader=$!
limit "$bin/writer" numbers 2
is "a writer whose data has been read says so" $? 0
wait $reader
is "a reader that was there first gets it all" "$?:$(cat got)" \
	$'0:9 bytes: message 0\n9 bytes: message 1\nthe end'

# The stream would end with its first writer if no other had come yet: one is held open meanwhile.
mkfifo hold
limit "$build/cli/bstreamctl" read --timeout 30s mixed >all &
reader=$!
exec 3<>hold
limit "$bin/lines" mixed <hold 3>&- &
holder=$!
limit "$build/cli/bstreamctl" wait mixed --for=exists
limit "$build/cli/bstreamctl" wait mixed --for=writer
writers=()
for name in a b c; do
	seq -f "$name %g" 1000 >"$name"
	limit "$bin/lines" mixed <"$name" 3>&- &
	writers+=($!)
done
wait "${writers[@]}"
exec 3>&-
wait $holder
is "the last of four writers closes" $? 0
wait $reader
is "and their reader ends" $? 0
for name in a b c; do
	is "lines of writer $name are whole and in order" "$(grep "^$name " all | cmp - "$name" 2>&1)" ''
done
is "and there is nothing else" "$(wc -l <all)" 3000

is "zero-copy adds up" "$(limit "$bin/zero-copy" 100)" "1 + 2 + ... + 409600 = 83886284800"
is "a read end goes through fork and exec" "$(limit "$bin/hand-over" | tail -n 1)" \
	'process two got "process one"'

names=()
for i in {1..9}; do
	seq "$i" | limit "$bin/lines" "job$i"
	names+=("job$i")
done
limit "$bin/worker-pool" "${names[@]}" >shared
is "workers with one socket get each stream once, whole" "$?:$(sort shared)" \
	"0:$(for i in {1..9}; do echo "job$i: $i chunks, the end"; done)"

printf 'small\nletters\n' | limit "$bin/lines" small
limit "$build/cli/bstreamctl" exec -r small -w large -- "$bin/inherited-ends"
is "ends go through exec by name" "$?:$(limit "$build/cli/bstreamctl" read large)" $'0:SMALL\nLETTERS'

seq 3 | limit "$bin/lines" whole
limit "$bin/crash-aware-reader" whole file >/dev/null
is "a stream that was closed makes a file" "$?:$(cat file)" $'0:1\n2\n3'

# The writer has written a line, and waits for the next, when it is killed.
mkfifo feed progress
limit "$bin/crash-aware-reader" torn torn-file >progress 2>said &
reader=$!
exec 4<progress
exec 3<>feed
"$bin/lines" torn <feed 3>&- &
writer=$!
echo begun >&3
read -r -t 30 bytes <&4
is "what was written arrives at once" "$bytes" "6 bytes"
is "its segment is one of ours" "$(compgen -G "$segments" | wc -l)" 1
kill -KILL $writer
wait $writer 2>/dev/null
exec 3>&-
wait $reader
is "a writer's death is told from its end" "$?:$(cat said)" "1:torn: a writer died, see torn-file.part"
is "and leaves no file" "$(cat torn-file 2>&1):$(cat torn-file.part)" \
	"cat: torn-file: No such file or directory:begun"

seq 3 | limit "$bin/lines" left
seq 20 | limit "$bin/lines" right
limit "$bin/epoll" left right >both
is "one loop of epoll reads two streams" "$?:$(grep -c '^left: 2 bytes$' both):$(grep -c '^right: [23] bytes$' both)" 0:3:20
is "each to its end, and one does not wait for the other" "$(grep -n 'end$' both)" \
	$'7:left: the end\n25:right: the end'

# 74 chunks of 4096 bytes at most through 16 slots, in the loops of two libraries.
head -c 300000 /dev/zero >zeros
if [ -x "$bin/libuv" ]; then
	limit "$bin/libuv" pumped <zeros &
	writer=$!
	if [ -x "$bin/libevent" ]; then
		limit "$bin/libevent" pumped >got 2>/dev/null
		is "a loop of libevent reads to the end" "$?:$(cat got)" "0:74 chunks, 300000 bytes, the end"
	else
		limit "$build/cli/bstreamctl" read --timeout 30s pumped | cmp - zeros
		is "what libuv wrote is right # no libevent" "${PIPESTATUS[*]}" "0 0"
	fi
	wait $writer
	is "a loop of libuv writes it all" $? 0
else
	n=$((n + 1)) && echo "ok $n - libuv, libevent # SKIP there is no libuv"
fi

limit "$build/cli/bstreamctl" -q daemon stop
is "the broker stops" $? 0
is "no segment is left" "$(compgen -G "$segments")" ''
is "no socket is left" "$(find "$run" -type s)" ''
echo "1..$n"
exit $failed
