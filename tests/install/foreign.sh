#!/bin/bash
# SPDX-License-Identifier: MIT
# A program that knows nothing of this tree is compiled against what make install installs, by its
# pkg-config file: as C11 and C++17, shared and static. The Python module is found there too, shells find
# what they need to complete, and make uninstall leaves nothing. TAP. Run it in the build tree, or set top_builddir.
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

for file in "$libdir/libbstream.so.0" "$bindir/bstreamctl" "$bindir/bstreamd"; do
	must "${file#"$prefix"/} looks for nothing in the build tree" \
		sh -c "! LC_ALL=C readelf -d '$dest$file' | grep -F '$build'"
done
must "another --prefix reaches the library" \
	sh -c "make -n -C '$build' -W Makefile lib/libbstream.la | grep -F DBSTREAMD_PATH="

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

# Completions: installed is what the tool prints, and each shell finds it by itself.
datadir=$(variable datadir)
bash_dir=$(variable bashcompletiondir) zsh_dir=$(variable zshcompletiondir)
fish_dir=$(variable fishcompletiondir)
mkdir "$work/home" "$work/bin" # nothing else in PATH: "bstreamctl w" could be of others
ln -s "$dest$bindir/bstreamctl" "$work/bin"
as_user() { env HOME="$work/home" XDG_DATA_DIRS="$dest$datadir" PATH="$work/bin:$PATH" "$@"; }

for file in "bash $bash_dir/bstreamctl" "zsh $zsh_dir/_bstreamctl" "fish $fish_dir/bstreamctl.fish"; do
	# shellcheck disable=SC2016 # the inner shell's
	must "${file#* "$prefix"/} is what the tool prints" \
		bash -c 'cmp <("$0" completion "$1") "$2"' "$dest$bindir/bstreamctl" "${file%% *}" "$dest${file#* }"
done

# bash_completes TEXT - what bash does after this, which brings it the file
bash_completes() {
	local status=0
	"$dest$bindir/bstreamctl" create completed/name || return
	# shellcheck disable=SC2016 # the inner shell's
	as_user bash --norc -euc '
		eval "$0"
		completed() {
			COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
			_bstreamctl bstreamctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
			echo "${COMPREPLY[*]}"
		}
		complete -p bstreamctl
		[ "$(completed bstreamctl wri)" = write ]
		[ "$(completed bstreamctl read comp)" = completed/name ]' "$1" || status=1
	"$dest$bindir/bstreamctl" rm completed/name
	"$dest$bindir/bstreamctl" --no-start daemon stop
	return "$status"
}
must "bash sources it, and completes a verb and a name" bash_completes "source $dest$bash_dir/bstreamctl"
loader=/usr/share/bash-completion/bash_completion
if [ -e $loader ]; then
	must "bash-completion finds it" bash_completes \
		"set +eu; source $loader; __load_completion bstreamctl || _comp_load bstreamctl; set -eu"
else
	skip "bash-completion finds it" "it is not installed"
fi
if command -v zsh >/dev/null; then
	# shellcheck disable=SC2016 # zsh's
	must "zsh finds it" as_user zsh -fc \
		'fpath=($1 $fpath); autoload -Uz compinit && compinit -uD && [[ $_comps[bstreamctl] = _bstreamctl ]]' \
		zsh "$dest$zsh_dir"
else
	skip "zsh finds it" "it is not installed"
fi
if command -v fish >/dev/null; then
	# shellcheck disable=SC2016 # fish's
	must "fish finds it" as_user fish -c 'test (complete -C "bstreamctl wri" | cut -f 1) = write'
else
	skip "fish finds it" "it is not installed"
fi
must "make uninstall" make -C "$build" uninstall DESTDIR="$dest"
must "leaves nothing" sh -c "! find '$dest' -not -type d | grep ."
echo "1..$n"
exit $failed
