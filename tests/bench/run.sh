#!/bin/bash
# SPDX-License-Identifier: MIT
# bstream-bench builds, measures each case, finds a chunk that is not what was sent, and says it all as a
# table, as CSV, as JSON and as plots. No figure is compared with anything. TAP.
set -u
export LC_ALL=C
build=$(cd "${top_builddir:-.}" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
export TMPDIR=$work
unset BSTREAM_SOCKET BSTREAM_SEALED BSTREAM_SPIN
cd "$work" || exit 99
# shellcheck disable=SC2317 # it is reached, by trap
cleanup() {
	local socket
	for socket in "$work"/bstream-bench-*/*.sock; do # of a benchmark that was killed
		[ ! -S "$socket" ] || BSTREAM_SOCKET=$socket timeout 20 "$build/cli/bstreamctl" -q --no-start daemon stop
	done >/dev/null 2>&1
	cd / && rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
n=0 bad=0

# Programs that step through others run at the lowest priority (tests/crash/trace.h): beside what spins on each CPU
# they stand still. So their turn is taken.
if [ -d "$build/tests/crash" ]; then
	exec 9<"$build/tests/crash"
	flock 9
fi

# result WHAT - how the last command ended
result() {
	local status=$?
	n=$((n + 1))
	if [ $status -eq 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' said
		bad=1
	fi
}

skip() { # WHAT WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# Rounds are short, and count whoever else uses the machine.
bench() {
	timeout --foreground -k 10 600 "$build/bench/bstream-bench" "$@" -r 1 -q --foreign=100 \
		--daemon="$build/daemon/bstreamd" --ctl="$build/cli/bstreamctl" >table 2>said 9<&-
}

# good CASE WHAT TRANSPORT COLUMN - a good round of it has a figure above zero there
good() {
	awk -F, -v kase="$1" -v what="$2" -v transport="$3" -v column="$4" '
		$1 == "case" { for (i = 1; i <= NF; i++) at[$i] = i }
		$1 == kase && $(at["what"]) == what && $(at["transport"]) == transport &&
			$(at["verdict"]) == "good" && $(at[column]) > 0 { found = 1 }
		END { exit !found }' rounds.csv || {
		echo "no good round of $*" >>said
		return 1
	}
}

bench run -c ABCDEFG -s 16,4K -d 0.1 -p free --file-mib=1 --full-check \
	-t 'bstream-16,pipe64k,spinring-16,fifo+cat,bstreamctl' --csv=rounds.csv --json=medians.json
result "all cases but names are measured"
good A "" bstream-16 chunks_per_s && good A "" pipe64k chunks_per_s && good A "" spinring-16 chunks_per_s &&
	good B sleeping bstream-16 p50_ns && good B spinning bstream-16 p50_ns &&
	good C empty bstream-16 cpu_us_per_s && good D "" bstream-16 min_share &&
	good E "" bstream-16 chunks_per_s && good F "pause 10 ms" bstream-16 p50_ns && good G "to null" bstreamctl bytes_per_s
result "each has figures in the CSV"
grep -q '^A  one way, 16 B, free' table && grep -q '^bstream-16 .*\[' table && grep -q '^pipe64k .*\[' table
result "and in the table, ours and the peer's"
if command -v python3 >/dev/null; then
	python3 - <<-END >>said 2>&1
		import json
		m = json.load(open("medians.json"))
		good = [p for p in m["points"] if p["good"] == 1]
		assert m["v"] == 1 and m["machine"]
		assert {p["case"] for p in good} == set("ABCDEFG"), good
		for transport in "bstream-16", "pipe64k":
		    assert any(p["case"] == "A" and p["transport"] == transport and p["chunks_per_s"]["median"] > 0 for p in good)
	END
	result "and in the JSON"
else
	skip "and in the JSON" "python3 is not installed"
fi

# A thousand clients are threads of ten processes.
can=$(ulimit -u)
read -r most 2>/dev/null </sys/fs/cgroup/pids.max || most=max
if [[ $can =~ ^[0-9]+$ && $can -lt 4000 || $most =~ ^[0-9]+$ && $most -lt 4000 ]]; then
	skip "names are measured" "a thousand threads are too many here"
	skip "with figures" "a thousand threads are too many here"
else
	bench run -c H --streams=20 --csv=rounds.csv
	result "names are measured"
	good H "small streams" sequence p50_ns && good H "system: small streams" sequence p50_ns && good H "" list seconds
	result "with figures"
fi

bench targets -c A -s 16,128 -d 0.05 -t 'bstream-*,pipe64k,spinring-16' &&
	grep -qE '^A +bstream-16 +16 .*pipe64k.*>= 30 +(met|MISSED)' table && grep -q '^A .* not measured$' table
result "targets: what was measured is met or missed, and what was not is said"

liar=$build/tests/bench/.libs/liar.so
if [ -e "$liar" ]; then
	! LD_PRELOAD=$liar bench run -c A -s 4K -d 0.1 -p free --full-check -t pipe64k --csv=rounds.csv &&
		grep -q '^A,,pipe64k,4096,.*,failed,.*the check of a chunk is wrong' rounds.csv &&
		[ "$(cat said)" = "bstream-bench: 1 rounds failed (their reasons: --csv=-)" ] && ! good A "" pipe64k chunks_per_s
	result "a chunk that was changed on its way fails the round, and the run"
else
	skip "a chunk that was changed on its way fails the round" "configured without shared libraries"
fi

refused() { # ARGUMENT... - as what cannot be measured
	timeout -s KILL 20 "$build/bench/bstream-bench" "$@" >table 2>said
	[ $? -eq 2 ] && [ ! -s table ] && [ "$(wc -l <said)" -eq 1 ]
}
refused run -c Z && refused run -s 15 && refused run -p nowhere && refused run -r 0 && refused sing
result "what cannot be measured is exit 2 and one line"

drawn() { # PLOT...
	local plot
	for plot; do
		grep -q '</svg>' "plots/$plot.svg" 2>>said || return 1
	done
}
if command -v gnuplot >/dev/null; then
	bench run -c AB -s 16,4K -d 0.05 -t 'bstream-16,pipe64k' --csv=rounds.csv &&
		"$source/bench/plot" rounds.csv plots >>said 2>&1 &&
		drawn oneway-pinned oneway-free oneway-bytes roundtrip-sleeping roundtrip-spinning
	result "plots are drawn"
else
	skip "plots are drawn" "gnuplot is not installed"
fi
echo "1..$n"
exit $bad
