#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every object has the members that bstreamctl-json(5) says, of the types it says, and no others.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

page=$BATS_TEST_DIRNAME/../../man/bstreamctl-json.5.scd

need_schema() {
	need_json
	command -v jq >/dev/null || skip "jq is not installed"
}

# schema BLOCK... - "key type" of these blocks of the page, counted from 1
schema() {
	awk -v wanted=" $* " '
	/^```/ { inside = !inside; n += inside; next }
	inside && index(wanted, " " n " ") { print $1, $2 }' "$page" | sort
}

# shape - "key type" of each object on stdin, after one another, objects split by an empty line
shape() {
	jq -r 'to_entries[] | "\(.key) \(
		if (.value | type) != "number" then .value | type | sub("boolean"; "bool")
		elif .key | IN("sleeps_per_chunk", "times_pipe") then "number"
		elif .key | IN("v", "pid", "reader_pid", "writer_pid") then "int"
		elif (.key | startswith("quota_")) and .value >= -1 then "int"
		elif .value >= 0 and .value == (.value | floor) then "uint"
		else "bad" end)"' | sort
}

# conforms BLOCK... - every object on stdin, one a line, has just these members, and v first
conforms() {
	local object n=0
	schema "$@" >wanted
	[ -s wanted ]
	while read -r object; do
		n=$((n + 1))
		[[ $object == '{"v":1,'* ]]
		shape <<<"$object" | diff -u wanted -
	done
	[ $n -gt 0 ]
}

@test "ls, top and stat print streams as the page says" {
	need_schema
	open_input
	ctl create b --keep
	start read a
	reader=$pid
	start write a <in
	writer=$pid
	ctl wait a --for=writer
	ctl ls --json | conforms 1 2
	ctl top --json -n 1 -d 0.1 | conforms 1 2 3
	ctl stat --json a b | conforms 1 4
	ctl stat --json a | jq -c '.ends[] | {v: 1} + .' >ends
	[ "$(wc -l <ends)" -eq 2 ]
	{
		echo 'v int'
		schema 5
	} | sort >ends.schema
	while read -r end; do
		shape <<<"$end" | diff -u ends.schema -
	done <ends
	exec 9>&-
	finish "$writer" 0
	finish "$reader" 0
	ctl rm b
}

@test "daemon status, doctor, progress, listen and bench print what the page says" {
	need_schema
	ctl daemon start
	ctl daemon status --json | conforms 6
	(ctl doctor --json || true) | conforms 7
	ctl write a --progress=json <<<hello 2>&1 | conforms 8
	ctl bench --json --seconds 0.1 | conforms 10
	start_command bash -c 'exec "$BSTREAMCTL" listen box --json --count 1 >messages'
	ctl wait box --for=mailbox
	ctl send box --note hello
	finish "$pid" 0
	conforms 9 <messages
	ctl rm a
}

@test "strange names of processes and files do no harm to objects" {
	need_schema
	name=$'x"\\\e[31m\xff'
	ln -s "$BSTREAMCTL" "$name"
	ctl create a
	start_command "./$name" read a
	ctl wait a --for=reader
	ctl stat --json a | jq -e '.ends[0].command == "x\"\\x5c\\x1b[31m\\xff"'
	ctl write a </dev/null
	finish "$pid" 0
}

@test "the examples of the page run" {
	need_schema
	mkdir bin
	ln -s "$BSTREAMCTL" bin/bstreamctl
	PATH=$dir/bin:$PATH
	ctl create full --capacity 1
	start write full --frame line <<<$'1\n2'
	until_eval '[[ $(ctl ls full) == *blocked* ]]'
	awk '/^# EXAMPLES/ { examples = 1 } /^```/ { inside = !inside; next } examples && inside' "$page" >script
	run -0 bash -e script
	[[ ${lines[0]} =~ ^full:\ 1\ writer\ blocked ]]
	ctl read full >/dev/null
	finish "$pid" 0
}
