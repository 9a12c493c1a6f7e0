#!/bin/bash
# SPDX-License-Identifier: MIT
# What holds for any stream holds for sealed ones: the tests of ends, waiting, travelling and dying
# once more, with BSTREAM_SEALED=1 in the environment, which makes every stream a sealed one. Those
# about brokers that find files again are not among them; check_sealed has what is there instead.
set -u
tests=${top_builddir:-.}/tests
n=0 bad=0

export BSTREAM_SEALED=1
for test in check_{fork,items,pair,reader,room,move,travel,verdict,wait,writer} \
	stress/{kills,matrix,mixes} crash/kill; do
	[ -x "$tests/$test" ] || {
		echo "# $test is not built here"
		continue
	}
	n=$((n + 1))
	"$tests/$test" || {
		echo "FAILED, sealed: $test"
		bad=$((bad + 1))
	}
done
[ $n -gt 0 ] || {
	echo "skipped: no C tests are built"
	exit 77
}
exit $((bad > 0))
