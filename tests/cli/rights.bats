#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The machine's broker and two users of it, as root plays them.
# shellcheck disable=SC2119,SC2120,SC2154 # dir, socket and deadline are setup.bash's, stderr is bats's

load setup

anna=61001 bert=61002

# as UID ARGUMENTS... - bstreamctl as another user
as() {
	local uid=$1
	shift
	setpriv --reuid "$uid" --regid "$uid" --clear-groups timeout "$deadline" "$BSTREAMCTL" "$@"
}

start_system_broker() {
	[ "$(id -u)" -eq 0 ] || skip "only root can play several users"
	command -v setpriv >/dev/null || skip "no setpriv"
	setpriv --reuid $anna --regid $anna --clear-groups "$BSTREAMCTL" --version >/dev/null 2>&1 ||
		skip "another user cannot run $BSTREAMCTL"
	chmod 755 "$dir"
	mkdir -m 755 bstream
	export BSTREAM_SOCKET=$socket
	mkdir -m 755 no-rules # and not this machine's
	# stopped by teardown, which then looks for its socket
	"$BSTREAM_DAEMON" --system --access "$dir/no-rules" "$@" 3>&- &
	until_true ctl --no-start daemon status
}

@test "a denial is exit 5, and names both users and the right that was missing" {
	start_system_broker
	run -0 as $anna create s
	run -5 --separate-stderr as $bert read --no-wait s
	[[ $stderr == *"$bert lacks the right to read here, it is $anna's"*"mode 0600"* ]]
	run -5 --separate-stderr as $bert write --no-create s </dev/null
	[[ $stderr == *"$bert lacks the right to write"* ]]
	run -5 --separate-stderr as $bert rm s
	[[ $stderr == *"$bert lacks ownership"* ]]
	run -5 --separate-stderr as $bert stat s
	run -0 as $bert ls
	[[ $output != *" s "* ]]
	run -0 as $anna rm s
}

@test "a stream of many is made with --mode and --group" {
	start_system_broker
	run -5 --separate-stderr as $anna create --mode 0660 --group $bert s
	[[ $stderr == *"$anna does not belong to the group $bert"* ]]
	run -2 as $anna create --group no-such-group-here s
	run -0 as $anna create --mode 0606 --capacity 4 s
	as $anna write s <<<hello
	run -0 as $bert read s
	[ "$output" = hello ]
}

@test "a mailbox of many is opened with --mode and --group" {
	start_system_broker
	as $anna listen box --count 1 >private 3>&- &
	local listen=$!
	until_true as $anna wait --for=mailbox --timeout 0 box
	run -5 --separate-stderr as $bert send box --note hello
	[[ $stderr == *"$bert lacks the right to write here, it is $anna's"*"mode 0600"*"--mode"* ]]
	run -5 as $bert open box <<<hello
	run -5 as $bert wait --for=mailbox box
	as $anna send box --note own
	wait "$listen"
	[ "$(cat private)" = own ]
	run -5 --separate-stderr as $anna listen box --mode 0620 --group $bert
	[[ $stderr == *"$anna does not belong to the group $bert"* ]]
	run -2 as $anna listen box --mode 999
	as $anna listen box --mode 0602 --count 1 >public 3>&- &
	listen=$!
	until_true as $bert wait --for=mailbox --timeout 0 box
	run -0 as $bert open box <<<hello
	wait "$listen"
	[ "$(cat public)" = hello ]
}

