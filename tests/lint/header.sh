#!/bin/bash
# SPDX-License-Identifier: MIT
# bstream.h stands alone: it compiles by itself, as C11 and as C++11, without a warning and without
# _GNU_SOURCE.
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"
need_build Makefile

# A compiler may be several words.
# shellcheck disable=SC2086
try() {
	local compiler=$1
	shift
	command -v ${compiler%% *} >/dev/null || { echo "note: no $compiler"; return 0; }
	printf '#include "lib/bstream.h"\nint main() { return bstream_version() == 0; }\n' |
		$compiler "$@" -I. -Wall -Wextra -pedantic -Werror -fsyntax-only - 2>&1 |
		complain "$compiler $* says"
}

try "$(build_variable CC)" -x c -std=c11
try "$(build_variable CXX)" -x c++ -std=c++11
exit $found
