#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A tar of a real tree through write and read has the same SHA-256, for every framing that can carry
# it. It is made once: of folders in /usr/share, 200 to 250 MB of them (all if BSTREAM_LONG is set),
# with generated data to reach that where there is less.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

want_bytes=$((200 << 20))

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return
	local bytes
	if [ -n "${BSTREAM_LONG:-}" ]; then
		echo . >parts
	else
		# Large folders first: the fewer there are, the less it overshoots.
		(cd /usr/share && du -sk -- * 2>/dev/null) | sort -rn | awk -v want=$((want_bytes >> 10)) '
			sum < want && sum + $1 <= want * 5 / 4 { sum += $1; sub(/^[0-9]+\t/, ""); print }' >parts
	fi
	# What cannot be read by this user is left out; what is in the tar is what counts.
	tar --warning=none --ignore-failed-read -cf tree.tar -C /usr/share -T parts || [ -s tree.tar ]
	bytes=$(stat -c %s tree.tar)
	if [ "$bytes" -lt $want_bytes ]; then
		head -c $((want_bytes - bytes)) /dev/urandom >rest
		tar -rf tree.tar rest
		rm rest
	fi
	sha256sum <tree.tar >tree.sum
	# The longest record between two separators, for --chunk-max.
	perl -0ne 'chomp; $m = length if length > $m; END { print $m + 0 }' tree.tar >longest.nul
	perl -ne 'chomp; $m = length if length > $m; END { print $m + 0 }' tree.tar >longest.line
}

# through FRAME CREATION... - the tar on stdin of write arrives at read
through() {
	local frame=$1
	shift
	start write a --frame "$frame" "$@"
	writer=$pid
	(
		set -o pipefail # or a reader that failed is seen by its writer only
		ctl read a --frame "$frame" | sha256sum >got
	)
	finish "$writer" 0
}

# room RECORD - the options for a stream of such records, with some 400 MB or a quarter of what is
# free; skips the test where /dev/shm cannot hold it
room() {
	local free capacity
	free=$(($(df --output=avail -k /dev/shm | tail -1) * 1024))
	capacity=$(((free / 4 < 400 << 20 ? free / 4 : 400 << 20) / $1))
	[ $capacity -ge 3 ] || capacity=3
	[ $capacity -le 1000 ] || capacity=1000
	[ "$free" -gt $((2 * capacity * $1)) ] || skip "/dev/shm has $free bytes free only"
	creation=(--capacity "$capacity" --chunk-max "$1")
}

@test "raw, from a pipe" {
	through raw < <(cat "$BATS_FILE_TMPDIR/tree.tar")
	diff got "$BATS_FILE_TMPDIR/tree.sum"
}

@test "raw, from a file, through a small stream" {
	through raw --capacity 1 --chunk-max 5000 <"$BATS_FILE_TMPDIR/tree.tar"
	diff got "$BATS_FILE_TMPDIR/tree.sum"
}

@test "fixed, from a file and in place" {
	through fixed:65536 <"$BATS_FILE_TMPDIR/tree.tar"
	diff got "$BATS_FILE_TMPDIR/tree.sum"
}

@test "fixed, from a pipe, with a last record that is short" {
	through fixed:999 < <(cat "$BATS_FILE_TMPDIR/tree.tar")
	diff got "$BATS_FILE_TMPDIR/tree.sum"
}

@test "len32, with records of every size" {
	perl -e 'binmode STDIN; binmode STDOUT; srand 1;
		while (read STDIN, my $b, 1 + int rand 65536) { print pack("N", length $b), $b }' \
		<"$BATS_FILE_TMPDIR/tree.tar" >framed
	sha256sum <framed >want
	through len32 < <(cat framed)
	diff got want
	start write a --frame len32 <framed # what it carries is the tar
	ctl read a | sha256sum >got
	finish "$pid" 0
	diff got "$BATS_FILE_TMPDIR/tree.sum"
}

@test "nul: a tar ends with one" {
	room $(($(cat "$BATS_FILE_TMPDIR/longest.nul") + 64))
	through nul "${creation[@]}" <"$BATS_FILE_TMPDIR/tree.tar"
	diff got "$BATS_FILE_TMPDIR/tree.sum"
}

@test "line, with a newline behind" {
	room $(($(cat "$BATS_FILE_TMPDIR/longest.line") + 64))
	{ cat "$BATS_FILE_TMPDIR/tree.tar" && echo; } | sha256sum >want
	through line "${creation[@]}" < <(cat "$BATS_FILE_TMPDIR/tree.tar" && echo)
	diff got want
}

@test "raw, to a reader that is stopped for a second" {
	open_input # the second half comes when the reader is stopped, or it might be done by then
	start write a <in
	writer=$pid
	start read a > >(unset XDG_RUNTIME_DIR && exec sha256sum >got 3>&- 9>&-)
	reader=$pid
	timeout "$deadline" head -c 100M "$BATS_FILE_TMPDIR/tree.tar" >&9
	kill -STOP "$reader"
	until_true grep -qs '^State:[[:space:]]*T' "/proc/$reader/status"
	start_command tail -c +$((100 * 1024 * 1024 + 1)) "$BATS_FILE_TMPDIR/tree.tar" >in
	rest=$pid
	until_eval '[ "$(field a fill)" = 16/16 ]'
	sleep 1 # sleep: a reader that does nothing for a while is what is tested
	[ -e "/proc/$writer" ]
	[ "$(field a fill)" = 16/16 ]
	kill -CONT "$reader"
	finish "$rest" 0
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
	until_true test -s got
	diff got "$BATS_FILE_TMPDIR/tree.sum"
}

@test "raw, and the broker is killed in the middle: equal hashes, and ls is right again" {
	ctl create waiting
	ctl write other <<<'data that waits'
	broker=$(broker_pid)
	open_input # held open: however long the next broker takes, the stream is still there for ls
	start write a --rate 100M <in
	writer=$pid
	start_command cat "$BATS_FILE_TMPDIR/tree.tar" >in
	tree=$pid
	start read a > >(unset XDG_RUNTIME_DIR && exec sha256sum >got 3>&- 9>&-)
	reader=$pid
	until_eval '[ "$(field a read)" -gt 10 ]'
	kill -KILL "$broker"
	until_true gone "$broker"
	run -0 ctl ls --no-headings -o NAME,WRITERS,READER
	[[ ${lines[0]} =~ ^a\ +1\ +bstreamctl\[$reader\]$ ]]
	[[ ${lines[1]} =~ ^other\ +0\ +- ]]
	[[ ${lines[2]} =~ ^waiting\ +0\ +- ]]
	[ "$(broker_pid)" -ne "$broker" ]
	finish "$tree" 0
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
	until_true test -s got
	diff got "$BATS_FILE_TMPDIR/tree.sum"
	[ "$(ctl read other)" = 'data that waits' ]
	[ "$(ctl ls --no-headings -o NAME)" = waiting ]
	ctl rm waiting
}