@test "in a user namespace of one's own one is who one is outside" {
	start_system_broker
	inside=(setpriv --reuid "$anna" --regid "$anna" --clear-groups unshare --user --map-root-user)
	"${inside[@]}" true || skip "no user namespaces here"
	run -0 "${inside[@]}" "$BSTREAMCTL" create --mode 0604 news
	run -0 ctl --json stat news
	[[ $output =~ \"uid\":$anna,\"gid\":$anna ]]
	run -0 "${inside[@]}" "$BSTREAMCTL" write --no-create news <<<hello
	run -5 "${inside[@]}" "$BSTREAMCTL" daemon stop
	run -5 as $bert rm news
	run -0 as $bert read news
	[ "$output" = hello ]
}

@test "the machine's broker is root's to stop" {
	start_system_broker
	run -5 as $anna daemon stop
	run -0 ctl daemon stop
}

@test "quotas are options, shown, and named when they are used up" {
	start_system_broker --quota streams=1 --quota bytes=1G
	run -0 as $anna create s
	run -5 --separate-stderr as $anna create t
	[[ $stderr == *"over quota: $anna has used up his streams, 1 "* ]]
	run -0 as $anna daemon status
	[[ $output == *"streams, 1 of 1"* && $output == *"of 1073741824"* ]]
	run -0 as $bert create t
	run -2 "$BSTREAM_DAEMON" --system --quota sheep=1
	run -2 "$BSTREAM_DAEMON" --system --quota streams=many
	run -2 "$BSTREAM_DAEMON" --system --quota streams=1KB
}

# rules TEXT... - a file of rules, of these lines; skips the test in a build without inih
rules() {
	mkdir -p -m 755 access.d
	printf '%s\n' "$@" >access.d/50-site.conf
	chmod 644 access.d/50-site.conf
	! "$BSTREAM_DAEMON" --access "$dir/access.d" --check 2>&1 | grep -q "built without inih" ||
		skip "built without inih"
}

@test "what a rule forbids is exit 5, and names who, the right, and where that is said" {
	rules '[default]' 'create = * !sys/*' 'read = news/*'
	start_system_broker --access "$dir/access.d"
	run -5 --separate-stderr as $anna create sys/s
	[[ $stderr == *"rules do not give $anna the right to create it"*"(in $dir/access.d: 50-site.conf, line 2)" ]]
	run -0 as $anna create --mode 0606 s
	run -5 --separate-stderr as $bert read --no-wait s
	[[ $stderr == *"rules do not give $bert the right to read"*"50-site.conf, line 3)" ]]
	run -5 --separate-stderr as $bert listen sys/box
	[[ $stderr == *"rules do not give $bert the right to create it"* ]]
	run -0 as $anna rm s
}

@test "rules that are wrong keep a broker from starting, and are told in one line" {
	rules '[default]' 'raed = *'
	run -1 --separate-stderr "$BSTREAM_DAEMON" --access "$dir/access.d" --socket "$socket"
	[ "$stderr" = "bstreamd: $dir/access.d/50-site.conf:2: raed: not create, read or write" ]
	[ ! -e "$socket" ]
	run -1 "$BSTREAM_DAEMON" --access "$dir/access.d" --check
	chmod 666 access.d/50-site.conf
	run -1 --separate-stderr "$BSTREAM_DAEMON" --access "$dir/access.d" --check
	[[ $stderr == *"50-site.conf: others than its owner may write to it (chmod go-w)" ]]
	run -1 --separate-stderr "$BSTREAM_DAEMON" --access "$dir/none" --check
	[ "$stderr" = "bstreamd: $dir/none: No such file or directory" ]
	run -2 "$BSTREAM_DAEMON" --access access.d --check
	run -2 "$BSTREAM_DAEMON" --check
	rules '[default]' 'read = *'
	run -0 "$BSTREAM_DAEMON" --access "$dir/access.d" --check
	[ "$output" = "$dir/access.d: nothing wrong, 1 rule" ]
}

@test "the example of rules that is installed is right" {
	rules '[default]' 'read = *'
	cp "$BATS_TEST_DIRNAME/../../daemon/50-example.conf" access.d/
	chmod 644 access.d/50-example.conf
	run -0 "$BSTREAM_DAEMON" --access "$dir/access.d" --check
}

@test "SIGHUP has the rules read again; wrong ones are told, and the old ones stay" {
	rules '[default]' 'read = *'
	mkdir -m 700 bstream
	"$BSTREAM_DAEMON" --access "$dir/access.d" --socket "$socket" 2>said 3>&- &
	local broker=$!
	until_true ctl --no-start daemon status
	echo 'raed = *' >>access.d/50-site.conf
	kill -HUP $broker
	until_true grep -qx "bstreamd: $dir/access.d/50-site.conf:3: raed: not create, read or write (the rules stay as they were)" said
	sed -i s/raed/write/ access.d/50-site.conf
	kill -HUP $broker
	until_true grep -q "access.d: read again, 2 rules" said
	[ "$(broker_pid)" -eq $broker ]
}

@test "SIGHUP does nothing to a broker without rules" {
	ctl create s
	local broker
	broker=$(broker_pid)
	kill -HUP "$broker"
	ctl rm s
	[ "$(broker_pid)" -eq "$broker" ]
}
