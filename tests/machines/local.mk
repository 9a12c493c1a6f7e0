# SPDX-License-Identifier: MIT
# Machines other than this one. arm64.sh is what ./check --long runs in a build for one.
dist_check_SCRIPTS += tests/machines/narrow.sh tests/machines/arm64.sh
if !SANITIZE
TESTS += tests/machines/narrow.sh
endif
