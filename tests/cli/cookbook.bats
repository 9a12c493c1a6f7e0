#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# doc/cookbook.md, run as it stands: each task's script in a directory of its own, with a broker of
# its own, and what it prints compared with the block behind it. The one thing that is not real is
# pkg-config, which answers with the paths of the build tree, as nothing is installed.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

book=$BATS_TEST_DIRNAME/../../doc/cookbook.md

# section NUMBER - that task's text
section() {
	awk -v head="## $1. " 'index($0, "## ") == 1 { in_it = index($0, head) == 1 } in_it' "$book"
}

# recipe NUMBER - runs it
recipe() {
	local needs top_builddir
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

	section "$1" >task
	awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' task >script
	awk '/^```$/ { if (inside == 1) inside = 0; else if (closed++ % 2 == 1) inside = 1; next } inside' \
		task >expected
	[ -s script ]
	needs=$(sed -n 's/^<!-- needs: \(.*\) -->$/\1/p' task)
	needs=${needs:-true}
	[[ $needs == *" "* ]] || needs="command -v $needs"
	bash -c "$needs" >/dev/null 2>&1 || skip "needs $needs"
	timeout -k 5 "$deadline" bash -eu script >printed 3>&- || {
		echo "the script failed with $?"
		cat printed
		return 1
	}
	diff expected printed
}

# A number each, so that none is forgotten: the last test counts them.
@test "1. many loggers into one file, no line torn" { recipe 1; }
@test "2. a pool of workers" { recipe 2; }
@test "3. replace a consumer without losing data" { recipe 3; }
@test "4. ffmpeg to two consumers" { recipe 4; }
@test "5. a pipeline across containers" { recipe 5; }
@test "6. to another machine, by ssh" { recipe 6; }
@test "7. a C program and a Python program" { recipe 7; }
@test "8. back-pressure made visible" { recipe 8; }
@test "9. tell a crash from an end" { recipe 9; }
@test "10. not faster than so much a second" { recipe 10; }
@test "11. a service in the manner of inetd" { recipe 11; }
@test "12. find out why a pipeline is stuck" { recipe 12; }

@test "the book has twelve tasks, and its contents lead to each" {
	[ "$(grep -c '^## [0-9]*\. ' "$book")" -eq 12 ]
	[ "$(grep -c '^[0-9]*\. \[.*\](#[0-9]*-[a-z-]*)$' "$book")" -eq 12 ]
	grep -o '^[0-9]*\. \[.*\]' "$book" | tr -d '[]' | sed 's/^/## /' >contents
	grep '^## ' "$book" | diff - contents
}
