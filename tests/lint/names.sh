#!/bin/bash
# SPDX-License-Identifier: MIT
# A file's name says what it owns; these say nothing.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

tree_files '*' |
	rows -E '(^|/)(util|utils|utility|utilities|misc|common|internal|internals|helper|helpers)([._-][^/]*)?(/|$)' |
	complain "name these by what they own"
exit $found
