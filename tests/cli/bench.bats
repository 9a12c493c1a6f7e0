#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What bench prints and how it exits. No figure is compared with anything: machines differ.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

# children PID - those it has forked, one a line
children() {
	ps -o pid= --ppid "$1"
}

@test "bench prints a table of the stream and the pipe, and their ratio, without a broker" {
	run -0 --separate-stderr ctl --no-start bench --seconds 100ms
	[ -z "$stderr" ]
	[ "${#lines[@]}" -eq 4 ]
	[[ ${lines[0]} == "WAY "*"CHUNKS/S "*"CPU/CHUNK "*"SLEEPS/CHUNK "*"TRIP P50 "*"TRIP P99" ]]
	[[ ${lines[1]} == "bstream "*/s\ * ]]
	[[ ${lines[2]} == "pipe "*/s\ * ]]
	[[ ${lines[3]} == "chunks of 64 B, capacity 16, 1 writer: "*" times the pipe of 64 KiB; "* ]]
	[ ! -e "$socket" ]
}

@test "bench --json prints an object for each way, v first, and no zero where something was done" {
	need_json
	run -0 --separate-stderr ctl bench --json --seconds 0.1 --size 1K --capacity 8 --writers 3
	[ -z "$stderr" ]
	[ "${#lines[@]}" -eq 2 ]
	for line in "${lines[@]}"; do
		[[ $line == '{"v":1,'* ]]
		[ "$(json size <<<"$line")" -eq 1024 ]
		[ "$(json capacity <<<"$line")" -eq 8 ]
		[ "$(json writers <<<"$line")" -eq 3 ]
		[ "$(json rounds <<<"$line")" -gt 0 ]
		for key in chunks_per_s bytes_per_s cpu_ps_per_chunk trip_p50_ns trip_p99_ns; do
			[ "$(json $key <<<"$line")" -gt 0 ]
		done
		[ "$(json trip_p99_ns <<<"$line")" -ge "$(json trip_p50_ns <<<"$line")" ]
		json sleeps_per_chunk <<<"$line"
		json times_pipe <<<"$line"
	done
	[ "$(json way <<<"${lines[0]}")" = bstream ]
	[ "$(json way <<<"${lines[1]}")" = pipe ]
}

@test "bench measures the smallest chunk, odd sizes and those larger than a pipe, of many writers" {
	for size in 8 9 16 5000 200K; do
		run -0 ctl bench --seconds 0.2 --size $size --capacity 3 --writers 4
		[ "${#lines[@]}" -eq 4 ]
	done
	run -0 ctl bench --seconds 0.1 --capacity 0
}

@test "what bench cannot measure is exit 2, one line on stderr, nothing on stdout" {
	while read -r line; do
		read -ra arguments <<<"$line"
		run -2 --separate-stderr ctl bench "${arguments[@]}"
		[ -z "$output" ]
		[[ $stderr == "bstreamctl: "* ]]
		[ "$(wc -l <<<"$stderr")" -eq 1 ]
	done <<-'EOL'
		--size
		--size large
		--size 7
		--size 8G
		--capacity many
		--capacity 4294967295
		--writers 0
		--writers 65
		--writers all
		--seconds soon
		--seconds 0
		--seconds 2h
		a
	EOL
}

@test "bench gives no figures if a process of it dies: exit 1, and the others go too" {
	need_json
	for i in 1 2; do
		start bench --json --seconds 600 --writers 2 >out 2>err
		until_eval '[ "$(children '"$pid"' | wc -l)" -eq 3 ]'
		all=$(children "$pid")
		one=$(sed -n ${i}p <<<"$all")
		kill -KILL "$one"
		finish "$pid" 1
		[ ! -s out ]
		grep -q '^bstreamctl: bench: ' err
		[ "$(wc -l <err)" -eq 1 ]
		for child in $all; do
			until_true gone "$child"
		done
	done
}

@test "bench that is killed leaves no process behind" {
	start bench --seconds 600 --writers 2
	until_eval '[ "$(children '"$pid"' | wc -l)" -eq 3 ]'
	all=$(children "$pid")
	kill -TERM "$pid"
	finish "$pid" 143
	for child in $all; do
		until_true gone "$child"
	done
}
