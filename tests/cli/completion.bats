#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Completion, asked of the shells themselves where they are installed.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC1090,SC2154,SC2207 # bats runs each test in a subshell of its own

load setup

# completed WORD... - what bash offers for the last one
completed() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_bstreamctl bstreamctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	echo "${COMPREPLY[*]}"
}

in_path() {
	mkdir bin
	ln -s "$BSTREAMCTL" bin/bstreamctl
	PATH=$dir/bin:$PATH
}

@test "bash: verbs, options, values, words and names" {
	in_path
	source <(ctl completion bash)
	[ "$(completed bstreamctl wr)" = write ]
	[[ " $(completed bstreamctl '') " == *" read "*" top "* ]]
	[ "$(completed bstreamctl --sock)" = --socket ]
	[ "$(completed bstreamctl write --cap)" = --capacity ]
	[ "$(completed bstreamctl write --frame '')" = "raw line nul len32 fixed:" ]
	[ "$(completed bstreamctl wait x --for = e)" = "exists empty end" ]
	[ "$(completed bstreamctl --color n)" = never ]
	[ "$(completed bstreamctl daemon st)" = "start stop status" ]
	[ "$(completed bstreamctl completion f)" = fish ]
	[ "$(completed bstreamctl help wai)" = wait ]
	[ "$(completed bstreamctl top --sort RA)" = RATE ]
	[ -z "$(completed bstreamctl write --capacity '')" ]
	ctl create logs/app
	ctl create logs/web
	ctl create other
	[ "$(completed bstreamctl read lo)" = "logs/app logs/web" ]
	[ "$(completed bstreamctl --color never rm logs/app o)" = other ]
	[ "$(completed bstreamctl write --frame line oth)" = other ]
	[ "$(completed bstreamctl exec -i oth)" = other ]
	[ "$(completed bstreamctl tee --from = oth)" = other ]
	[ "$(completed bstreamctl send box --reader oth)" = other ]
	[ -z "$(completed bstreamctl open '')" ]
	[[ " $(completed bstreamctl exec -i other tai)" == *" tail"* ]]
	run -1 ctl exec -o dead -- false # ls says more of it than its name
	[ "$(completed bstreamctl read de)" = dead ]
	[ -z "$(completed bstreamctl rm wri)" ]
	: >a-file
	[ "$(completed bstreamctl write other a-f)" = a-file ]
	[ "$(completed bstreamctl --socket a-f)" = a-file ]
	ctl rm logs/app logs/web other dead
}

@test "bash: every verb and every option of help is there" {
	source <(ctl completion bash)
	for verb in $(ctl help | sed -n '/^verbs:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
		[ "$(completed bstreamctl "$verb")" = "$verb" ]
		for option in $(ctl help "$verb" | grep -o -e '^  *\(-., \)\?--[a-z-]*' | grep -o -e '--.*'); do
			[[ " $(completed bstreamctl "$verb" "$option") " == *" $option "* ]]
		done
	done
}

@test "completing starts no broker" {
	in_path
	source <(ctl completion bash)
	[ -z "$(completed bstreamctl read '')" ]
	[ "$(broker_pid)" -eq 0 ]
}

@test "fish: verbs, options, values and names" {
	command -v fish >/dev/null || skip "fish is not installed"
	in_path
	export HOME=$dir
	ctl completion fish >completion.fish
	ctl create logs/app
	run -1 ctl exec -o dead -- false # ls says more of it than its name
	offered() {
		fish --no-config -c "source completion.fish; complete -C '$1'" | cut -f 1 | sort | xargs
	}
	[ "$(offered 'bstreamctl wri')" = write ]
	[[ " $(offered 'bstreamctl ') " == *" top "* ]]
	[[ " $(offered 'bstreamctl write --cap') " == *" --capacity "* ]]
	[ "$(offered 'bstreamctl daemon sta')" = "start status" ]
	[[ " $(offered 'bstreamctl read --frame l') " == *" len32 line "* ]]
	[ "$(offered 'bstreamctl read lo')" = logs/app ]
	[ "$(offered 'bstreamctl --color never read lo')" = logs/app ]
	[ "$(offered 'bstreamctl read de')" = dead ]
	ctl rm logs/app dead
}

@test "zsh: verbs, options and names" {
	command -v zsh >/dev/null || skip "zsh is not installed"
	command -v tmux >/dev/null || skip "tmux is not installed"
	in_path
	ctl completion zsh >_bstreamctl
	zsh -n _bstreamctl
	ctl create logs/app
	run -1 ctl exec -o dead -- false # ls says more of it than its name
	tmux -S "$dir/tmux" -f /dev/null new-session -d -x 100 -y 20 -e HOME="$dir" -e PATH="$PATH" "zsh -f"
	shown() {
		tmux -S "$dir/tmux" capture-pane -p
	}
	keys() {
		tmux -S "$dir/tmux" send-keys "$@"
	}
	keys 'PS1="> "; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -d dump; echo rea''dy' Enter
	until_eval 'shown | grep -q ^ready'
	keys 'bstreamctl wri' Tab 'x' C-a '#' Enter
	until_eval 'shown | grep -q "#bstreamctl write x"'
	keys 'bstreamctl rm --for' Tab 'lo' Tab C-a '#' Enter
	until_eval 'shown | grep -q "#bstreamctl rm --force logs/app"'
	keys 'bstreamctl read --frame le' Tab 'logs/a' Tab C-a '#' Enter
	until_eval 'shown | grep -q "#bstreamctl read --frame len32 logs/app"'
	keys 'bstreamctl read de' Tab 'x' C-a '#' Enter
	until_eval 'shown | grep -q "#bstreamctl read dead x"'
	ctl rm logs/app dead
}
