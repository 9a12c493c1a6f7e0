#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bstream-tutorial(7), run as it stands: the lines behind "$ " of a section, one after the other in one
# shell, and what they say compared with the lines between them. And of bstreamctl(1) the EXAMPLES that
# print nothing: what they leave is looked at. And README's lines of C and of Python.
# shellcheck disable=SC2016,SC2154 # awk's fields; what bats and setup.bash set

load setup

man=$BATS_TEST_DIRNAME/../../man
page=$man/bstream-tutorial.7.scd

# section WORD - that section's text
section() {
	awk -v head="$1" '/^# / { inside = index($0, "# " head) == 1; next } inside' "$page"
}

# blocks - what stands between lines of ```
blocks() {
	awk '/^```$/ { inside = !inside; next } inside'
}

# walk NUMBER [CODE] - runs that section's commands, the last of which exits with CODE. What bash itself
# says, of jobs that were killed, is not compared.
walk() {
	local code=0
	section "$1. " | blocks >session
	sed -n 's/^\$ //p' session >script
	[ -s script ]
	echo 'code=$?; wait; exit $code' >>script # what it left in the background is not for teardown to find
	timeout -k 5 "$deadline" bash -u script >printed 2>&1 3>&- || code=$?
	[ "$code" -eq "${2:-0}" ] || {
		echo "the script exited $code"
		cat printed
		return 1
	}
	diff <(grep -v '^\$ ' session) <(grep -vE '^script: line |^ +[0-9]+ (Killed|Broken pipe) ' printed)
}

@test "3. many writers" {
	surroundings
	walk 3
}

@test "4. ends that are none" {
	surroundings
	walk 4 7
	[ -e copy.part ] # empty, if the writer was killed before its first chunk
	[ ! -e copy ]
}

@test "5. wait, do not sleep" {
	surroundings
	walk 5
}

@test "6. from C" {
	[ "$slow" -eq 1 ] || skip "a program without a sanitizer cannot load a library with one"
	surroundings
	section EXAMPLES | blocks | awk -v RS='#include <bstream.h>\n' 'NR > 1 {
		printf "#include <bstream.h>\n%s", $0 >(NR == 2 ? "put.c" : "show.c")
	}'
	walk 6
}

# readme LANGUAGE N - the n-th block of README in that language
readme() {
	awk -v want="$1" -v nth="$2" '/^```/ { inside = $0 == "```" want && ++n == nth; next } inside' \
		"$BATS_TEST_DIRNAME/../../README.md"
}

# compile NAME - the statements on standard input as a program, by the command that README says
compile() {
	local how
	how=$(sed -n 's/.*without error handling (`cc prog.c \(.*\)`, once.*/\1/p' "$BATS_TEST_DIRNAME/../../README.md")
	[ -n "$how" ]
	{
		printf '#include <bstream.h>\n#include <stdio.h>\n'
		printf '#define use(buf, len) printf("%%.*s\\n", (int)(len), buf)\n'
		printf 'struct bstream_writer *writer;\nstruct bstream_reader *reader;\nchar buf[65536];\nsize_t len;\n'
		printf 'int main(void)\n{\nint r = 0;\n%s\nreturn -r;\n}\n' "$(cat)"
	} >"$1.c"
	eval "cc -Wall -o $1 $1.c $how"
}

@test "README: in C, and in Python" {
	[ "$slow" -eq 1 ] || skip "a program without a sanitizer cannot load a library with one"
	surroundings
	readme c 1 | compile put
	readme c 2 | compile show
	./put
	[ "$(./show)" = hello ]
	./put
	{
		printf 'import bstream\nuse = print\n'
		readme python 1
	} >show.py
	[ "$(python3 show.py)" = "b'hello'" ]
}

# example WORDS - runs the commands of the one example of bstreamctl(1) that has these words, all of them to
# their ends
example() {
	page=$man/bstreamctl.1.scd section EXAMPLES | awk -v words="$1" -v RS='```\n' 'index($0, words)' |
		sed -n 's/^\$ //p' >script
	[ -s script ]
	echo wait >>script
	timeout -k 5 "$deadline" bash -eu script >printed 2>&1 3>&- || {
		echo "the script exited $?"
		cat printed
		return 1
	}
}

# program NAME TEXT - a program that the example finds
program() {
	printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
	chmod +x "bin/$1"
}

@test "bstreamctl(1): jobs that outlive their workers" {
	surroundings
	program work 'cat >>done'
	ln -s bin/work work
	example './work <job'
	seq 100 | diff - 'done'
}

@test "bstreamctl(1): a build whose log is kept, shown, and searched" {
	surroundings
	program make 'echo "cc a.c"; echo "a.c: error: no"; echo "cc b.c"'
	example 'tee log errors'
	make | diff - make.log
	[ "$(grep -c '^a.c: error: no$' printed)" -eq 2 ] # shown, and found
}

@test "bstreamctl(1): programs that know only stdin and stdout" {
	surroundings
	command -v xz >/dev/null || skip "xz is not installed"
	program pg_dump 'seq 10000'
	example 'pg_dump shop'
	xz -dc shop.xz | diff - <(seq 10000)
}
