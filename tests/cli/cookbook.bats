#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# doc/cookbook.md, run as it stands: each task's script in a directory of its own, with a broker of
# its own, and what it prints compared with the block behind it. The other machine is an sshd of our own,
# without a port: ssh starts it and talks to its stdin.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # bats runs each test in a subshell of its own

load setup

book=$BATS_TEST_DIRNAME/../../doc/cookbook.md

eval "setup_$(declare -f teardown)"

teardown() {
	local code=0
	if [ -d "$dir/there" ]; then
		XDG_RUNTIME_DIR=$dir/there "$BSTREAMCTL" -q --no-start daemon stop || [ $? -eq 4 ] || code=1
	fi
	setup_teardown && return $code
}

# other_machine - makes an ssh that reaches a machine where nothing is but bstream: a runtime directory
# and a broker of its own. Nothing of the user's ssh is read or written.
other_machine() {
	local sshd=/usr/sbin/sshd key
	[ -x $sshd ] || skip "sshd is not installed (openssh-server), and HOST names no machine"
	command -v ssh ssh-keygen >/dev/null || skip "ssh is not installed (openssh-client)"
	mkdir -m 700 ssh there
	for key in host user; do
		ssh-keygen -q -t ed25519 -N '' -f ssh/$key
	done
	cat >ssh/sshd_config <<-END
		HostKey $dir/ssh/host
		AuthorizedKeysFile $dir/ssh/user.pub
		AuthenticationMethods publickey
		PermitRootLogin prohibit-password
		StrictModes no
		PidFile none
		LogLevel ERROR
		SetEnv PATH=$PATH XDG_RUNTIME_DIR=$dir/there BSTREAM_DAEMON=$BSTREAM_DAEMON
	END
	cat >ssh/config <<-END
		Host localhost
		ProxyCommand $dir/ssh/sshd
		IdentityFile $dir/ssh/user
		IdentitiesOnly yes
		UserKnownHostsFile $dir/ssh/known_hosts
		GlobalKnownHostsFile /dev/null
		StrictHostKeyChecking no
		LogLevel ERROR
	END
	# Root's sshd wants a directory that only a running service has. It gets one of its own if there can be
	# mounts of its own, else (in a container) the one that the service would have made.
	cat >ssh/sshd <<-END
		#!/bin/sh
		sshd="$sshd -i -f $dir/ssh/sshd_config"
		if [ "\$(id -u)" -ne 0 ] || [ -d /run/sshd ]; then exec \$sshd; fi
		if unshare -m true 2>&-; then
			exec unshare -m sh -c "mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec \$sshd"
		fi
		mkdir -p -m 755 /run/sshd && exec \$sshd
	END
	printf '#!/bin/sh\nexec %s -F %s "$@"\n' "$(command -v ssh)" "$dir/ssh/config" >bin/ssh
	chmod +x ssh/sshd bin/ssh
}

# section NUMBER - that task's text
section() {
	awk -v head="## $1. " 'index($0, "## ") == 1 { in_it = index($0, head) == 1 } in_it' "$book"
}

# recipe NUMBER - runs it
recipe() {
	local needs
	surroundings
	[ "$1" -ne 6 ] || [ -n "${HOST:-}" ] || other_machine
	section "$1" >task
	awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' task >script
	awk '/^```$/ { if (inside == 1) inside = 0; else if (closed++ % 2 == 1) inside = 1; next } inside' \
		task >expected
	[ -s script ]
	echo wait >>script # what it left in the background is not for teardown to find
	needs=$(sed -n 's/^<!-- needs: \(.*\) -->$/\1/p' task)
	needs=${needs:-true}
	[[ $needs == *" "* ]] || needs="command -v $needs"
	bash -c "$needs" >/dev/null 2>&1 || skip "needs $needs"
	timeout -k 5 "$deadline" bash -eu script >printed 3>&- || {
		echo "the script failed with $?"
		cat printed
		return 1
	}
	diff expected printed
}

# A number each, so that none is forgotten: the last test counts them.
@test "1. many loggers into one file, no line torn" { recipe 1; }
@test "2. a pool of workers" { recipe 2; }
@test "3. replace a consumer without losing data" { recipe 3; }
@test "4. ffmpeg to two consumers" { recipe 4; }
@test "5. a pipeline across containers" { recipe 5; }
@test "6. to another machine, by ssh" { recipe 6; }
@test "6. what was cut off, or whose source died, ends as died on the other machine" {
	surroundings
	other_machine
	ssh localhost bstreamctl --version >/dev/null || skip "sshd does not let us in"
	# carry HERE THERE - the recipe's own lines, with these names
	eval "carry() { $(section 6 | sed -n '/^{ /,/gunzip/p' |
		sed 's/ backup / "$1" /; s/backup-there/$2/'); }"
	export HOST=localhost

	open_input
	start write source <in
	echo half of it >&9
	until_eval '[ "$(field source fill)" = 1/16 ]'
	kill -KILL "$pid"
	carry source died || true
	code=0
	ssh localhost bstreamctl read died >got || code=$?
	[ "$code" -eq 7 ]
	[ "$(cat got)" = "half of it" ]

	start_command ssh localhost "bstreamctl exec -o cut -- gunzip" <in
	seq 100000 | gzip | head -c 20000 >&9
	ssh localhost bstreamctl wait cut --for=writer
	kill -KILL "$pid"
	code=0
	ssh localhost bstreamctl read cut >got || code=$?
	[ "$code" -eq 7 ]
}

@test "7. a C program and a Python program" { recipe 7; }
@test "8. back-pressure made visible" { recipe 8; }
@test "9. tell a crash from an end" { recipe 9; }
@test "10. not faster than so much a second" { recipe 10; }
@test "11. a service in the manner of inetd" { recipe 11; }
@test "12. find out why a pipeline is stuck" { recipe 12; }

@test "the book has twelve tasks, and its contents lead to each" {
	[ "$(grep -c '^## [0-9]*\. ' "$book")" -eq 12 ]
	[ "$(grep -c '^[0-9]*\. \[.*\](#[0-9]*-[a-z-]*)$' "$book")" -eq 12 ]
	grep -o '^[0-9]*\. \[.*\]' "$book" | tr -d '[]' | sed 's/^/## /' >contents
	grep '^## ' "$book" | diff - contents
}
