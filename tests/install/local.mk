# SPDX-License-Identifier: MIT
# What make install gives to others.
dist_check_SCRIPTS += tests/install/abi.sh tests/install/foreign.sh
EXTRA_DIST += tests/install/foreign.c tests/golden/libbstream.abi
if !SANITIZE
TESTS += tests/install/abi.sh tests/install/foreign.sh
endif
