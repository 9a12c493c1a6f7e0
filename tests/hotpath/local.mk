# SPDX-License-Identifier: MIT
# Counts of instructions mean something in the optimized build only.
dist_check_SCRIPTS += tests/hotpath/bounds.sh
if !SANITIZE
check_PROGRAMS += tests/hotpath/pump
tests_hotpath_pump_SOURCES = tests/hotpath/pump.c
tests_hotpath_pump_LDADD = lib/libbstream.la
tests_hotpath_pump_LDFLAGS = -static $(AM_LDFLAGS)
TESTS += tests/hotpath/bounds.sh
endif
