#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# bstreamctl metrics, and the same by HTTP: what a strict parser makes of it.
# shellcheck disable=SC2154 # dir, socket and deadline are setup.bash's, stderr is bats's

load setup

# strictly - stdin is OpenMetrics text to the letter, or fails
strictly() {
	/usr/bin/python3 -c 'from prometheus_client.openmetrics import parser' 2>/dev/null ||
		skip "no strict parser (python3-prometheus-client)"
	/usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics import parser
families = list(parser.text_string_to_metric_families(sys.stdin.read()))
names = [f.name for f in families]
assert len(names) == len(set(names)), "a family twice"
for f in families:
    assert f.name.startswith("bstream_") and f.documentation, f.name
    for s in f.samples:
        assert f.type != "counter" or s.value >= 0, s
print(len(names), "families")
'
}

@test "what bstreamctl metrics prints is OpenMetrics" {
	ctl create a/b.c-d_e
	seq 10 | ctl write --frame line a/b.c-d_e
	ctl metrics >text
	grep -qxF 'bstream_stream_written_chunks_total{stream="a/b.c-d_e"} 10' text
	[ "$(tail -n 1 text)" = "# EOF" ]
	run -0 strictly <text
	[[ $output == *families ]]
	ctl rm a/b.c-d_e
}

@test "what curl gets from the socket of --metrics is the same" {
	command -v curl >/dev/null || skip "no curl"
	mkdir -m 700 bstream
	"$BSTREAM_DAEMON" --socket "$socket" --metrics "$dir/metrics" --idle-timeout 0 3>&- &
	until_true ctl --no-start daemon status
	curl -sS -D head --unix-socket metrics http://localhost/metrics >text
	grep -qi '^content-type: application/openmetrics-text; version=1.0.0' head
	run -0 strictly <text
	run -22 curl -sSf --unix-socket metrics http://localhost/other
	ctl daemon stop
	[ ! -e metrics ]
}

@test "without a broker it is exit 4, and with the machine's one for root alone" {
	run -4 ctl --no-start metrics
	run -2 ctl metrics more
	[ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null || skip "only root can play several users"
	setpriv --reuid 61001 --regid 61001 --clear-groups "$BSTREAMCTL" --version >/dev/null 2>&1 ||
		skip "another user cannot run $BSTREAMCTL"
	chmod 755 "$dir"
	mkdir -m 755 bstream
	export BSTREAM_SOCKET=$socket
	"$BSTREAM_DAEMON" --system 3>&- &
	until_true ctl --no-start daemon status
	ctl metrics | tail -n 1 | grep -qx "# EOF"
	run -5 --separate-stderr setpriv --reuid 61001 --regid 61001 --clear-groups "$BSTREAMCTL" metrics
	[[ $stderr == *"61001 lacks ownership"* ]]
}
