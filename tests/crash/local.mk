# SPDX-License-Identifier: MIT
# Kills a process at every instruction of each operation. Single steps through a sanitizer's
# instrumentation would take hours, and find the same.
EXTRA_DIST += tests/crash/stage.h
if !SANITIZE
check_PROGRAMS += tests/crash/kill
tests_crash_kill_SOURCES = tests/crash/kill.c tests/crash/scenes.c tests/crash/stage.h
tests_crash_kill_LDADD = lib/libbstream.la
tests_crash_kill_LDFLAGS = -static $(AM_LDFLAGS)
TESTS += tests/crash/kill
endif
