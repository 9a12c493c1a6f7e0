#!/bin/bash
# SPDX-License-Identifier: MIT
# doc/deployment.md under a real systemd: a tree of Debian's with our packages in it is booted in namespaces and a
# cgroup of its own, and the units are used in it: activation by the socket, names that outlive restart, crash and
# hang, refusals between users, a user's own service. deb.sh runs it; exits 77 where that cannot be had.
#
# Usage: boot.sh ROOT        it has systemd, dbus, dbus-user-session, libpam-systemd and our packages
# shellcheck disable=SC2016,SC2317 # sh -c's in there; functions that are called by trap, and by name
set -euo pipefail
export LC_ALL=C
root=$(cd "$1" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/bstream-boot.XXXXXX")
group=
cleanup() {
	[ -z "${init:-}" ] || kill -KILL "$init"
	wait
	if [ -n "$group" ]; then
		until grep -q '^populated 0' "$group/cgroup.events"; do :; done
		find "$group" -depth -type d -exec rmdir {} +
	fi
	rm -rf "$work"
}
trap cleanup EXIT
cannot() {
	echo "$1"
	exit 77
}
[ "$(id -u)" -eq 0 ] || cannot "only root can boot something"
[ -x "$root/lib/systemd/systemd" ] || cannot "there is no systemd in $root"
unshare -Cmpuin --fork true 2>/dev/null || cannot "no namespaces can be had here"
groups=$(findmnt -nt cgroup2 -o TARGET | head -n 1)
mkdir "${groups:-/nonexistent}/bstream-boot.$$" 2>/dev/null || cannot "no cgroup can be made here"
group=$groups/bstream-boot.$$

# What is first in there: mounts of its own, as containers have them, and systemd.
cat >"$work/first" <<'SCRIPT'
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 none dev
for i in null zero full random urandom tty; do
	: >dev/$i
	mount --bind /dev/$i dev/$i
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 none dev/shm
mount -t tmpfs -o mode=755 none run
mount -t tmpfs none tmp
pivot_root . mnt
umount -l mnt
exec env -i container=bstream PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --log-target=null systemd.unit=multi-user.target
SCRIPT
(
	echo "$BASHPID" >"$group/cgroup.procs"
	exec unshare -Cmpuin --fork --kill-child bash "$work/first" "$root" </dev/null >"$work/log" 2>&1
) &
outside=$!

# until_true SECONDS COMMAND... - tries again until it succeeds
until_true() {
	local end=$((SECONDS + $1))
	until "${@:2}"; do
		[ $SECONDS -lt $end ] || return 1
		read -rt 0.1 <> <(:) || true
	done
}
init_is_there() {
	read -r init _ < <(cat "/proc/$outside/task/$outside/children" && echo) && [ -n "$init" ]
}
until_true 20 init_is_there

# in_it COMMAND... - runs it there, as root; as USER COMMAND... - as somebody else
in_it() {
	timeout 60 nsenter -t "$init" -m -p -u -i -n -C -r -w -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null
}
as() {
	in_it setpriv --reuid "$1" --regid "$1" --init-groups \
		env HOME="/home/$1" XDG_RUNTIME_DIR="/run/user/$(in_it id -u "$1")" "${@:2}"
}
# broker - how the service is: broker PROPERTY, or as anna's: broker --user PROPERTY
broker() {
	if [ "$1" = --user ]; then
		as anna systemctl --user show bstreamd -P "$2"
	else
		in_it systemctl show bstreamd -P "$1"
	fi
}
bad=0
must() { # must WHAT COMMAND... - its output is shown if it fails
	local what=$1
	shift
	"$@" >"$work/out" 2>&1 || {
		bad=1
		echo "not so: $what"
		tail -n 20 "$work/out"
	}
}
says() { # says TEXT COMMAND... - in all that it prints there is this
	local text=$1
	shift
	"$@" >"$work/said" 2>&1 || true
	grep -qF -e "$text" "$work/said" || {
		cat "$work/said"
		return 1
	}
}

must "it boots" until_true 90 in_it systemctl is-active -q multi-user.target
for user in anna bert; do
	in_it id -u $user >"$work/out" 2>&1 || in_it useradd -m $user
done

must "the socket is enabled" in_it systemctl enable --now bstreamd.socket
must "the first who connects has the broker started" as anna bstreamctl --system create --mode 0604 --keep news
must "a user writes" as anna sh -c 'echo hello | bstreamctl --system write news'
must "another may not remove it" says "not permitted: bert lacks ownership here, it is anna's" \
	as bert bstreamctl --system rm news
must "restart keeps the name" in_it systemctl restart bstreamd.service
must "and says how many there are" says "1 stream at /run/bstream/broker.sock" broker StatusText
must "a crash keeps it" in_it systemctl kill -s KILL bstreamd.service
must "with its data" says 1/16 as bert bstreamctl --system ls
must "its unit says when it hangs" in_it sh -ec '
	mkdir -p /run/systemd/system/bstreamd.service.d
	printf "[Service]\nWatchdogSec=2s\n" >/run/systemd/system/bstreamd.service.d/short.conf
	systemctl daemon-reload
	systemctl restart bstreamd.service'
hung=$(broker MainPID)
must "it hangs" in_it sh -c "kill -STOP $hung"
restarted() { [ "$(broker MainPID)" -gt 0 ] && [ "$(broker MainPID)" -ne "$hung" ]; }
must "a broker that hangs is killed, and started again" until_true 30 restarted
must "the other user reads what there was" says hello as bert bstreamctl --system read --count 1 news
must "its exposure is that of the page" in_it systemd-analyze security --threshold=7 bstreamd.service
must "it is disabled again" in_it systemctl disable --now bstreamd.socket bstreamd.service

must "a user's own manager runs" in_it loginctl enable-linger anna
must "and is ready" until_true 60 as anna systemctl --user is-active -q default.target
must "a stream from before" as anna bstreamctl create --keep before
must "its broker leaves" as anna bstreamctl daemon stop
must "the user's socket is enabled" as anna systemctl --user enable --now bstreamd.socket
must "the service finds it" says "before " as anna bstreamctl ls
must "a sealed one" as anna bstreamctl create --keep --sealed sealed
must "the user's broker has a watchdog" says 30s broker --user WatchdogUSec
must "restart" as anna systemctl --user restart bstreamd.service
must "keeps it" says "sealed " as anna bstreamctl ls
must "a crash" as anna systemctl --user kill -s KILL bstreamd.service
must "does, too" says "sealed " as anna bstreamctl ls
must "and they are two" says "2 streams at /run/user" broker --user StatusText
must "the user's socket is disabled" as anna systemctl --user disable --now bstreamd.socket bstreamd.service
must "programs start a broker by themselves, which finds what is not sealed" says "before " as anna bstreamctl ls
must "and it stops" as anna sh -c 'bstreamctl rm before; bstreamctl daemon stop'
exit $bad
