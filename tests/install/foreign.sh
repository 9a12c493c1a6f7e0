#!/bin/bash
# SPDX-License-Identifier: MIT
# A program that knows nothing of this tree is compiled against what make install installs, by its
# pkg-config file: as C11 and C++17, shared and static. The Python module is found there too, and make
# uninstall leaves nothing. TAP. Run it in the build tree, or set top_builddir.
# shellcheck disable=SC2317 # functions are called by trap, and by name
set -euo pipefail
export LC_ALL=C
unset BSTREAM_LIBRARY PYTHONPATH MAKEFLAGS MAKELEVEL MFLAGS
build=$(cd "${top_builddir:-.}" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/bstream-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
dest=$work/dest

n=0 failed=0
must() { # must WHAT COMMAND... - a test; its output is shown if it fails
	local what=$1
	shift
	n=$((n + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		tail -n 40 "$work/log" | sed 's/^/# /'
		failed=1
	fi
}
skip() { # skip WHAT WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# variable NAME - as the build's Makefile has it, expanded
variable() {
	# shellcheck disable=SC2016 # make's variable
	printf 'include Makefile\nshow:\n\t@echo "$(%s)"\n' "$1" |
		make -s --no-print-directory -C "$build" -f - show
}

must "make install takes DESTDIR" make -C "$build" install DESTDIR="$dest"
prefix=$(variable prefix) libdir=$(variable libdir) includedir=$(variable includedir)
bindir=$(variable bindir)
for file in "$includedir/bstream.h" "$libdir/libbstream.so" "$libdir/libbstream.so.0" \
	"$libdir/pkgconfig/bstream.pc" "$bindir/bstreamctl" "$bindir/bstreamd"; do
	must "there is ${file#"$prefix"/}" test -e "$dest$file"
done
must "nothing is beside the prefix" sh -c "! find '$dest' -type f -not -path '$dest$prefix/*' | grep ."

# flags OPTION... - what bstream.pc says, of a tree that was moved
flags() {
	PKG_CONFIG_LIBDIR=$dest$libdir/pkgconfig pkg-config --define-variable=prefix="$dest$prefix" \
		--define-variable=libdir="$dest$libdir" --define-variable=includedir="$dest$includedir" "$@" bstream
}

cp "$here/foreign.c" "$work/foreign.c"
cp "$here/foreign.c" "$work/foreign.cc"
cd "$work"
export LD_LIBRARY_PATH=$dest$libdir BSTREAM_DAEMON=$dest$bindir/bstreamd
export XDG_RUNTIME_DIR=$work BSTREAM_SOCKET=$work/broker.sock
version=$(variable VERSION)
must "bstream.pc knows its version" test "$(flags --modversion)" = "$version"

# compile_and_run COMPILER STANDARD SOURCE LINKING
compile_and_run() {
	local static=()
	[ "$4" = shared ] || static=(-static)
	# shellcheck disable=SC2046 # several words
	$1 "-std=$2" -Wall -Wextra -Wpedantic -Werror "${static[@]}" -o "try-$2-$4" "$3" \
		$(flags --cflags --libs "${static[@]/#/-}") || return
	if [ "$4" = shared ]; then
		ldd "./try-$2-$4" | grep "$dest$libdir/libbstream.so.0" || return
	fi
	"./try-$2-$4" "$version"
}

cc=$(variable CC) cxx=$(variable CXX)
for linking in shared static; do
	if [ $linking = static ] && [ ! -e "$dest$libdir/libbstream.a" ]; then
		skip "static" "configured with --disable-static"
		continue
	fi
	must "C11, $linking" compile_and_run "$cc" c11 foreign.c $linking
	if command -v "${cxx%% *}" >/dev/null; then
		must "C++17, $linking" compile_and_run "$cxx" c++17 foreign.cc $linking
	else
		skip "C++17, $linking" "there is no C++ compiler"
	fi
done

shell_moves_bytes() {
	local status=0
	echo moved | "$dest$bindir/bstreamctl" write installed &&
		[ "$("$dest$bindir/bstreamctl" read installed)" = moved ] || status=1
	"$dest$bindir/bstreamctl" --no-start daemon stop
	return "$status"
}
must "bstreamctl and bstreamd work from there" shell_moves_bytes

python=$(variable PYTHON) pythondir=$(variable pythondir)
if [ -e "$dest$pythondir/bstream/__init__.py" ]; then
	must "Python imports the module from there" env PYTHONPATH="$dest$pythondir" \
		PYTHONDONTWRITEBYTECODE=1 "$python" -c '
import bstream, sys
assert bstream.__file__.startswith(sys.argv[1]), bstream.__file__
assert bstream.version == sys.argv[2]
w, r = bstream.pair()
with w, r:
    w.write(b"x")
    assert r.read() == b"x"
' "$dest" "$version"
else
	skip "Python" "configured without it"
fi
must "make uninstall" make -C "$build" uninstall DESTDIR="$dest"
must "leaves nothing" sh -c "! find '$dest' -not -type d | grep ."
echo "1..$n"
exit $failed
