#!/bin/bash
# SPDX-License-Identifier: MIT
# The Debian packages: built from the tarball, without an error of lintian's, installed, and used. In a
# chroot made by debootstrap, where that can be had (root, a mirror); else unpacked side by side.
# TAP. Takes minutes: "./check --long" runs it. Run it in a build tree, or set top_builddir.
#
# Usage: deb.sh        DEB_KEEP=DIR keeps the packages there
# shellcheck disable=SC2317 # functions are called by trap, and by name
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/bstream-deb.XXXXXX")
root=$work/root
cleanup() {
	local mount
	for mount in proc dev/shm; do
		! mountpoint -q "$root/$mount" || umount -l "$root/$mount"
	done
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT

n=0 failed=0
say() { # say OK-OR-NOT WHAT
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] || failed=1
}
must() { # must WHAT COMMAND... - a test; its output is shown if it fails
	local what=$1
	shift
	if "$@" >"$work/log" 2>&1; then
		say ok "$what"
	else
		say "not ok" "$what"
		tail -n 40 "$work/log" | sed 's/^/# /'
	fi
}
for tool in dpkg-buildpackage dh lintian; do
	command -v $tool >/dev/null || {
		echo "1..0 # SKIP $tool is not installed"
		exit 0
	}
done

# A tree of our own: what the tarball has.
make -C "$build" distdir distdir="$work/bstream" >"$work/log" 2>&1 || {
	cat "$work/log"
	exit 1
}
cd "$work/bstream"
must "dpkg-buildpackage makes the packages" \
	env DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" dpkg-buildpackage -us -uc -b
cd "$work"
mapfile -t debs < <(compgen -G './*.deb' | grep -v -e -dbgsym_)
for package in bstream libbstream0 libbstream-dev python3-bstream; do
	must "there is $package" compgen -G "./${package}_*.deb"
done
must "lintian finds no error" lintian --allow-root --fail-on error ./*.changes
[ -z "${DEB_KEEP:-}" ] || cp ./*.deb "$DEB_KEEP"

# needed - the packages that ours depend on, with commas between
needed() {
	local deb
	for deb in "${debs[@]}"; do
		dpkg-deb -f "$deb" Depends | tr , '\n'
	done | sed 's/^ *//; s/[ (|:].*$//' | grep -vxe '.*bstream.*' -e '' | sort -u | paste -sd ,
}

compiling=gcc,libc6-dev,pkg-config
booting=dbus,dbus-user-session,libpam-systemd,systemd # boot.sh

# in_root COMMAND... - runs it where the packages are installed
if [ "$(id -u)" -eq 0 ] && command -v debootstrap >/dev/null && mkdir -p "$root" &&
	debootstrap --variant=minbase "--include=$compiling,$booting,$(needed)" bookworm "$root" >"$work/log" 2>&1 &&
	mount -t proc proc "$root/proc" && mkdir -p "$root/dev/shm" &&
	mount -t tmpfs tmpfs "$root/dev/shm"; then
	home=/root
	in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
	cp "${debs[@]}" "$root/root"
	must "dpkg installs them" in_root sh -c 'dpkg -i /root/*.deb'
	must "there is a user for the machine's broker" in_root id bstream
	must "no broker is a service before somebody wants that" in_root sh -c '! find /etc/systemd -name "bstream*" | grep .'
else
	echo "# no chroot can be made here: unpacked instead"
	mkdir -p "$root"
	for deb in "${debs[@]}"; do
		dpkg-deb -x "$deb" "$root"
	done
	home=$root/root
	mkdir -p "$home"
	libdir=$(dirname "$(find "$root/usr/lib" -name libbstream.so.0)")
	in_root() {
		(cd "$root/root" && env PATH="$root/usr/bin:$PATH" LD_LIBRARY_PATH="$libdir" \
			PYTHONPATH="$root/usr/lib/python3/dist-packages" PYTHONDONTWRITEBYTECODE=1 \
			BSTREAM_DAEMON="$root/usr/bin/bstreamd" XDG_RUNTIME_DIR="$work" \
			PKG_CONFIG_LIBDIR="$libdir/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" \
			CPATH="$root/usr/include" LIBRARY_PATH="$libdir" "$@")
	}
fi

cat >"$root/root/try.sh" <<'SCRIPT'
set -eu
printf 'one\ntwo\n' | bstreamctl write x
[ "$(bstreamctl read x)" = "$(printf 'one\ntwo\n')" ]
bstreamctl daemon stop
SCRIPT
cat >"$root/root/try.py" <<'SCRIPT'
import bstream
bstream.create("x")
with bstream.Writer("x") as writer:
    writer.write(b"from Python")
with bstream.Reader("x") as reader:
    assert list(reader) == [b"from Python"]
bstream.broker_stop()
SCRIPT
cat >"$root/root/try.c" <<'SCRIPT'
#include <bstream.h>
int main(void)
{
	struct bstream_writer *w;
	struct bstream_reader *r;
	char c = 0;
	size_t len;

	return bstream_pair(0, &w, &r) || bstream_write(w, "x", 1, BSTREAM_FOREVER) ||
	       bstream_read(r, &c, 1, &len, BSTREAM_FOREVER) != 1 || c != 'x';
}
SCRIPT
must "bstreamctl moves bytes" in_root sh "$home/try.sh"
must "Python finds the module and the library" in_root python3 -W error "$home/try.py"
# shellcheck disable=SC2016 # the inner shell's
must "a program is compiled against it, and runs" in_root sh -c \
	'cd "$0" && gcc -o try try.c $(pkg-config --cflags --libs bstream) && ./try' \
	"$home"
# shellcheck disable=SC2016 # the inner shell's
must "so does a static one" in_root sh -c \
	'cd "$0" && gcc -static -o try try.c $(pkg-config --static --cflags --libs bstream) && ./try' \
	"$home"
if mountpoint -q "$root/proc"; then
	status=0
	bash "$here/boot.sh" "$root" >"$work/log" 2>&1 || status=$?
	case $status in
	0) say ok "booted with systemd, the units do what doc/deployment.md says" ;;
	77) say ok "the units, under systemd # SKIP $(tail -n 1 "$work/log")" ;;
	*)
		say "not ok" "booted with systemd, the units do what doc/deployment.md says"
		sed 's/^/# /' "$work/log"
		;;
	esac
	must "dpkg removes them without a trace" in_root sh -c \
		'dpkg -P python3-bstream libbstream-dev bstream libbstream0 && ! find / -xdev -name "*bstream*" -not -path "/root/*" -not -path "/proc/*" -not -path "/tmp/*" -not -path "/var/*" | grep .'
fi
echo "1..$n"
exit $failed
